#define _GNU_SOURCE
#include "layer.h"
#include "heap.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// leave gives pages of weights that are mapped from a file back: nobody reads them again.
static void leave(const void *weights, size_t bytes) {
	uintptr_t page = sysconf(_SC_PAGESIZE), from = ((uintptr_t)weights + page - 1) / page * page, to = ((uintptr_t)weights + bytes) / page * page;
	if (from < to)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

// pack makes the node's own weights of its input, which is a constant [outputs, inputs].
static OrtStatus *pack(captiond_node *n, const OrtValue *value) {
	captiond_tensor w;
	OrtStatus *failed = captiond_describe(n->api, (OrtValue *)value, &w);
	if (failed)
		return failed;
	if (w.rank != 2 || w.dims[0] * w.dims[1] == 0)
		return n->api->CreateStatus(invalid, "Linear: weights are not [outputs, inputs]");
	n->outputs = w.dims[0], n->inputs = w.dims[1];
	n->packed = captiond_heap_alloc(captiond_pack_room(n->inputs, n->outputs) * sizeof(float));
	if (!n->packed)
		return n->api->CreateStatus(fail, "bad_alloc");
	captiond_pack(w.data, n->inputs, n->outputs, n->packed);
	if (n->mapped)
		leave(w.data, n->inputs * n->outputs * sizeof(float));
	return NULL;
}

OrtStatus *captiond_read_linear(captiond_node *n, const OrtKernelInfo *info) {
	const OrtValue *weights = NULL;
	int constant = 0;
	OrtStatus *failed = captiond_read_vectors(n, info);
	if (!failed)
		failed = n->api->KernelInfoGetAttribute_int64(info, "mapped", &n->mapped);
	if (!failed)
		failed = n->api->KernelInfoGetConstantInput_tensor(info, 1, &constant, &weights);
	if (!failed && !constant)
		failed = n->api->CreateStatus(invalid, "Linear: weights are no constant");
	return failed ? failed : pack(n, weights);
}

OrtStatus *captiond_read_linear_alpha(captiond_node *n, const OrtKernelInfo *info) {
	OrtStatus *failed = captiond_read_alpha(n, info);
	return failed ? failed : captiond_read_linear(n, info);
}

enum { x, bias = 2 };

// compute multiplies, adds the bias where there is one, and activates where it is to.
static OrtStatus *compute(const captiond_node *n, OrtKernelContext *context, captiond_activate *activate) {
	captiond_tensor in, b = {0};
	OrtStatus *failed = captiond_input(n, context, x, &in);
	if (!failed && captiond_has(n, context, bias))
		failed = captiond_input(n, context, bias, &b);
	if (failed)
		return failed;
	if (in.rank != 2 || in.dims[1] != n->inputs || (b.data && (b.rank != 1 || b.dims[0] != n->outputs)))
		return n->api->CreateStatus(invalid, "Linear: inputs are not shaped as the layer has them");
	captiond_layer l = {
		.x = in.data, .weights = n->packed, .bias = b.data, .activate = activate, .alpha = n->alpha,
		.rows = in.dims[0], .inputs = n->inputs, .outputs = n->outputs,
	};
	return captiond_multiply(n, context, &l, &captiond_by_vectors);
}

OrtStatus *captiond_linear(void *node, OrtKernelContext *context) { return compute(node, context, NULL); }
OrtStatus *captiond_linear_gelu(void *node, OrtKernelContext *context) { return compute(node, context, captiond_gelu_row); }
OrtStatus *captiond_linear_quick_gelu(void *node, OrtKernelContext *context) { return compute(node, context, captiond_quick_gelu_row); }
