#include "layer.h"
#include "heap.h"

#include <string.h>

// take_and_multiply does so in a room of its own.
static OrtStatus *take_and_multiply(const captiond_node *n, OrtKernelContext *context, captiond_layer *l, const captiond_product *a) {
	l->room = captiond_heap_alloc(a->room(l));
	if (!l->room)
		return n->api->CreateStatus(fail, "bad_alloc");
	OrtStatus *failed = n->api->KernelContext_ParallelFor(context, a->take, a->take_parts(l), 0, l);
	if (!failed)
		failed = n->api->KernelContext_ParallelFor(context, a->part, a->parts(l), 0, l);
	captiond_heap_free(l->room);
	return failed;
}

OrtStatus *captiond_multiply(const captiond_node *n, OrtKernelContext *context, captiond_layer *l, const captiond_product *a) {
	captiond_tensor y = {.rank = 2, .dims = {l->rows, l->outputs}};
	OrtStatus *failed = captiond_output(n, context, 0, &y, &l->y);
	if (failed || l->rows * l->outputs * l->inputs == 0)
		return failed;
	if (a->room)
		return take_and_multiply(n, context, l, a);
	return n->api->KernelContext_ParallelFor(context, a->part, a->parts(l), 0, l);
}

size_t captiond_pack_room(int64_t inputs, int64_t outputs) {
	return captiond_up(outputs, captiond_panel) * inputs;
}

void captiond_pack(const float *weights, int64_t inputs, int64_t outputs, float *to) {
	enum { line = 16 }; // floats of a cache line
	memset(to, 0, captiond_pack_room(inputs, outputs) * sizeof *to);
	for (int64_t k = 0; k < inputs; k += line)
		for (int64_t o = 0; o < outputs; o++) {
			float *panel = to + (o / captiond_panel * inputs) * captiond_panel + o % captiond_panel;
			for (int64_t i = k; i < captiond_least(k + line, inputs); i++)
				panel[i * captiond_panel] = weights[o * inputs + i];
		}
}

captiond_sums captiond_sums_of(const captiond_layer *l, int64_t row, int64_t output, float *edge) {
	if (output + captiond_panel > l->outputs)
		return (captiond_sums){edge, captiond_panel, row, output, captiond_panel};
	return (captiond_sums){l->y + row * l->outputs + output, l->outputs, row, output, captiond_panel};
}

void captiond_finish(const captiond_layer *l, captiond_sums s, int64_t rows) {
	int64_t outputs = captiond_least(s.outputs, l->outputs - s.output);
	float *y = l->y + s.row * l->outputs + s.output;
	captiond_activate *add = l->activate ? l->activate : captiond_bias_row;
	for (int64_t r = 0; r < rows; r++) {
		if (l->bias)
			add(y + r * l->outputs, s.at + r * s.stride, l->bias + s.output, outputs, l->alpha);
		else if (s.at != y)
			memcpy(y + r * l->outputs, s.at + r * s.stride, outputs * sizeof *y);
	}
}
