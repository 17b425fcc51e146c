// Queries, keys and values become integers of 16 bits, whose products VNNI adds up in 32, at
// twice the rate of float32.
//
// Sums must stay below 2^31. Those of a score do, for queries and keys have so few levels; those
// of values do since weights have 32767, values 511, and after every 128 tokens a sum becomes
// a float. Weights are at most 1 and need the levels more: most of 1182 are far below 1/256.
#include "attend_tile.h"

#include <math.h>
#include <string.h>

#define VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))

enum {
	stretch = 128, // tokens whose weighted values are added up in 32 bits
	weight_levels = 32767,
	value_levels = 511,
};
_Static_assert((int64_t)stretch * weight_levels * value_levels < INT32_MAX, "sums of values do not fit");
_Static_assert(block % stretch == 0, "a block is no whole number of stretches");

// Keys and values of one sequence's head as they are multiplied, filled up with zeros.
//
//	keys    [tokens/16, head/2, 16, 2], what an integer is worth [tokens]
//	values  [tokens/2, head, 2],        what an integer is worth [head]
typedef struct {
	int16_t *keys, *values;
	float *key_worth, *value_worth;
} packed;

static int64_t key_count(const captiond_attend *a) { return captiond_up(a->tokens, lanes) * captiond_up(a->head, 2); }

static int64_t value_count(const captiond_attend *a) {
	return captiond_up(captiond_up(a->tokens, 2) * captiond_up(a->head, lanes), 2 * lanes);
}

static size_t room(const captiond_attend *a) {
	return (key_count(a) + value_count(a)) * sizeof(int16_t) + (captiond_up(a->tokens, lanes) + captiond_up(a->head, lanes)) * sizeof(float);
}

static packed place(const captiond_attend *a, const void *room) {
	packed p = {.keys = (int16_t *)room};
	p.values = p.keys + key_count(a);
	p.key_worth = (float *)(p.values + value_count(a));
	p.value_worth = p.key_worth + captiond_up(a->tokens, lanes);
	return p;
}

// score_levels is how great integers of queries and keys may be.
static float score_levels(int64_t head) { return fminf(32767, floorf(sqrtf((float)(INT32_MAX - head) / (float)head))); }

static int16_t nearest(float v) { return (int16_t)(int32_t)(v + copysignf(0.5f, v)); }

VNNI static float greatest(const float *v, int64_t n) {
	float most = 0;
	for (int64_t i = 0; i < n; i++) {
		float a = fabsf(v[i]);
		most = a > most ? a : most;
	}
	return most;
}

// quantize makes integers of n numbers and returns what one is worth.
VNNI static float quantize(const float *v, int64_t n, float levels, int16_t *to) {
	float most = greatest(v, n), inverse = most > 0 ? levels / most : 0;
	for (int64_t i = 0; i < n; i++)
		to[i] = nearest(v[i] * inverse);
	return most / levels;
}

VNNI static void pack_keys(const captiond_attend *a, int64_t at, packed p) {
	int64_t pairs = captiond_up(a->head, 2) / 2;
	float levels = score_levels(a->head);
	int16_t key[captiond_most_head] = {0};
	memset(p.keys, 0, key_count(a) * sizeof *p.keys);
	memset(p.key_worth, 0, captiond_up(a->tokens, lanes) * sizeof *p.key_worth);
	for (int64_t j = 0; j < a->tokens; j++) {
		captiond_fetch(a, a->k, at, j + ahead);
		p.key_worth[j] = quantize(a->k + captiond_row(a, at, j), a->head, levels, key);
		int16_t *to = p.keys + (j / lanes * pairs * lanes + j % lanes) * 2;
		for (int64_t i = 0; i < pairs; i++)
			memcpy(to + i * lanes * 2, key + 2 * i, 2 * sizeof *key);
	}
}

// measure finds what an integer of each of a head's columns of values is worth.
VNNI static void measure(const captiond_attend *a, int64_t at, float *worth) {
	memset(worth, 0, captiond_up(a->head, lanes) * sizeof *worth);
	for (int64_t j = 0; j < a->tokens; j++) {
		captiond_fetch(a, a->v, at, j + ahead);
		const float *v = a->v + captiond_row(a, at, j);
		for (int64_t i = 0; i < a->head; i++) {
			float m = fabsf(v[i]);
			worth[i] = m > worth[i] ? m : worth[i];
		}
	}
	for (int64_t i = 0; i < a->head; i++)
		worth[i] /= value_levels;
}

VNNI static void pack_values(const captiond_attend *a, int64_t at, packed p) {
	float inverse[captiond_most_head];
	measure(a, at, p.value_worth);
	for (int64_t i = 0; i < a->head; i++)
		inverse[i] = p.value_worth[i] > 0 ? 1 / p.value_worth[i] : 0;
	memset(p.values, 0, value_count(a) * sizeof *p.values);
	for (int64_t j = 0; j < a->tokens; j++) {
		const float *v = a->v + captiond_row(a, at, j);
		int16_t *to = p.values + j / 2 * captiond_up(a->head, lanes) * 2 + j % 2;
		for (int64_t i = 0; i < a->head; i++)
			to[2 * i] = nearest(v[i] * inverse[i]);
	}
}

