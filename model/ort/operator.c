#define _GNU_SOURCE
#include "api.h"

#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	float16 = 10,    // ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16
	invalid = 2,     // ORT_INVALID_ARGUMENT
	fail = 1,        // ORT_FAIL
	together = 8,    // halves that a thread of a GPU goes through
	threads = 256,   // of a block
	required = 0,    // INPUT_OUTPUT_REQUIRED
	on_device = 0,   // OrtMemTypeDefault
	ptx_most = 1 << 16,
};

// An operator as the library takes it, OrtCustomOp of API version 24.
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

// A node of a graph.
typedef struct {
	const OrtApi *api;
	float alpha;
} node;

// What a node goes through: rows of so many columns.
typedef struct {
	const uint16_t *x, *bias;
	uint16_t *y;
	int64_t rows, columns;
} work;

static OrtStatus *create(const OrtCustomOp *op, const OrtApi *api, const OrtKernelInfo *info, void **made) {
	node *n = malloc(sizeof *n);
	if (!n)
		return api->CreateStatus(fail, "bad_alloc");
	n->api = api;
	OrtStatus *failed = api->KernelInfoGetAttribute_float(info, "alpha", &n->alpha);
	if (failed)
		free(n);
	else
		*made = n;
	return failed;
}

static OrtStatus *input(const node *n, OrtKernelContext *context, size_t i, captiond_tensor *t) {
	const OrtValue *value;
	OrtStatus *failed = n->api->KernelContext_GetInput(context, i, &value);
	return failed ? failed : captiond_describe(n->api, (OrtValue *)value, t);
}

// begin finds out what there is to do and makes the output.
static OrtStatus *begin(const node *n, OrtKernelContext *context, work *w) {
	captiond_tensor x, bias;
	OrtStatus *failed = input(n, context, 0, &x);
	if (!failed)
		failed = input(n, context, 1, &bias);
	if (failed)
		return failed;
	if (x.rank < 1 || x.rank > captiond_dims || bias.rank != 1 || bias.dims[0] != x.dims[x.rank - 1] || bias.dims[0] % together)
		return n->api->CreateStatus(invalid, "BiasQuickGelu: there is not a bias for each column, or not a multiple of eight of them");
	OrtValue *y;
	failed = n->api->KernelContext_GetOutput(context, 0, x.dims, x.rank, &y);
	if (failed)
		return failed;
	*w = (work){.x = x.data, .bias = bias.data, .rows = 1, .columns = bias.dims[0]};
	for (size_t i = 0; i + 1 < x.rank; i++)
		w->rows *= x.dims[i];
	return n->api->GetTensorMutableData(y, (void **)&w->y);
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

static OrtStatus *on_cpu(void *kernel, OrtKernelContext *context) {
	const node *n = kernel;
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

static OrtStatus *on_gpu(void *kernel, OrtKernelContext *context) {
	node *n = kernel;
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

static const char *name(const OrtCustomOp *op) { return "BiasQuickGelu"; }
static const char *cpu_provider(const OrtCustomOp *op) { return NULL; }
static const char *gpu_provider(const OrtCustomOp *op) { return "CUDAExecutionProvider"; }
static int type(const OrtCustomOp *op, size_t i) { return float16; }
static size_t two(const OrtCustomOp *op) { return 2; }
static size_t one(const OrtCustomOp *op) { return 1; }
static int always(const OrtCustomOp *op, size_t i) { return required; }
static int memory_type(const OrtCustomOp *op, size_t i) { return on_device; }
static int version(const OrtCustomOp *op) { return 1; }

#define OPERATOR(provider, compute) \
	{ \
		.version = api_version, .GetName = name, .GetExecutionProviderType = provider, .GetInputType = type, \
		.GetInputTypeCount = two, .GetOutputType = type, .GetOutputTypeCount = one, .KernelDestroy = free, \
		.GetInputCharacteristic = always, .GetOutputCharacteristic = always, .GetInputMemoryType = memory_type, \
		.CreateKernelV2 = create, .KernelComputeV2 = compute, .GetStartVersion = version, .GetEndVersion = version, \
	}

static const OrtCustomOp cpu_operator = OPERATOR(cpu_provider, on_cpu);
static const OrtCustomOp gpu_operator = OPERATOR(gpu_provider, on_gpu);

OrtStatus *captiond_operators(const OrtApi *api, int on_gpus, OrtCustomOpDomain **domain) {
	*domain = NULL;
	OrtStatus *failed = api->CreateCustomOpDomain("captiond", domain);
	if (!failed)
		failed = api->CustomOpDomain_Add(*domain, &cpu_operator);
	if (!failed && on_gpus)
		failed = api->CustomOpDomain_Add(*domain, &gpu_operator);
	if (failed)
		api->ReleaseCustomOpDomain(*domain); // which takes NULL
	return failed;
}

OrtStatus *captiond_add_operators(const OrtApi *api, OrtSessionOptions *options, OrtCustomOpDomain *domain) {
	return api->AddCustomOpDomain(options, domain);
}

void captiond_release_operators(const OrtApi *api, OrtCustomOpDomain *domain) { api->ReleaseCustomOpDomain(domain); }

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
