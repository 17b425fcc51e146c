#include "attend_tile.h"

#include <math.h>
#include <string.h>

// Keys and values of one sequence's head as they are multiplied, filled up with zeros.
//
//	keys    [tokens/16, head, 16]
//	values  [tokens, head]
static int64_t key_count(const captiond_attend *a) { return captiond_up(a->tokens, lanes) * a->head; }

static size_t room(const captiond_attend *a) {
	return (key_count(a) + a->tokens * captiond_up(a->head, lanes)) * sizeof(float);
}

static float *keys_in(const void *room) { return (float *)room; }
static float *values_in(const captiond_attend *a, const void *room) { return (float *)room + key_count(a); }

static void pack(const captiond_attend *a, int64_t at, void *room) {
	int64_t head = captiond_up(a->head, lanes);
	memset(room, 0, (key_count(a) + a->tokens * head) * sizeof(float));
	for (int64_t j = 0; j < a->tokens; j++) {
		captiond_fetch(a, a->k, at, j + ahead);
		captiond_fetch(a, a->v, at, j + ahead);
		const float *key = a->k + captiond_row(a, at, j);
		float *to = keys_in(room) + j / lanes * lanes * a->head + j % lanes;
		for (int64_t i = 0; i < a->head; i++)
			to[i * lanes] = key[i];
		memcpy(values_in(a, room) + j * head, a->v + captiond_row(a, at, j), a->head * sizeof(float));
	}
}

static void take(const captiond_attend *a, const float *q, queries *w, int r) {
	float scale = (float)M_LOG2E / sqrtf((float)a->head);
	for (int64_t i = 0; i < a->head; i++)
		w->q[r][i] = q[i] * scale;
}

VECTORS static void score(const captiond_attend *a, const void *room, queries *w, int64_t key, int64_t n) {
	const float *keys = keys_in(room) + key * a->head;
	int64_t next = lanes * a->head, at = 0;
	for (; at + width * lanes <= captiond_up(n, lanes); at += width * lanes)
		captiond_score(w, keys + at * a->head, next, lanes, a->head, at, height, width, -1);
	for (; at < n; at += lanes)
		captiond_score(w, keys + at * a->head, next, lanes, a->head, at, height, 1, -1);
}

VECTORS void captiond_weigh(queries *w, int r, int64_t n) {
	__m512 most = _mm512_set1_ps(w->most[r]), total = _mm512_setzero_ps();
	for (int64_t j = 0; j < n; j += lanes) {
		__m512 weight = captiond_power(_mm512_sub_ps(_mm512_load_ps(w->scores[r] + j), most));
		total = _mm512_mask_add_ps(total, captiond_first(n - j), total, weight);
		_mm512_store_ps(w->scores[r] + j, weight);
	}
	w->total[r] += _mm512_reduce_add_ps(total);
}

VECTORS static void gather(const captiond_attend *a, const void *room, queries *w, int64_t key, int64_t n) {
	int64_t head = captiond_up(a->head, lanes), i = 0;
	const float *values = values_in(a, room) + key * head;
	for (; i + width * lanes <= head; i += width * lanes)
		captiond_gather(w, values, head, n, i, height, width, -1);
	for (; i < head; i += lanes)
		captiond_gather(w, values, head, n, i, height, 1, -1);
}

const captiond_arithmetic captiond_float32 = {room, pack, take, score, captiond_weigh, gather};