static void pack(const captiond_attend *a, int64_t at, void *room) {
	packed p = place(a, room);
	pack_keys(a, at, p);
	pack_values(a, at, p);
}

static void take(const captiond_attend *a, const float *q, queries *w, int r) {
	float scale = (float)M_LOG2E / sqrtf((float)a->head);
	w->worth[r] = scale * quantize(q, a->head, score_levels(a->head), w->q16[r]);
}

// multiply adds up products of a tile: of pairs of integers of each query and of each column of
// `vectors` vectors, `next` integers apart, of which the following pair is `step` behind.
// GCC keeps sums in memory that it adds to with its own function of this instruction.
TILE(VNNI) void multiply(__m512i sum[height][width], const int16_t *left, int64_t stride, const int16_t *right, int64_t next, int64_t step, int64_t pairs, int vectors) {
#pragma GCC unroll 8
	for (int r = 0; r < height; r++)
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++)
			sum[r][c] = _mm512_setzero_si512();
	for (int64_t i = 0; i < pairs; i++) {
		__m512i column[width];
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++)
			column[c] = _mm512_load_si512(right + c * next + i * step);
#pragma GCC unroll 8
		for (int r = 0; r < height; r++) {
			int32_t pair;
			memcpy(&pair, left + r * stride + 2 * i, sizeof pair);
			__m512i both = _mm512_set1_epi32(pair);
#pragma GCC unroll 4
			for (int c = 0; c < vectors; c++)
				__asm__("vpdpwssd %2, %1, %0" : "+v"(sum[r][c]) : "v"(both), "v"(column[c]));
		}
	}
}

// score_tile is for keys from key on, of which the first is the block's at.
TILE(VNNI) void score_tile(const captiond_attend *a, packed p, queries *w, int64_t key, int64_t at, int vectors) {
	int64_t pairs = captiond_up(a->head, 2) / 2;
	__m512i sum[height][width];
	multiply(sum, w->q16[0], captiond_most_head, p.keys + key * 2 * pairs, pairs * 2 * lanes, 2 * lanes, pairs, vectors);
#pragma GCC unroll 8
	for (int r = 0; r < height; r++)
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++) {
			__m512 s = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[r][c]), _mm512_load_ps(p.key_worth + key + c * lanes));
			_mm512_store_ps(w->scores[r] + at + c * lanes, _mm512_mul_ps(s, _mm512_set1_ps(w->worth[r])));
		}
}

VNNI static void score(const captiond_attend *a, const void *room, queries *w, int64_t key, int64_t n) {
	packed p = place(a, room);
	int64_t at = 0;
	for (; at + width * lanes <= captiond_up(n, lanes); at += width * lanes)
		score_tile(a, p, w, key + at, at, width);
	for (; at < n; at += lanes)
		score_tile(a, p, w, key + at, at, 1);
}

VNNI static void weigh(queries *w, int r, int64_t n) {
	__m512 most = _mm512_set1_ps(w->most[r]), levels = _mm512_set1_ps(weight_levels);
	__m512i total = _mm512_setzero_si512();
	for (int64_t j = 0; j < n; j += lanes) {
		__m512 weight = captiond_power(_mm512_sub_ps(_mm512_load_ps(w->scores[r] + j), most));
		__m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(weight, levels));
		total = _mm512_add_epi32(total, whole);
		_mm256_store_si256((__m256i *)(w->weights[r] + j), _mm512_cvtepi32_epi16(whole));
	}
	w->total[r] += _mm512_reduce_add_epi32(total);
}

// gather_tile is for pairs of tokens from the block's at on, which is key of all, and columns
// of the head from column on.
TILE(VNNI) void gather_tile(const captiond_attend *a, packed p, queries *w, int64_t key, int64_t at, int64_t pairs, int64_t column, int vectors) {
	int64_t head = captiond_up(a->head, lanes);
	__m512i sum[height][width];
	multiply(sum, w->weights[0] + at, block, p.values + key * head + 2 * column, 2 * lanes, 2 * head, pairs, vectors);
#pragma GCC unroll 8
	for (int r = 0; r < height; r++)
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++) {
			float *to = w->sums[r] + column + c * lanes;
			__m512 worth = _mm512_load_ps(p.value_worth + column + c * lanes);
			_mm512_store_ps(to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][c]), worth, _mm512_load_ps(to)));
		}
}

VNNI static void gather(const captiond_attend *a, const void *room, queries *w, int64_t key, int64_t n) {
	packed p = place(a, room);
	int64_t head = captiond_up(a->head, lanes);
	for (int64_t at = 0; at < n; at += stretch) {
		int64_t pairs = captiond_up(n - at < stretch ? n - at : stretch, 2) / 2, i = 0;
		for (; i + width * lanes <= head; i += width * lanes)
			gather_tile(a, p, w, key + at, at, pairs, i, width);
		for (; i < head; i += lanes)
			gather_tile(a, p, w, key + at, at, pairs, i, 1);
	}
}

const captiond_arithmetic captiond_int16 = {room, pack, take, score, weigh, gather};
