#include "heap.h"
#include "kernel.h"

#include <stdlib.h>

enum {
	float32 = 1,   // ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT
	int8 = 3,      // ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8
	int32 = 6,     // ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32
	int64 = 7,     // ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64
	float16 = 10,  // ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16
	required = 0,  // INPUT_OUTPUT_REQUIRED
	optional = 1,  // INPUT_OUTPUT_OPTIONAL
	on_device = 0, // OrtMemTypeDefault
};

// An operator. Lists of types of inputs and outputs end with 0.
typedef struct {
	OrtCustomOp op;
	const char *name;
	const char *provider; // NULL for CPUs
	int in[10], out[4];
	size_t needed; // inputs, where others may be left out
	OrtStatus *(*read)(captiond_node *, const OrtKernelInfo *); // NULL where it has no attributes
} operator;

static const operator *of(const OrtCustomOp *op) { return (const operator *)op; }

static void destroy(void *node) {
	captiond_heap_free(((captiond_node *)node)->packed);
	free(node);
}

static OrtStatus *create(const OrtCustomOp *op, const OrtApi *api, const OrtKernelInfo *info, void **made) {
	captiond_node *n = calloc(1, sizeof *n);
	if (!n)
		return api->CreateStatus(fail, "bad_alloc");
	n->api = api;
	OrtStatus *failed = of(op)->read ? of(op)->read(n, info) : NULL;
	if (failed)
		destroy(n);
	else
		*made = n;
	return failed;
}

OrtStatus *captiond_input(const captiond_node *n, OrtKernelContext *context, size_t i, captiond_tensor *t) {
	const OrtValue *value;
	OrtStatus *failed = n->api->KernelContext_GetInput(context, i, &value);
	return failed ? failed : captiond_describe(n->api, (OrtValue *)value, t);
}

int captiond_has(const captiond_node *n, OrtKernelContext *context, size_t i) {
	const OrtValue *value = NULL;
	size_t count;
	OrtStatus *failed = n->api->KernelContext_GetInputCount(context, &count);
	if (!failed && i < count)
		failed = n->api->KernelContext_GetInput(context, i, &value);
	if (failed)
		n->api->ReleaseStatus(failed);
	return value != NULL;
}

OrtStatus *captiond_output(const captiond_node *n, OrtKernelContext *context, size_t i, const captiond_tensor *shape, void *data) {
	OrtValue *y;
	OrtStatus *failed = n->api->KernelContext_GetOutput(context, i, shape->dims, shape->rank, &y);
	return failed ? failed : n->api->GetTensorMutableData(y, data);
}

static const char *name(const OrtCustomOp *op) { return of(op)->name; }
static const char *provider(const OrtCustomOp *op) { return of(op)->provider; }

static size_t count(const int *types) {
	size_t n = 0;
	while (types[n])
		n++;
	return n;
}

static int input_type(const OrtCustomOp *op, size_t i) { return of(op)->in[i]; }
static size_t inputs(const OrtCustomOp *op) { return count(of(op)->in); }
static int output_type(const OrtCustomOp *op, size_t i) { return of(op)->out[i]; }
static size_t outputs(const OrtCustomOp *op) { return count(of(op)->out); }
static int input_kind(const OrtCustomOp *op, size_t i) { return of(op)->needed && i >= of(op)->needed ? optional : required; }
static int output_kind(const OrtCustomOp *op, size_t i) { return required; }
static int memory_type(const OrtCustomOp *op, size_t i) { return on_device; }
static int version(const OrtCustomOp *op) { return 1; }

#define COMPUTE(compute) \
	.op = { \
		.version = api_version, .GetName = name, .GetExecutionProviderType = provider, .GetInputType = input_type, \
		.GetInputTypeCount = inputs, .GetOutputType = output_type, .GetOutputTypeCount = outputs, .KernelDestroy = destroy, \
		.GetInputCharacteristic = input_kind, .GetOutputCharacteristic = output_kind, .GetInputMemoryType = memory_type, \
		.CreateKernelV2 = create, .KernelComputeV2 = compute, .GetStartVersion = version, .GetEndVersion = version, \
	}

OrtStatus *captiond_read_vectors(captiond_node *n, const OrtKernelInfo *info) {
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
		return NULL;
#endif
	return n->api->CreateStatus(fail, "this CPU has no AVX-512");
}

#ifndef __x86_64__ // no node is made of what is in files for amd64
#define captiond_read_attention captiond_read_vectors
#define captiond_read_linear captiond_read_vectors
#define captiond_read_linear_alpha captiond_read_vectors
#define captiond_read_outputs captiond_read_vectors
#define captiond_read_outputs_alpha captiond_read_vectors
#define captiond_attention NULL
#define captiond_linear NULL
#define captiond_linear_gelu NULL
#define captiond_linear_quick_gelu NULL
#define captiond_linear8 NULL
#define captiond_linear8_gelu NULL
#define captiond_linear8_quick_gelu NULL
#define captiond_step_attention NULL
#endif

