// Attention of new text tokens to their image and to the text so far, under one softmax: the rows
// of a window go through its image together, whose keys and values are so read once.
#include "attend_tile.h"
#include "step.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

typedef captiond_step step;

// extend copies what a row's parent has of one head and puts new tokens behind it.
static void extend(const step *s, int64_t row, int64_t head, const float *past, const float *now, float *to) {
	int64_t d = s->head, before = s->text - s->length;
	to += (row * s->heads + head) * s->text * d;
	memcpy(to, past + (s->parents[row] * s->heads + head) * before * d, before * d * sizeof *to);
	for (int64_t l = 0; l < s->length; l++)
		memcpy(to + (before + l) * d, now + ((row * s->length + l) * s->heads + head) * d, d * sizeof *to);
}

// see_block has `rows` queries go through a block of n image tokens from key on.
TILE(VECTORS) void see_block(const step *s, int64_t at, queries *w, int64_t key, int64_t n, int rows) {
	const float *keys = s->image_k, *values = s->image_v;
	keys += at * s->head * s->image + key;
	values += (at * s->image + key) * s->head;
	int64_t j = 0, i = 0;
	for (; j + width * lanes <= n; j += width * lanes)
		captiond_score(w, keys + j, lanes, s->image, s->head, j, rows, width, -1);
	for (; j < n; j += lanes)
		captiond_score(w, keys + j, lanes, s->image, s->head, j, rows, 1, captiond_first(n - j));
	for (int r = 0; r < rows; r++) {
		captiond_raise(w, r, n, s->head);
		captiond_weigh(w, r, n);
	}
	for (; i + width * lanes <= s->head; i += width * lanes)
		captiond_gather(w, values, s->head, n, i, rows, width, -1);
	for (; i < s->head; i += lanes)
		captiond_gather(w, values, s->head, n, i, rows, 1, captiond_first(s->head - i));
}

// see_image has a window's queries go through its image: one, or as many as a tile has.
VECTORS static void see_image(const step *s, int64_t at, queries *w, int64_t n) {
	for (int64_t key = 0; key < s->image; key += block) {
		int64_t keys = s->image - key < block ? s->image - key : block;
		if (n == 1)
			see_block(s, at, w, key, keys, 1);
		else
			see_block(s, at, w, key, keys, height);
	}
}

VECTORS static float dot(const float *x, const float *y, int64_t n) {
	__m512 sum = _mm512_setzero_ps();
	for (int64_t i = 0; i < n; i += lanes) {
		__mmask16 mask = captiond_first(n - i);
		sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, x + i), _mm512_maskz_loadu_ps(mask, y + i), sum);
	}
	return _mm512_reduce_add_ps(sum);
}

// see_text has query r, token `token` of all, go through a block of n text tokens from key on.
VECTORS static void see_text(const step *s, int64_t token, int64_t head, queries *w, int r, int64_t key, int64_t n) {
	int64_t at = (token / s->length * s->heads + head) * s->text + key;
	const float *keys = s->text_k + at * s->head, *values = s->text_v + at * s->head, *mask = s->mask + token * s->text + key;
	for (int64_t j = 0; j < n; j++)
		w->scores[r][j] = dot(w->q[r], keys + j * s->head, s->head) + mask[j] * (float)M_LOG2E;
	captiond_raise(w, r, n, s->head);
	captiond_weigh(w, r, n);
	for (int64_t j = 0; j < n; j++)
		for (int64_t i = 0; i < s->head; i++)
			w->sums[r][i] += w->scores[r][j] * values[j * s->head + i];
}

// begin takes n queries up, from a token on.
VECTORS static void begin(const step *s, int64_t token, int64_t n, int64_t head, queries *w) {
	float scale = (float)M_LOG2E / sqrtf((float)s->head);
	int64_t room = captiond_up(s->head, lanes);
	for (int r = 0; r < height; r++) {
		const float *q = (const float *)s->q + ((token + (r < n ? r : 0)) * s->heads + head) * s->head;
		for (int64_t i = 0; i < s->head; i++)
			w->q[r][i] = q[i] * scale;
		memset(w->sums[r], 0, room * sizeof w->sums[r][0]);
		w->most[r] = -INFINITY;
		w->total[r] = 0;
	}
}

VECTORS static void end(const step *s, int64_t token, int64_t head, queries *w, int r) {
	float *to = (float *)s->y + (token * s->heads + head) * s->head, inverse = 1 / w->total[r];
	for (int64_t i = 0; i < s->head; i++)
		to[i] = w->sums[r][i] * inverse;
}

// run is for one head of one window.
static void run(void *all, size_t at) {
	const step *s = all;
	int64_t window = at / s->heads, head = at % s->heads, first = window * s->rows * s->length, last = first + s->rows * s->length;
	for (int64_t row = window * s->rows; row < (window + 1) * s->rows; row++) {
		extend(s, row, head, s->past_k, s->k, s->text_k);
		extend(s, row, head, s->past_v, s->v, s->text_v);
	}
	queries w;
	for (int64_t token = first; token < last; token += height) {
		int64_t n = captiond_least(height, last - token);
		begin(s, token, n, head, &w);
		see_image(s, at, &w, n);
		for (int r = 0; r < n; r++) {
			for (int64_t key = 0; key < s->text; key += block)
				see_text(s, token + r, head, &w, r, key, captiond_least(block, s->text - key));
			end(s, token + r, head, &w, r);
		}
	}
}

// there tells whether all parents are rows of the past.
static bool there(const step *s) {
	for (int64_t i = 0; i < s->windows * s->rows; i++)
		if (s->parents[i] < 0 || s->parents[i] >= s->past)
			return false;
	return true;
}

OrtStatus *captiond_step_attention(void *node, OrtKernelContext *context) {
	const captiond_node *n = node;
	step s;
	OrtStatus *failed = captiond_begin_step(n, context, &s);
	if (failed || s.rows * s.length == 0)
		return failed;
	if (s.head > captiond_most_head || !there(&s))
		return n->api->CreateStatus(invalid, "StepAttention: heads are longer than 256, or a parent is not there");
	return n->api->KernelContext_ParallelFor(context, run, s.windows * s.heads, 0, &s);
}
