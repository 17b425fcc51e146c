#define _GNU_SOURCE
#include "kernel.h"

#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	together = 8,  // halves that a thread of a GPU goes through
	threads = 256, // of a block
	ptx_most = 1 << 16,
};

// What a node goes through: rows of so many columns.
typedef struct {
	const uint16_t *x, *bias;
	uint16_t *y;
	int64_t rows, columns;
} work;

OrtStatus *captiond_read_alpha(captiond_node *n, const OrtKernelInfo *info) {
	return n->api->KernelInfoGetAttribute_float(info, "alpha", &n->alpha);
}

// begin finds out what there is to do and makes the output.
static OrtStatus *begin(const captiond_node *n, OrtKernelContext *context, work *w) {
	captiond_tensor x, bias;
	OrtStatus *failed = captiond_input(n, context, 0, &x);
	if (!failed)
		failed = captiond_input(n, context, 1, &bias);
	if (failed)
		return failed;
	if (x.rank < 1 || x.rank > captiond_dims || bias.rank != 1 || bias.dims[0] != x.dims[x.rank - 1] || bias.dims[0] % together)
		return n->api->CreateStatus(invalid, "BiasQuickGelu: there is not a bias for each column, or not a multiple of eight of them");
	*w = (work){.x = x.data, .bias = bias.data, .rows = 1, .columns = bias.dims[0]};
	for (size_t i = 0; i + 1 < x.rank; i++)
		w->rows *= x.dims[i];
	return captiond_output(n, context, &x, &w->y);
}

static float widen(uint16_t half) {
	uint32_t sign = (uint32_t)(half & 0x8000) << 16, bits = (uint32_t)(half & 0x7fff) << 13;
	float f;
	if (bits >= 0x7c00 << 13)
		bits |= 0x7f800000; // infinite, or not a number
	memcpy(&f, &bits, sizeof f);
	if (bits < 0x7f800000)
		f *= 0x1p112f; // the exponent's bias is 15, not 127
	return sign ? -f : f;
}

// narrow rounds to the nearest, ties to even. Infinity is what is too great.
static uint16_t narrow(float f) {
	uint32_t bits;
	memcpy(&bits, &f, sizeof bits);
	uint16_t sign = bits >> 16 & 0x8000;
	bits &= 0x7fffffff;
	if (bits > 0x7f800000)
		return sign | 0x7e00;
	if (bits >= 0x477ff000)
		return sign | 0x7c00;
	if (bits < 0x38800000)
		return sign | (uint16_t)rintf(fabsf(f) * 0x1p24f);
	return sign | (uint16_t)((bits - 0x38000000 + 0xfff + (bits >> 13 & 1)) >> 13);
}

OrtStatus *captiond_bias_quick_gelu(void *kernel, OrtKernelContext *context) {
	const captiond_node *n = kernel;
	work w;
	OrtStatus *failed = begin(n, context, &w);
	if (failed)
		return failed;
	for (int64_t i = 0; i < w.rows * w.columns; i++) {
		float z = widen(w.x[i]) + widen(w.bias[i % w.columns]);
		w.y[i] = narrow(z / (1 + expf(-n->alpha * z)));
	}
	return NULL;
}

// Functions of CUDA's driver, cuda.h, and the compiled operator.
static struct {
	int (*launch)(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
		void *stream, void **arguments, void **extra);
	void *function;
} gpu;

OrtStatus *captiond_bias_quick_gelu_gpu(void *kernel, OrtKernelContext *context) {
	captiond_node *n = kernel;
	work w;
	void *stream;
	OrtStatus *failed = begin(n, context, &w);
	if (!failed)
		failed = n->api->KernelContext_GetGPUComputeStream(context, &stream);
	if (failed || w.rows == 0)
		return failed;
	unsigned columns = w.columns / together;
	void *arguments[] = {&w.x, &w.bias, &w.y, &columns, &n->alpha};
	int code = gpu.launch(gpu.function, w.rows, (columns + threads - 1) / threads, 1, threads, 1, 1, 0, stream, arguments, NULL);
	return code ? n->api->CreateStatus(fail, "BiasQuickGelu: cuLaunchKernel failed") : NULL;
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
	if (init(0) || load_data(&library, compiled, NULL, NULL, 0, NULL, NULL, 0) || kernel(&gpu.function, library, "bias_quick_gelu"))
		return "the driver does not load operator.cu";
	return NULL;
}

const char *captiond_compile(const char *source) {
	if (gpu.function)
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
