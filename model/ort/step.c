#include "step.h"
#include "halves.h"
#include "heap.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { q, k, v, mask, parents, image_k, image_v, past_k, past_v, all };

// fits tells whether inputs are shaped as the step says.
static bool fits(const captiond_tensor *in, const captiond_step *s) {
	const int64_t rows = s->windows * s->rows, before = s->text - s->length;
	const int64_t shapes[all][4] = {
		[q] = {rows, s->length, s->heads, s->head}, [k] = {rows, s->length, s->heads, s->head}, [v] = {rows, s->length, s->heads, s->head},
		[mask] = {rows, 1, s->length, s->text}, [parents] = {rows},
		[image_k] = {s->windows, s->heads, s->head, s->image}, [image_v] = {s->windows, s->heads, s->image, s->head},
		[past_k] = {s->past, s->heads, before, s->head}, [past_v] = {s->past, s->heads, before, s->head},
	};
	for (int i = 0; i < all; i++)
		if (memcmp(in[i].dims, shapes[i], in[i].rank * sizeof in[i].dims[0]))
			return false;
	return before >= 0 && s->windows > 0;
}

OrtStatus *captiond_begin_step(const captiond_node *n, OrtKernelContext *context, captiond_step *s) {
	captiond_tensor in[all];
	OrtStatus *failed = NULL;
	bool good = true;
	for (int i = 0; !failed && i < all; i++) {
		failed = captiond_input(n, context, i, &in[i]);
		good = good && !failed && in[i].rank == (i == parents ? 1 : 4);
	}
	if (failed)
		return failed;
	if (good) {
		*s = (captiond_step){
			.q = in[q].data, .k = in[k].data, .v = in[v].data, .mask = in[mask].data, .parents = in[parents].data,
			.image_k = in[image_k].data, .image_v = in[image_v].data, .past_k = in[past_k].data, .past_v = in[past_v].data,
			.windows = in[image_k].dims[0], .heads = in[q].dims[2], .head = in[q].dims[3], .length = in[q].dims[1],
			.text = in[mask].dims[3], .image = in[image_k].dims[3], .past = in[past_k].dims[0],
		};
		s->rows = s->windows ? in[q].dims[0] / s->windows : 0;
	}
	if (!good || !fits(in, s))
		return n->api->CreateStatus(invalid, "StepAttention: inputs are not shaped alike");
	captiond_tensor rows = {.rank = 2, .dims = {in[q].dims[0] * s->length, s->heads * s->head}};
	captiond_tensor text = {.rank = 4, .dims = {in[q].dims[0], s->heads, s->text, s->head}};
	failed = captiond_output(n, context, 0, &rows, &s->y);
	if (!failed)
		failed = captiond_output(n, context, 1, &text, &s->text_k);
	return failed ? failed : captiond_output(n, context, 2, &text, &s->text_v);
}

// What threads go through: heads of windows, with room for scores of each.
typedef struct {
	captiond_step s;
	float *scores; // [W*heads, S+T]
} heads;

// extend copies what a row's parent has of one head and puts new tokens behind it.
static void extend(const captiond_step *s, int64_t row, int64_t head, const float *past, const uint16_t *now, float *to) {
	int64_t d = s->head, before = (s->text - s->length) * d;
	to += (row * s->heads + head) * s->text * d;
	memcpy(to, past + (s->parents[row] * s->heads + head) * before, before * sizeof *to);
	for (int64_t i = 0; i < s->length * d; i++)
		to[before + i] = captiond_widen(now[((row * s->length + i / d) * s->heads + head) * d + i % d]);
}

// score computes scores of one query with image and text, and returns the greatest.
static float score(const captiond_step *s, int64_t at, int64_t token, float *scores) {
	int64_t head = at % s->heads, d = s->head, row = token / s->length;
	const uint16_t *q = (const uint16_t *)s->q + (token * s->heads + head) * d, *image = (const uint16_t *)s->image_k + at * d * s->image;
	const float *text = s->text_k + (row * s->heads + head) * s->text * d;
	float most = -INFINITY;
	for (int64_t j = 0; j < s->image + s->text; j++) {
		float sum = 0;
		for (int64_t i = 0; i < d; i++)
			sum += captiond_widen(q[i]) * (j < s->image ? captiond_widen(image[i * s->image + j]) : text[(j - s->image) * d + i]);
		scores[j] = sum / sqrtf(d) + (j < s->image ? 0 : s->mask[token * s->text + j - s->image]);
		most = fmaxf(most, scores[j]);
	}
	return most;
}

static void see(const captiond_step *s, int64_t at, int64_t token, float *scores) {
	int64_t head = at % s->heads, d = s->head, row = token / s->length;
	const uint16_t *image = (const uint16_t *)s->image_v + at * s->image * d;
	const float *text = s->text_v + (row * s->heads + head) * s->text * d;
	float most = score(s, at, token, scores), total = 0;
	for (int64_t j = 0; j < s->image + s->text; j++)
		total += scores[j] = expf(scores[j] - most);
	for (int64_t i = 0; i < d; i++) {
		float sum = 0;
		for (int64_t j = 0; j < s->image + s->text; j++)
			sum += scores[j] * (j < s->image ? captiond_widen(image[j * d + i]) : text[(j - s->image) * d + i]);
		((uint16_t *)s->y)[(token * s->heads + head) * d + i] = captiond_narrow(sum / total);
	}
}

static void run_halves(void *all, size_t at) {
	const heads *h = all;
	const captiond_step *s = &h->s;
	int64_t first = at / s->heads * s->rows, head = at % s->heads;
	for (int64_t row = first; row < first + s->rows; row++) {
		extend(s, row, head, s->past_k, s->k, s->text_k);
		extend(s, row, head, s->past_v, s->v, s->text_v);
		for (int64_t token = row * s->length; token < (row + 1) * s->length; token++)
			see(s, at, token, h->scores + at * (s->image + s->text));
	}
}

OrtStatus *captiond_step_attention_halves(void *node, OrtKernelContext *context) {
	const captiond_node *n = node;
	heads h;
	OrtStatus *failed = captiond_begin_step(n, context, &h.s);
	if (failed || h.s.rows * h.s.length == 0)
		return failed;
	h.scores = captiond_heap_alloc(h.s.windows * h.s.heads * (h.s.image + h.s.text) * sizeof(float));
	if (!h.scores)
		return n->api->CreateStatus(fail, "bad_alloc");
	failed = n->api->KernelContext_ParallelFor(context, run_halves, h.s.windows * h.s.heads, 0, &h);
	captiond_heap_free(h.scores);
	return failed;
}
