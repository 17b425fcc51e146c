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

// multiply adds products of a tile up: of n numbers of each query, and of each column of
// `vectors` vectors, `next` numbers apart, of which the following is `step` behind.
TILE(VECTORS) void multiply(__m512 sum[height][width], const float *left, int64_t stride, const float *right, int64_t next, int64_t step, int64_t n, int vectors) {
	for (int64_t i = 0; i < n; i++) {
		__m512 column[width];
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++)
			column[c] = _mm512_load_ps(right + c * next + i * step);
#pragma GCC unroll 8
		for (int r = 0; r < height; r++)
#pragma GCC unroll 4
			for (int c = 0; c < vectors; c++)
				sum[r][c] = _mm512_fmadd_ps(_mm512_set1_ps(left[r * stride + i]), column[c], sum[r][c]);
	}
}

// score_tile is for keys from key on, of which the first is the block's at.
TILE(VECTORS) void score_tile(const captiond_attend *a, const void *room, queries *w, int64_t key, int64_t at, int vectors) {
	__m512 sum[height][width];
#pragma GCC unroll 8
	for (int r = 0; r < height; r++)
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++)
			sum[r][c] = _mm512_setzero_ps();
	multiply(sum, w->q[0], captiond_most_head, keys_in(room) + key * a->head, lanes * a->head, lanes, a->head, vectors);
#pragma GCC unroll 8
	for (int r = 0; r < height; r++)
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++)
			_mm512_store_ps(w->scores[r] + at + c * lanes, sum[r][c]);
}

VECTORS static void score(const captiond_attend *a, const void *room, queries *w, int64_t key, int64_t n) {
	int64_t at = 0;
	for (; at + width * lanes <= captiond_up(n, lanes); at += width * lanes)
		score_tile(a, room, w, key + at, at, width);
	for (; at < n; at += lanes)
		score_tile(a, room, w, key + at, at, 1);
}

VECTORS static void weigh(queries *w, int r, int64_t n) {
	__m512 most = _mm512_set1_ps(w->most[r]), total = _mm512_setzero_ps();
	for (int64_t j = 0; j < n; j += lanes) {
		__m512 weight = captiond_power(_mm512_sub_ps(_mm512_load_ps(w->scores[r] + j), most));
		total = _mm512_add_ps(total, weight);
		_mm512_store_ps(w->scores[r] + j, weight);
	}
	w->total[r] += _mm512_reduce_add_ps(total);
}

// gather_tile is for n tokens from key on, and columns of the head from column on.
TILE(VECTORS) void gather_tile(const captiond_attend *a, const void *room, queries *w, int64_t key, int64_t n, int64_t column, int vectors) {
	int64_t head = captiond_up(a->head, lanes);
	__m512 sum[height][width];
#pragma GCC unroll 8
	for (int r = 0; r < height; r++)
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++)
			sum[r][c] = _mm512_load_ps(w->sums[r] + column + c * lanes);
	multiply(sum, w->scores[0], block, values_in(a, room) + key * head + column, lanes, head, n, vectors);
#pragma GCC unroll 8
	for (int r = 0; r < height; r++)
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++)
			_mm512_store_ps(w->sums[r] + column + c * lanes, sum[r][c]);
}

VECTORS static void gather(const captiond_attend *a, const void *room, queries *w, int64_t key, int64_t n) {
	int64_t head = captiond_up(a->head, lanes), i = 0;
	for (; i + width * lanes <= head; i += width * lanes)
		gather_tile(a, room, w, key, n, i, width);
	for (; i < head; i += lanes)
		gather_tile(a, room, w, key, n, i, 1);
}

const captiond_arithmetic captiond_float32 = {room, pack, take, score, weigh, gather};
