#define _GNU_SOURCE
#include "step.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
	together = 8,  // halves that a thread goes through
	threads = 256, // of a block
	most_head = 128, // the longest query
	ptx_most = 1 << 20,
};

// Functions of CUDA's driver, cuda.h, and the compiled operator.
static struct {
	int (*launch)(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
		void *stream, void **arguments, void **extra);
	void *bias_quick_gelu, *step_attention, *step_attention_alone;
} gpu;

// launch starts a function of operator.cu with arguments, behind what this context has started.
static OrtStatus *launch(const captiond_node *n, OrtKernelContext *context, void *function, unsigned x, unsigned y, void **arguments) {
	void *stream;
	OrtStatus *failed = n->api->KernelContext_GetGPUComputeStream(context, &stream);
	if (!failed && gpu.launch(function, x, y, 1, threads, 1, 1, 0, stream, arguments, NULL))
		failed = n->api->CreateStatus(fail, "cuLaunchKernel failed");
	return failed;
}

OrtStatus *captiond_bias_quick_gelu_gpu(void *node, OrtKernelContext *context) {
	captiond_node *n = node;
	captiond_biased b;
	OrtStatus *failed = captiond_begin_biased(n, context, &b);
	if (!failed && b.columns % together)
		failed = n->api->CreateStatus(invalid, "BiasQuickGelu: there is not a multiple of eight columns");
	if (failed || b.rows == 0)
		return failed;
	unsigned columns = b.columns / together;
	void *arguments[] = {&b.x, &b.bias, &b.y, &columns, &n->alpha};
	return launch(n, context, gpu.bias_quick_gelu, b.rows, (columns + threads - 1) / threads, arguments);
}

OrtStatus *captiond_step_attention_gpu(void *node, OrtKernelContext *context) {
	const captiond_node *n = node;
	captiond_step s;
	OrtStatus *failed = captiond_begin_step(n, context, &s);
	if (!failed && (s.head % 2 || s.head > most_head))
		failed = n->api->CreateStatus(invalid, "StepAttention: heads are longer than 128, or odd");
	if (failed || s.rows * s.length == 0)
		return failed;
	void *arguments[] = {&s};
	void *function = s.rows * s.length == 1 ? gpu.step_attention_alone : gpu.step_attention;
	return launch(n, context, function, s.windows * s.heads, 1, arguments);
}

// ptx compiles a source with NVRTC (nvrtc.h), for any GPU that CUDA 12 and 13 know.
static const char *ptx(void *nvrtc, const char *source, char *to) {
	typedef struct program program;
	int (*create)(program **, const char *, const char *, int, const char *const *, const char *const *) = dlsym(nvrtc, "nvrtcCreateProgram");
	int (*compile)(program *, int, const char *const *) = dlsym(nvrtc, "nvrtcCompileProgram");
	int (*size)(program *, size_t *) = dlsym(nvrtc, "nvrtcGetPTXSize");
	int (*get)(program *, char *) = dlsym(nvrtc, "nvrtcGetPTX");
	int (*destroy)(program **) = dlsym(nvrtc, "nvrtcDestroyProgram");
	const char *options[] = {"--gpu-architecture=compute_75"};
	program *p;
	size_t n = 0;
	if (!create || !compile || !size || !get || !destroy || create(&p, source, "operator.cu", 0, NULL, NULL))
		return "it is no NVRTC";
	bool made = !compile(p, 1, options) && !size(p, &n) && n <= ptx_most && !get(p, to);
	destroy(&p);
	return made ? NULL : "NVRTC does not compile operator.cu";
}

// load gives the driver what was compiled.
static const char *load(const char *compiled) {
	void *driver = dlopen("libcuda.so.1", RTLD_LAZY), *library;
	if (!driver)
		return "no driver is loaded";
	int (*init)(unsigned) = dlsym(driver, "cuInit");
	int (*load_data)(void **, const void *, void *, void *, unsigned, void *, void *, unsigned) = dlsym(driver, "cuLibraryLoadData");
	int (*kernel)(void **, void *, const char *) = dlsym(driver, "cuLibraryGetKernel");
	gpu.launch = dlsym(driver, "cuLaunchKernel");
	if (!init || !load_data || !kernel || !gpu.launch)
		return "the driver is older than CUDA 12";
	if (init(0) || load_data(&library, compiled, NULL, NULL, 0, NULL, NULL, 0) || kernel(&gpu.bias_quick_gelu, library, "bias_quick_gelu") ||
		kernel(&gpu.step_attention, library, "step_attention") || kernel(&gpu.step_attention_alone, library, "step_attention_alone"))
		return "the driver does not load operator.cu";
	return NULL;
}

const char *captiond_compile(const char *source) {
	if (gpu.step_attention_alone)
		return NULL;
	void *library = dlopen("libnvrtc.so.13", RTLD_LAZY);
	if (!library)
		library = dlopen("libnvrtc.so.12", RTLD_LAZY);
	if (!library)
		return "neither NVRTC 13 nor 12 is there; `make deps-gpu` fetches it";
	char *compiled = malloc(ptx_most);
	const char *failed = compiled ? ptx(library, source, compiled) : "bad_alloc";
	if (!failed)
		failed = load(compiled);
	free(compiled);
	return failed;
}
