// What kinds of arithmetic share: a few queries of a head go through its keys and values
// together, block by block.
#ifndef CAPTIOND_ORT_ATTEND_TILE_H
#define CAPTIOND_ORT_ATTEND_TILE_H

#include "attend.h"
#include "vectors.h"

#include <immintrin.h>

#define TILE(target) target static inline __attribute__((always_inline))

enum {
	height = 6,  // queries of a tile: 6 x 4 vectors of sums fill the registers
	width = 4,   // vectors of a tile
	block = 256, // keys whose scores are kept
	ahead = 8,   // tokens that are fetched ahead of time
};

// Queries of one head, and what they have so far. Scores are of base 2.
typedef struct {
	_Alignas(64) float q[height][captiond_most_head];
	_Alignas(64) int16_t q16[height][captiond_most_head]; // in integers
	float worth[height];                                  // of such an integer, with the scale of scores
	_Alignas(64) float scores[height][block];
	_Alignas(64) int16_t weights[height][block]; // in integers; else they take the place of scores
	_Alignas(64) float sums[height][captiond_most_head]; // of weighted values
	float most[height], total[height];                   // of scores, of weights
} queries;

// An arithmetic lays keys and values of a head out in a room of its own, and goes through them.
struct captiond_arithmetic {
	size_t (*room)(const captiond_attend *a); // a multiple of 64
	void (*pack)(const captiond_attend *a, int64_t at, void *room);
	// take takes a query up, at number r.
	void (*take)(const captiond_attend *a, const float *q, queries *w, int r);
	// score, weigh and gather compute scores of n tokens from key on, make weights of those of
	// one query and add values by them.
	void (*score)(const captiond_attend *a, const void *room, queries *w, int64_t key, int64_t n);
	void (*weigh)(queries *w, int r, int64_t n);
	void (*gather)(const captiond_attend *a, const void *room, queries *w, int64_t key, int64_t n);
};

// captiond_row is where a token's part for a head begins.
static inline int64_t captiond_row(const captiond_attend *a, int64_t at, int64_t token) {
	return ((at / a->heads * a->tokens + token) * a->heads + at % a->heads) * a->head;
}

// captiond_fetch asks for a token's part for a head ahead of time: parts lie too far apart for
// the CPU to guess which is next.
static inline void captiond_fetch(const captiond_attend *a, const float *x, int64_t at, int64_t token) {
	if (token < a->tokens)
		for (int64_t i = 0; i < a->head; i += lanes)
			__builtin_prefetch(x + captiond_row(a, at, token) + i);
}

// captiond_power is 2^x for x of at most 0. From -1/2 to 1/2 its polynomial is off by 1e-7.
TILE(VECTORS) __m512 captiond_power(__m512 x) {
	x = _mm512_max_ps(x, _mm512_set1_ps(-126));
	__m512 whole = _mm512_roundscale_ps(x, 8), f = _mm512_sub_ps(x, whole);
	__m512 y = _mm512_set1_ps(0.0013264727f);
	y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(0.009671513f));
	y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(0.055507336f));
	y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(0.24022242f));
	y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(0.693147f));
	y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(1));
	return _mm512_scalef_ps(y, whole);
}

// Tiles in float32, of `rows` queries and `vectors` vectors. Of the last of these only the
// numbers in mask are there.
//
// captiond_multiply adds products up: of n numbers of each query, `stride` apart, and of columns
// whose vectors are `next` numbers apart and whose following numbers are `step` behind.
TILE(VECTORS) void captiond_multiply(__m512 sum[height][width], const float *left, int64_t stride, const float *right, int64_t next, int64_t step, int64_t n, int rows, int vectors, __mmask16 mask) {
	for (int64_t i = 0; i < n; i++) {
		__m512 column[width];
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++)
			column[c] = _mm512_maskz_loadu_ps(c + 1 < vectors ? (__mmask16)-1 : mask, right + c * next + i * step);
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++) // of the next tile, which lies too far apart for the CPU to guess
			__builtin_prefetch(right + (c + vectors) * next + i * step);
#pragma GCC unroll 8
		for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
			for (int c = 0; c < vectors; c++)
				sum[r][c] = _mm512_fmadd_ps(_mm512_set1_ps(left[r * stride + i]), column[c], sum[r][c]);
	}
}

// captiond_score computes the block's scores from at on, with queries of n numbers.
TILE(VECTORS) void captiond_score(queries *w, const float *keys, int64_t next, int64_t step, int64_t n, int64_t at, int rows, int vectors, __mmask16 mask) {
	__m512 sum[height][width];
#pragma GCC unroll 8
	for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++)
			sum[r][c] = _mm512_setzero_ps();
	captiond_multiply(sum, w->q[0], captiond_most_head, keys, next, step, n, rows, vectors, mask);
#pragma GCC unroll 8
	for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++)
			_mm512_store_ps(w->scores[r] + at + c * lanes, sum[r][c]);
}

// captiond_gather adds n values, `step` apart, by the block's weights, to sums from column on.
TILE(VECTORS) void captiond_gather(queries *w, const float *values, int64_t step, int64_t n, int64_t column, int rows, int vectors, __mmask16 mask) {
	__m512 sum[height][width];
#pragma GCC unroll 8
	for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++)
			sum[r][c] = _mm512_load_ps(w->sums[r] + column + c * lanes);
	captiond_multiply(sum, w->scores[0], block, values + column, lanes, step, n, rows, vectors, mask);
#pragma GCC unroll 8
	for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++)
			_mm512_store_ps(w->sums[r] + column + c * lanes, sum[r][c]);
}

// captiond_raise makes the greatest of n scores of a query its greatest, and what it has so far
// the less. Scores up to the next whole vector become -inf.
void captiond_raise(queries *w, int r, int64_t n, int64_t head);

// captiond_weigh makes weights of n scores of a query, which take their place.
void captiond_weigh(queries *w, int r, int64_t n);

#endif
