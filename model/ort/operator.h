// Operators that ONNX Runtime has not, or not as fast. Their domain is "captiond", version 1.
#ifndef CAPTIOND_ORT_OPERATOR_H
#define CAPTIOND_ORT_OPERATOR_H

#include "shim.h"

typedef struct OrtCustomOpDomain OrtCustomOpDomain;
typedef struct OrtSessionOptions OrtSessionOptions;

// captiond_operators makes the domain, which must outlive all sessions that it is added to:
// with the operators for CPUs and, which captiond_compile must have compiled, for GPUs.
OrtStatus *captiond_operators(const OrtApi *api, int on_gpus, OrtCustomOpDomain **domain);
OrtStatus *captiond_add_operators(const OrtApi *api, OrtSessionOptions *options, OrtCustomOpDomain *domain);
void captiond_release_operators(const OrtApi *api, OrtCustomOpDomain *domain);

// captiond_compile compiles the source of operators for GPUs, operator.cu, for this process's
// GPUs with NVRTC 13 or 12, unless it has, and returns what failed, NULL for nothing. One
// thread calls it at a time.
const char *captiond_compile(const char *source);

#endif
