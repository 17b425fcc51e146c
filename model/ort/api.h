// The part that is used here of ONNX Runtime's C API (onnxruntime_c_api.h).
#ifndef CAPTIOND_ORT_API_H
#define CAPTIOND_ORT_API_H

#include "operator.h"
#include "shim.h"

typedef struct OrtCustomOp OrtCustomOp;
typedef struct OrtEnv OrtEnv;
typedef struct OrtIoBinding OrtIoBinding;
typedef struct OrtKernelContext OrtKernelContext;
typedef struct OrtKernelInfo OrtKernelInfo;
typedef struct OrtTensorTypeAndShapeInfo OrtTensorTypeAndShapeInfo;

struct OrtAllocator {
	uint32_t version;
	void *(*Alloc)(OrtAllocator *, size_t);
	void (*Free)(OrtAllocator *, void *);
	const OrtMemoryInfo *(*Info)(const OrtAllocator *);
	void *(*Reserve)(OrtAllocator *, size_t);
	void *unused[2];
};

enum { api_version = 24 }; // that onnxruntime_go asks for

// The library's table of functions. It only ever grows at its end, so that a function keeps
// its place in it.
struct OrtApi {
	OrtStatus *(*CreateStatus)(int code, const char *message);
	void *from_1[1];
	const char *(*GetErrorMessage)(const OrtStatus *);
	OrtStatus *(*CreateEnv)(int severity, const char *name, OrtEnv **);
	void *from_4[22];
	OrtStatus *(*CreateCustomOpDomain)(const char *, OrtCustomOpDomain **);
	OrtStatus *(*CustomOpDomain_Add)(OrtCustomOpDomain *, const OrtCustomOp *);
	OrtStatus *(*AddCustomOpDomain)(OrtSessionOptions *, OrtCustomOpDomain *);
	void *from_29[19];
	OrtStatus *(*CreateTensorAsOrtValue)(OrtAllocator *, const int64_t *dims, size_t rank, int type, OrtValue **);
	void *from_49[2];
	OrtStatus *(*GetTensorMutableData)(OrtValue *, void **);
	void *from_52[8];
	OrtStatus *(*GetTensorElementType)(const OrtTensorTypeAndShapeInfo *, int *);
	OrtStatus *(*GetDimensionsCount)(const OrtTensorTypeAndShapeInfo *, size_t *);
	OrtStatus *(*GetDimensions)(const OrtTensorTypeAndShapeInfo *, int64_t *, size_t);
	void *from_63[2];
	OrtStatus *(*GetTensorTypeAndShape)(const OrtValue *, OrtTensorTypeAndShapeInfo **);
	void *from_66[2];
	OrtStatus *(*CreateMemoryInfo)(const char *, int allocator, int id, int type, OrtMemoryInfo **);
	void *from_69[7];
	OrtStatus *(*AllocatorFree)(OrtAllocator *, void *);
	void *from_77[1];
	OrtStatus *(*GetAllocatorWithDefaultOptions)(OrtAllocator **);
	void *from_79[6];
	OrtStatus *(*KernelInfoGetAttribute_float)(const OrtKernelInfo *, const char *, float *);
	OrtStatus *(*KernelInfoGetAttribute_int64)(const OrtKernelInfo *, const char *, int64_t *);
	void *from_87[1];
	OrtStatus *(*KernelContext_GetInputCount)(const OrtKernelContext *, size_t *);
	void *from_89[1];
	OrtStatus *(*KernelContext_GetInput)(const OrtKernelContext *, size_t, const OrtValue **);
	OrtStatus *(*KernelContext_GetOutput)(OrtKernelContext *, size_t, const int64_t *dims, size_t rank, OrtValue **);
	void (*ReleaseEnv)(OrtEnv *);
	void (*ReleaseStatus)(OrtStatus *);
	void (*ReleaseMemoryInfo)(OrtMemoryInfo *);
	void *from_95[1];
	void (*ReleaseValue)(OrtValue *);
	void *from_97[2];
	void (*ReleaseTensorTypeAndShapeInfo)(OrtTensorTypeAndShapeInfo *);
	void *from_100[1];
	void (*ReleaseCustomOpDomain)(OrtCustomOpDomain *);
	void *from_102[29];
	OrtStatus *(*CreateAllocator)(const OrtSession *, const OrtMemoryInfo *, OrtAllocator **);
	void (*ReleaseAllocator)(OrtAllocator *);
	OrtStatus *(*RunWithBinding)(OrtSession *, const OrtRunOptions *, const OrtIoBinding *);
	OrtStatus *(*CreateIoBinding)(OrtSession *, OrtIoBinding **);
	void (*ReleaseIoBinding)(OrtIoBinding *);
	OrtStatus *(*BindInput)(OrtIoBinding *, const char *, const OrtValue *);
	void *from_137[1];
	OrtStatus *(*BindOutputToDevice)(OrtIoBinding *, const char *, const OrtMemoryInfo *);
	void *from_139[1];
	OrtStatus *(*GetBoundOutputValues)(const OrtIoBinding *, OrtAllocator *, OrtValue ***, size_t *);
	void *from_141[35];
	OrtStatus *(*RegisterAllocator)(OrtEnv *, OrtAllocator *);
	OrtStatus *(*UnregisterAllocator)(OrtEnv *, const OrtMemoryInfo *);
	void *from_178[15];
	OrtStatus *(*KernelContext_GetGPUComputeStream)(const OrtKernelContext *, void **);
	void *from_194[55];
	OrtStatus *(*KernelInfoGetConstantInput_tensor)(const OrtKernelInfo *, size_t, int *constant, const OrtValue **);
	void *from_250[24];
	OrtStatus *(*KernelContext_ParallelFor)(const OrtKernelContext *, void (*)(void *, size_t), size_t total, size_t batches, void *);
};
_Static_assert(offsetof(OrtApi, KernelContext_ParallelFor) == 274 * sizeof(void *), "a gap has another size");

// An operator as the library takes it, of API version 24.
struct OrtCustomOp {
	uint32_t version;
	void *CreateKernel;
	const char *(*GetName)(const OrtCustomOp *);
	const char *(*GetExecutionProviderType)(const OrtCustomOp *);
	int (*GetInputType)(const OrtCustomOp *, size_t);
	size_t (*GetInputTypeCount)(const OrtCustomOp *);
	int (*GetOutputType)(const OrtCustomOp *, size_t);
	size_t (*GetOutputTypeCount)(const OrtCustomOp *);
	void *KernelCompute;
	void (*KernelDestroy)(void *);
	int (*GetInputCharacteristic)(const OrtCustomOp *, size_t);
	int (*GetOutputCharacteristic)(const OrtCustomOp *, size_t);
	int (*GetInputMemoryType)(const OrtCustomOp *, size_t);
	void *variadic[4];
	OrtStatus *(*CreateKernelV2)(const OrtCustomOp *, const OrtApi *, const OrtKernelInfo *, void **);
	OrtStatus *(*KernelComputeV2)(void *, OrtKernelContext *);
	void *InferOutputShapeFn;
	int (*GetStartVersion)(const OrtCustomOp *);
	int (*GetEndVersion)(const OrtCustomOp *);
	void *in_place[4];
};
_Static_assert(sizeof(OrtCustomOp) == 26 * sizeof(void *), "a field is missing");

#endif
