#include "heap.h"
#include "gemm8.h"

#include <stdbool.h>
#include <string.h>

OrtStatus *captiond_read_outputs(captiond_node *n, const OrtKernelInfo *info) {
	OrtStatus *failed = captiond_read_vectors(n, info);
	if (!failed && !__builtin_cpu_supports("avx512vnni"))
		failed = n->api->CreateStatus(fail, "this CPU has no AVX-512 with VNNI");
	return failed ? failed : n->api->KernelInfoGetAttribute_int64(info, "outputs", &n->outputs);
}

OrtStatus *captiond_read_outputs_alpha(captiond_node *n, const OrtKernelInfo *info) {
	OrtStatus *failed = captiond_read_outputs(n, info);
	return failed ? failed : captiond_read_alpha(n, info);
}

enum { x, weights, offset, scale, bias, all };

// fits tells whether inputs are shaped as a layer of so many outputs has them.
static bool fits(const captiond_node *n, const captiond_tensor *in, bool biased) {
	int64_t panels = (n->outputs + captiond_panel - 1) / captiond_panel;
	if (in[x].rank != 2 || in[weights].rank != 4 || in[offset].rank != 1 || in[scale].rank != 1 || in[x].dims[1] > captiond_most_inputs)
		return false;
	const int64_t packed[] = {panels, (in[x].dims[1] + captiond_group - 1) / captiond_group, captiond_panel, captiond_group};
	return !memcmp(in[weights].dims, packed, sizeof packed) && in[offset].dims[0] == panels * captiond_panel &&
		in[scale].dims[0] == panels * captiond_panel && (!biased || (in[bias].rank == 1 && in[bias].dims[0] == n->outputs));
}

// begin finds out what there is to do and makes the output.
static OrtStatus *begin(const captiond_node *n, OrtKernelContext *context, captiond_gemm8 *l) {
	captiond_tensor in[all] = {0};
	OrtStatus *failed = NULL;
	bool biased = captiond_has(n, context, bias);
	for (int i = 0; !failed && i < (biased ? all : bias); i++)
		failed = captiond_input(n, context, i, &in[i]);
	if (failed)
		return failed;
	if (!fits(n, in, biased))
		return n->api->CreateStatus(invalid, "Linear8: inputs are not shaped as the layer has them");
	l->x = in[x].data, l->weights = in[weights].data, l->offset = in[offset].data, l->scale = in[scale].data, l->bias = in[bias].data;
	l->rows = in[x].dims[0], l->inputs = in[x].dims[1], l->outputs = n->outputs, l->depth = in[weights].dims[1] * captiond_group;
	captiond_tensor y = {.rank = 2, .dims = {l->rows, l->outputs}};
	return captiond_output(n, context, 0, &y, &l->y);
}

static OrtStatus *compute(const captiond_node *n, OrtKernelContext *context, captiond_gemm8 l) {
	OrtStatus *failed = begin(n, context, &l);
	if (failed || l.rows * l.outputs * l.depth == 0)
		return failed;
	l.worth = captiond_heap_alloc(l.rows * (sizeof *l.worth + l.depth));
	if (!l.worth)
		return n->api->CreateStatus(fail, "bad_alloc");
	l.levels = (uint8_t *)(l.worth + l.rows);
	failed = n->api->KernelContext_ParallelFor(context, captiond_gemm8_quantize, captiond_gemm8_quantize_parts(&l), 0, &l);
	if (!failed)
		failed = n->api->KernelContext_ParallelFor(context, captiond_gemm8_part, captiond_gemm8_parts(&l), 0, &l);
	captiond_heap_free(l.worth);
	return failed;
}

OrtStatus *captiond_linear8(void *node, OrtKernelContext *context) {
	return compute(node, context, (captiond_gemm8){.activate = captiond_bias_row});
}

OrtStatus *captiond_linear8_gelu(void *node, OrtKernelContext *context) {
	return compute(node, context, (captiond_gemm8){.activate = captiond_gelu_row});
}

OrtStatus *captiond_linear8_quick_gelu(void *node, OrtKernelContext *context) {
	const captiond_node *n = node;
	return compute(n, context, (captiond_gemm8){.activate = captiond_quick_gelu_row, .alpha = n->alpha});
}
