// What the operators share, and what each of them computes.
#ifndef CAPTIOND_ORT_KERNEL_H
#define CAPTIOND_ORT_KERNEL_H

#include "api.h"

enum {
	fail = 1,    // ORT_FAIL
	invalid = 2, // ORT_INVALID_ARGUMENT
};

// A node of a graph, with the attribute that its operator has.
typedef struct {
	const OrtApi *api;
	union {
		float alpha;
		int64_t heads;
	};
} captiond_node;

// captiond_input describes a node's input.
OrtStatus *captiond_input(const captiond_node *n, OrtKernelContext *context, size_t i, captiond_tensor *t);

// captiond_output makes a node's output, shaped as a tensor, and says where its data lie.
OrtStatus *captiond_output(const captiond_node *n, OrtKernelContext *context, const captiond_tensor *shape, void *data);

// An operator is two functions: one reads a node's attribute, the other computes, in threads
// of several sessions at a time.
//
// BiasQuickGelu is x * sigmoid(alpha * x) of x + bias. With its own operators a GPU goes
// through memory three times for it.
//
//	in   x [..., C] and bias [C], float16; C is a multiple of 8
//	out  float16, shaped as x
OrtStatus *captiond_read_alpha(captiond_node *n, const OrtKernelInfo *info);
OrtStatus *captiond_bias_quick_gelu(void *node, OrtKernelContext *context);
OrtStatus *captiond_bias_quick_gelu_gpu(void *node, OrtKernelContext *context);

#ifdef __x86_64__
// Attention is that of all tokens to all, softmax(q k^T / sqrt(d)) v, in integers of 16 bits.
// It is for CPUs with VNNI of 512 bits: elsewhere no session can have it.
//
//	in   q, k and v [n, N, heads*d] float32, d at most 256
//	out  float32, shaped as q
OrtStatus *captiond_read_heads(captiond_node *n, const OrtKernelInfo *info);
OrtStatus *captiond_attention(void *node, OrtKernelContext *context);
#endif

#endif
