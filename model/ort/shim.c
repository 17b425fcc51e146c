#define _GNU_SOURCE
#include "api.h"
#include "heap.h"
#include "shim.h"

#include <dlfcn.h>

typedef struct {
	const OrtApi *(*GetApi)(uint32_t version);
	const char *(*GetVersionString)(void);
} OrtApiBase;

enum {
	severity = 3,         // ORT_LOGGING_LEVEL_ERROR
	device_allocator = 0, // OrtDeviceAllocator
	default_memory = 0,   // OrtMemTypeDefault
	device_to_host = 2,   // cudaMemcpyDeviceToHost
};

const OrtApi *captiond_load(const char *path) {
	void *library = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
	if (!library)
		return NULL;
	const OrtApiBase *(*base)(void) = (const OrtApiBase *(*)(void))dlsym(library, "OrtGetApiBase");
	const OrtApi *api = base ? base()->GetApi(api_version) : NULL;
	dlclose(library); // onnxruntime_go holds it
	return api;
}

OrtStatus *captiond_memory(const OrtApi *api, const char *device, OrtMemoryInfo **memory) {
	return api->CreateMemoryInfo(device, device_allocator, 0, default_memory, memory);
}

void captiond_release_memory(const OrtApi *api, OrtMemoryInfo *memory) { api->ReleaseMemoryInfo(memory); }

static OrtMemoryInfo *heap_info; // of the library's environment, which is one in a process
static OrtAllocator *standard;   // the library's own

// The library takes NULL for memory. Its own allocator ends the call that it is asked in with
// std::bad_alloc, which passes through here.
static void *heap_alloc(OrtAllocator *a, size_t size) {
	void *p = captiond_heap_alloc(size);
	return p || size == 0 ? p : standard->Alloc(standard, SIZE_MAX / 2);
}

static void heap_free(OrtAllocator *a, void *p) { captiond_heap_free(p); }
static const OrtMemoryInfo *heap_memory(const OrtAllocator *a) { return heap_info; }
static OrtAllocator heap = {api_version, heap_alloc, heap_free, heap_memory, heap_alloc};

OrtStatus *captiond_heap_lend(const OrtApi *api) {
	OrtEnv *env;
	OrtStatus *failed = api->GetAllocatorWithDefaultOptions(&standard);
	if (!failed)
		failed = captiond_memory(api, "Cpu", &heap_info);
	if (!failed)
		failed = api->CreateEnv(severity, "captiond", &env); // that which there is, once more
	if (failed)
		return failed;
	failed = api->RegisterAllocator(env, &heap);
	api->ReleaseEnv(env);
	return failed;
}

OrtStatus *captiond_heap_return(const OrtApi *api) {
	OrtEnv *env;
	OrtStatus *failed = api->CreateEnv(severity, "captiond", &env);
	if (failed)
		return failed;
	failed = api->UnregisterAllocator(env, heap_info);
	api->ReleaseEnv(env);
	api->ReleaseMemoryInfo(heap_info);
	return failed;
}

OrtStatus *captiond_allocator(const OrtApi *api, const OrtSession *session, const OrtMemoryInfo *memory, OrtAllocator **made) {
	return api->CreateAllocator(session, memory, made);
}

void captiond_release_allocator(const OrtApi *api, OrtAllocator *a) { api->ReleaseAllocator(a); }

OrtStatus *captiond_new(const OrtApi *api, OrtAllocator *a, int type, const int64_t *dims, size_t rank, OrtValue **made) {
	return api->CreateTensorAsOrtValue(a ? a : &heap, dims, rank, type, made);
}

// take moves the outputs, of which there are as many as were bound, out of a binding.
static OrtStatus *take(const captiond_session *s, const OrtIoBinding *binding, OrtValue **outputs) {
	OrtAllocator *allocator;
	OrtStatus *failed = s->api->GetAllocatorWithDefaultOptions(&allocator);
	if (failed)
		return failed;
	OrtValue **values;
	size_t n;
	failed = s->api->GetBoundOutputValues(binding, allocator, &values, &n);
	if (failed)
		return failed;
	for (size_t i = 0; i < n; i++)
		outputs[i] = values[i];
	return s->api->AllocatorFree(allocator, values);
}

OrtStatus *captiond_run(const captiond_session *s, OrtRunOptions *options, OrtValue *const *inputs, OrtValue **outputs) {
	const OrtApi *api = s->api;
	OrtIoBinding *binding;
	OrtStatus *failed = api->CreateIoBinding(s->session, &binding);
	if (failed)
		return failed;
	for (size_t i = 0; !failed && i < s->inputs; i++)
		failed = api->BindInput(binding, s->names[i], inputs[i]);
	for (size_t i = 0; !failed && i < s->outputs; i++)
		failed = api->BindOutputToDevice(binding, s->names[s->inputs + i], i < s->read ? s->host : s->memory);
	// Inputs are copied to a device on this thread's stream, which the run goes on with and
	// waits for. SynchronizeBoundInputs and SynchronizeBoundOutputs would wait for the streams
	// of all threads.
	if (!failed)
		failed = api->RunWithBinding(s->session, options, binding);
	if (!failed)
		failed = take(s, binding, outputs);
	api->ReleaseIoBinding(binding);
	return failed;
}

OrtStatus *captiond_describe(const OrtApi *api, OrtValue *value, captiond_tensor *tensor) {
	OrtTensorTypeAndShapeInfo *info;
	OrtStatus *failed = api->GetTensorTypeAndShape(value, &info);
	if (failed)
		return failed;
	failed = api->GetTensorElementType(info, &tensor->type);
	if (!failed)
		failed = api->GetDimensionsCount(info, &tensor->rank);
	if (!failed && tensor->rank <= captiond_dims)
		failed = api->GetDimensions(info, tensor->dims, tensor->rank);
	api->ReleaseTensorTypeAndShapeInfo(info);
	return failed ? failed : api->GetTensorMutableData(value, &tensor->data);
}

void captiond_release(const OrtApi *api, OrtValue *value) { api->ReleaseValue(value); }

const char *captiond_message(const OrtApi *api, const OrtStatus *status) { return api->GetErrorMessage(status); }

void captiond_forget(const OrtApi *api, OrtStatus *status) { api->ReleaseStatus(status); }

void captiond_preload(const char *path) { dlopen(path, RTLD_NOW | RTLD_GLOBAL); }

void *captiond_cuda_copy(const char *name) {
	void *runtime = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
	return runtime ? dlsym(runtime, "cudaMemcpy") : NULL;
}

int captiond_download(void *copy, void *to, const void *from, size_t bytes) {
	return ((int (*)(void *, const void *, size_t, int))copy)(to, from, bytes, device_to_host);
}