enum { f32 = float32, f16 = float16 };

static const operator for_cpus[] = {
	{COMPUTE(captiond_bias_gelu), .name = "BiasGelu", .in = {f32, f32}, .out = {f32}},
	{COMPUTE(captiond_bias_quick_gelu), .name = "BiasQuickGelu", .in = {f32, f32}, .out = {f32}, .read = captiond_read_alpha},
	{COMPUTE(captiond_bias_quick_gelu_halves), .name = "BiasQuickGelu", .in = {f16, f16}, .out = {f16}, .read = captiond_read_alpha},
	{COMPUTE(captiond_layer_norm), .name = "LayerNorm", .in = {f32, f32, f32}, .out = {f32}, .read = captiond_read_epsilon},
	{COMPUTE(captiond_add_norm), .name = "AddNorm", .in = {f32, f32, f32, f32, f32}, .out = {f32, f32}, .read = captiond_read_epsilon},
	{COMPUTE(captiond_step_attention_halves), .name = "StepAttention", .in = {f16, f16, f16, f32, int64, f16, f16, f32, f32}, .out = {f16, f32, f32}},
	{COMPUTE(captiond_attention), .name = "Attention", .in = {f32, f32, f32}, .out = {f32}, .read = captiond_read_attention},
	{COMPUTE(captiond_linear), .name = "Linear", .in = {f32, f32, f32}, .needed = 2, .out = {f32}, .read = captiond_read_linear},
	{COMPUTE(captiond_linear_gelu), .name = "LinearGelu", .in = {f32, f32, f32}, .out = {f32}, .read = captiond_read_linear},
	{COMPUTE(captiond_linear_quick_gelu), .name = "LinearQuickGelu", .in = {f32, f32, f32}, .out = {f32}, .read = captiond_read_linear_alpha},
	{COMPUTE(captiond_linear8), .name = "Linear8", .in = {f32, int8, int32, f32, f32}, .needed = 4, .out = {f32}, .read = captiond_read_outputs},
	{COMPUTE(captiond_linear8_gelu), .name = "Linear8Gelu", .in = {f32, int8, int32, f32, f32}, .out = {f32}, .read = captiond_read_outputs},
	{COMPUTE(captiond_linear8_quick_gelu), .name = "Linear8QuickGelu", .in = {f32, int8, int32, f32, f32}, .out = {f32}, .read = captiond_read_outputs_alpha},
	{COMPUTE(captiond_step_attention), .name = "StepAttention", .in = {f32, f32, f32, f32, int64, f32, f32, f32, f32}, .out = {f32, f32, f32}, .read = captiond_read_vectors},
};

static const char cuda[] = "CUDAExecutionProvider";

static const operator for_gpus[] = {
	{COMPUTE(captiond_bias_quick_gelu_gpu), .name = "BiasQuickGelu", .provider = cuda, .in = {f16, f16}, .out = {f16}, .read = captiond_read_alpha},
	{COMPUTE(captiond_step_attention_gpu), .name = "StepAttention", .provider = cuda, .in = {f16, f16, f16, f32, int64, f16, f16, f32, f32}, .out = {f16, f32, f32}},
};

static OrtStatus *add(const OrtApi *api, OrtCustomOpDomain *domain, const operator *list, size_t n) {
	OrtStatus *failed = NULL;
	for (size_t i = 0; !failed && i < n; i++)
		failed = api->CustomOpDomain_Add(domain, &list[i].op);
	return failed;
}

OrtStatus *captiond_operators(const OrtApi *api, int on_gpus, OrtCustomOpDomain **domain) {
	*domain = NULL;
	OrtStatus *failed = api->CreateCustomOpDomain("captiond", domain);
	if (!failed)
		failed = add(api, *domain, for_cpus, sizeof for_cpus / sizeof *for_cpus);
	if (!failed && on_gpus)
		failed = add(api, *domain, for_gpus, sizeof for_gpus / sizeof *for_gpus);
	if (failed)
		api->ReleaseCustomOpDomain(*domain); // which takes NULL
	return failed;
}

OrtStatus *captiond_add_operators(const OrtApi *api, OrtSessionOptions *options, OrtCustomOpDomain *domain) {
	return api->AddCustomOpDomain(options, domain);
}

void captiond_release_operators(const OrtApi *api, OrtCustomOpDomain *domain) { api->ReleaseCustomOpDomain(domain); }
