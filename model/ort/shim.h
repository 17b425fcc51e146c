// What onnxruntime_go does not do: leave a run's outputs where they were computed. Calls
// ONNX Runtime's C API directly, with objects that onnxruntime_go made.
#ifndef CAPTIOND_ORT_SHIM_H
#define CAPTIOND_ORT_SHIM_H

#include <stddef.h>
#include <stdint.h>

// Objects of the library, named as in its onnxruntime_c_api.h.
typedef struct OrtApi OrtApi;
typedef struct OrtStatus OrtStatus; // of a call: NULL for success
typedef struct OrtSession OrtSession;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtValue OrtValue;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtAllocator OrtAllocator;

// A session, the names of its inputs followed by those of its outputs, and the memory that
// its outputs are left in: the first ones, which the host reads, and the others.
typedef struct {
	const OrtApi *api;
	OrtSession *session;
	OrtMemoryInfo *host, *memory;
	size_t inputs, outputs, read;
	char **names;
} captiond_session;

enum { captiond_dims = 8 };

// A tensor: its element type as in TensorProto.DataType, its shape (of captiond_dims
// dimensions at most) and its data, in the memory that it was made in.
typedef struct {
	int type;
	size_t rank;
	int64_t dims[captiond_dims];
	void *data;
} captiond_tensor;

// captiond_load finds the functions of the library at path, which this process has loaded
// already; NULL if it is not one.
const OrtApi *captiond_load(const char *path);

// captiond_heap_lend has the library's environment take the memory of sessions that ask for
// its allocators from the heap of heap.h, until captiond_heap_return.
OrtStatus *captiond_heap_lend(const OrtApi *api);
OrtStatus *captiond_heap_return(const OrtApi *api);

// captiond_memory makes the description of a device's own memory, "Cpu" or, for the first
// GPU, "Cuda", or of the host's that this GPU writes to, "CudaPinned".
OrtStatus *captiond_memory(const OrtApi *api, const char *device, OrtMemoryInfo **memory);
void captiond_release_memory(const OrtApi *api, OrtMemoryInfo *memory);

// captiond_allocator makes what gives out memory of that kind, until the session is closed.
OrtStatus *captiond_allocator(const OrtApi *api, const OrtSession *session, const OrtMemoryInfo *memory, OrtAllocator **made);
void captiond_release_allocator(const OrtApi *api, OrtAllocator *a);

// captiond_new makes a tensor of a type and shape in memory of an allocator, or of the heap of
// heap.h where that is NULL; the caller releases it.
OrtStatus *captiond_new(const OrtApi *api, OrtAllocator *a, int type, const int64_t *dims, size_t rank, OrtValue **made);

// captiond_run computes the outputs from the inputs; the caller releases the former.
OrtStatus *captiond_run(const captiond_session *s, OrtRunOptions *options, OrtValue *const *inputs, OrtValue **outputs);
OrtStatus *captiond_describe(const OrtApi *api, OrtValue *value, captiond_tensor *tensor);
void captiond_release(const OrtApi *api, OrtValue *value);

// captiond_message says what failed, until captiond_forget frees it.
const char *captiond_message(const OrtApi *api, const OrtStatus *status);
void captiond_forget(const OrtApi *api, OrtStatus *status);

// captiond_preload loads a library, if it can be loaded, for those that are loaded after it and
// need it.
void captiond_preload(const char *path);

// captiond_cuda_copy is cudaMemcpy of the CUDA runtime called name, if that is loaded.
void *captiond_cuda_copy(const char *name);

// captiond_download calls what captiond_cuda_copy returned, from the device to the host,
// and returns CUDA's error code, 0 for success.
int captiond_download(void *copy, void *to, const void *from, size_t bytes);

#endif
