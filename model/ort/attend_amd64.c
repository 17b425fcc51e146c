// Queries, keys and values become integers of 16 bits, whose products VNNI adds up in 32, at
// twice the rate of float32. Softmax is in float32, block by block with a running maximum
// (Dao et al. 2022, arXiv:2205.14135), so that scores stay in a core's first cache.
//
// Sums must stay below 2^31. Those of a score do, for queries and keys have so few levels; those
// of values do since weights have 32767, values 511, and after every 128 tokens a sum becomes
// a float. Weights are at most 1 and need the levels more: most of 1182 are far below 1/256.
#include "attend.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define TILE VNNI static inline __attribute__((always_inline))

enum {
	lanes = 16,  // 32-bit numbers of a vector
	height = 6,  // queries of a tile: 6 x 4 vectors of sums fill the registers
	width = 4,   // vectors of a tile
	rows = 48,   // queries of a part
	stretch = 128,
	block = 2 * stretch, // keys whose scores are kept
	weight_levels = 32767,
	value_levels = 511,
};
_Static_assert((int64_t)stretch * weight_levels * value_levels < INT32_MAX, "sums of values do not fit");

// Queries of one head that go through keys and values together, and what they have so far.
typedef struct {
	_Alignas(64) int16_t q[height][captiond_most_head];
	_Alignas(64) float scores[height][block];
	_Alignas(64) int16_t weights[height][block];
	_Alignas(64) float sums[height][captiond_most_head]; // of weighted values
	float worth[height];                                 // of an integer of q, with the scale of scores
	float most[height], total[height];                   // of scores, of weights
} queries;

// Keys and values of one sequence's head as they are multiplied, filled up with zeros.
//
//	keys    [tokens/16, head/2, 16, 2], what an integer is worth [tokens]
//	values  [tokens/2, head, 2],        what an integer is worth [head]
typedef struct {
	int16_t *keys, *values;
	float *key_worth, *value_worth;
} packed;

static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

static int64_t key_count(const captiond_attend *a) { return up(a->tokens, lanes) * up(a->head, 2); }
static int64_t value_count(const captiond_attend *a) { return up(up(a->tokens, 2) * up(a->head, lanes), 2 * lanes); }

static size_t room_of_one(const captiond_attend *a) {
	return (key_count(a) + value_count(a)) * sizeof(int16_t) + (up(a->tokens, lanes) + up(a->head, lanes)) * sizeof(float);
}

size_t captiond_attend_room(const captiond_attend *a) { return a->sequences * a->heads * room_of_one(a); }

static packed place(const captiond_attend *a, int64_t at) {
	packed p = {.keys = (int16_t *)((char *)a->room + at * room_of_one(a))};
	p.values = p.keys + key_count(a);
	p.key_worth = (float *)(p.values + value_count(a));
	p.value_worth = p.key_worth + up(a->tokens, lanes);
	return p;
}

// row is where a token's part for a head begins.
static int64_t row(const captiond_attend *a, int64_t at, int64_t token) {
	return ((at / a->heads * a->tokens + token) * a->heads + at % a->heads) * a->head;
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
	int64_t pairs = up(a->head, 2) / 2;
	float levels = score_levels(a->head);
	int16_t key[captiond_most_head] = {0};
	memset(p.keys, 0, key_count(a) * sizeof *p.keys);
	memset(p.key_worth, 0, up(a->tokens, lanes) * sizeof *p.key_worth);
	for (int64_t j = 0; j < a->tokens; j++) {
		p.key_worth[j] = quantize(a->k + row(a, at, j), a->head, levels, key);
		int16_t *to = p.keys + (j / lanes * pairs * lanes + j % lanes) * 2;
		for (int64_t i = 0; i < pairs; i++)
			memcpy(to + i * lanes * 2, key + 2 * i, 2 * sizeof *key);
	}
}

// measure finds what an integer of each of a head's columns of values is worth.
VNNI static void measure(const captiond_attend *a, int64_t at, float *worth) {
	memset(worth, 0, up(a->head, lanes) * sizeof *worth);
	for (int64_t j = 0; j < a->tokens; j++) {
		const float *v = a->v + row(a, at, j);
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
		const float *v = a->v + row(a, at, j);
		int16_t *to = p.values + j / 2 * up(a->head, lanes) * 2 + j % 2;
		for (int64_t i = 0; i < a->head; i++)
			to[2 * i] = nearest(v[i] * inverse[i]);
	}
}

void captiond_attend_pack(void *attend, size_t part) {
	const captiond_attend *a = attend;
	packed p = place(a, part);
	pack_keys(a, part, p);
	pack_values(a, part, p);
}

// multiply adds up products of a tile: of pairs of integers of each query and of each column of
// `vectors` vectors, `next` integers apart, of which the following pair is `step` behind.
// GCC keeps sums in memory that it adds to with its own function of this instruction.
TILE void multiply(__m512i sum[height][width], const int16_t *left, int64_t stride, const int16_t *right, int64_t next, int64_t step, int64_t pairs, int vectors) {
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

// score computes scores of a tile: the keys from key on, the first of which is the block's at.
TILE void score(const captiond_attend *a, packed p, queries *w, int64_t key, int64_t at, int vectors) {
	int64_t pairs = up(a->head, 2) / 2;
	__m512i sum[height][width];
	multiply(sum, w->q[0], captiond_most_head, p.keys + key * 2 * pairs, pairs * 2 * lanes, 2 * lanes, pairs, vectors);
#pragma GCC unroll 8
	for (int r = 0; r < height; r++)
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++) {
			__m512 s = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[r][c]), _mm512_load_ps(p.key_worth + key + c * lanes));
			_mm512_store_ps(w->scores[r] + at + c * lanes, _mm512_mul_ps(s, _mm512_set1_ps(w->worth[r])));
		}
}

// gather adds values of a tile to the sums: `pairs` pairs of tokens from the block's token at
// on, which is key of all, and columns of the head from column on.
TILE void gather(const captiond_attend *a, packed p, queries *w, int64_t key, int64_t at, int64_t pairs, int64_t column, int vectors) {
	int64_t head = up(a->head, lanes);
	__m512i sum[height][width];
	multiply(sum, w->weights[0] + at, block, p.values + key * head + 2 * column, 2 * lanes, 2 * head, pairs, vectors);
#pragma GCC unroll 8
	for (int r = 0; r < height; r++)
#pragma GCC unroll 4
		for (int c = 0; c < vectors; c++) {
			float *to = w->sums[r] + column + c * lanes;
			_mm512_store_ps(to, _mm512_add_ps(_mm512_load_ps(to), _mm512_cvtepi32_ps(sum[r][c])));
		}
}

// power is 2^x for x of at most 0. Below it is Taylor's series, which within a half is off by
// 3e-6 at most, a tenth of a weight's level.
TILE __m512 power(__m512 x) {
	x = _mm512_max_ps(x, _mm512_set1_ps(-127));
	__m512 whole = _mm512_roundscale_ps(x, 8), f = _mm512_sub_ps(x, whole);
	__m512 y = _mm512_set1_ps(1.3333558e-3f);
	y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(9.6181291e-3f));
	y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(5.5504109e-2f));
	y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(2.4022651e-1f));
	y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(6.9314718e-1f));
	y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(1));
	return _mm512_scalef_ps(y, whole);
}

// raise makes the greatest of n scores that of the query, and what it has so far the less.
VNNI static void raise(queries *w, int r, int64_t n, int64_t head) {
	__m512 greatest = _mm512_set1_ps(w->most[r]);
	for (int64_t j = 0; j < n; j += lanes)
		greatest = _mm512_max_ps(greatest, _mm512_load_ps(w->scores[r] + j));
	float most = _mm512_reduce_max_ps(greatest);
	if (most <= w->most[r])
		return;
	float fade = exp2f(w->most[r] - most);
	w->total[r] *= fade;
	for (int64_t i = 0; i < head; i++)
		w->sums[r][i] *= fade;
	w->most[r] = most;
}

// weigh makes weights of n scores of a query.
VNNI static void weigh(queries *w, int r, int64_t n, int64_t head) {
	for (int64_t j = n; j < up(n, lanes); j++)
		w->scores[r][j] = -INFINITY;
	raise(w, r, n, head);
	__m512 most = _mm512_set1_ps(w->most[r]), levels = _mm512_set1_ps(weight_levels);
	__m512i total = _mm512_setzero_si512();
	for (int64_t j = 0; j < n; j += lanes) {
		__m512 weight = power(_mm512_sub_ps(_mm512_load_ps(w->scores[r] + j), most));
		__m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(weight, levels));
		total = _mm512_add_epi32(total, whole);
		_mm256_store_si256((__m256i *)(w->weights[r] + j), _mm512_cvtepi32_epi16(whole));
	}
	w->total[r] += _mm512_reduce_add_epi32(total);
}

// attend goes through a block of n tokens from key on.
VNNI static void attend(const captiond_attend *a, packed p, queries *w, int64_t key, int64_t n) {
	int64_t head = up(a->head, lanes), at = 0;
	for (; at + width * lanes <= up(n, lanes); at += width * lanes)
		score(a, p, w, key + at, at, width);
	for (; at < n; at += lanes)
		score(a, p, w, key + at, at, 1);
	for (int r = 0; r < height; r++)
		weigh(w, r, n, head);
	for (at = 0; at < n; at += stretch) {
		int64_t pairs = up(n - at < stretch ? n - at : stretch, 2) / 2, i = 0;
		for (; i + width * lanes <= head; i += width * lanes)
			gather(a, p, w, key + at, at, pairs, i, width);
		for (; i < head; i += lanes)
			gather(a, p, w, key + at, at, pairs, i, 1);
	}
}

// begin takes n queries up from the one of a token. Scores are of base 2.
static void begin(const captiond_attend *a, int64_t at, int64_t token, int64_t n, queries *w) {
	float levels = score_levels(a->head), scale = (float)M_LOG2E / sqrtf((float)a->head);
	memset(w->sums, 0, sizeof w->sums);
	memset(w->q, 0, sizeof w->q);
	for (int r = 0; r < height; r++) {
		w->worth[r] = r < n ? scale * quantize(a->q + row(a, at, token + r), a->head, levels, w->q[r]) : 0;
		w->most[r] = -INFINITY;
		w->total[r] = 0;
	}
}

VNNI static void end(const captiond_attend *a, int64_t at, int64_t token, int64_t n, packed p, const queries *w) {
	for (int r = 0; r < n; r++) {
		float *to = a->y + row(a, at, token + r), inverse = 1 / w->total[r];
		for (int64_t i = 0; i < a->head; i++)
			to[i] = w->sums[r][i] * p.value_worth[i] * inverse;
	}
}

static int64_t parts_of_one(const captiond_attend *a) { return up(a->tokens, rows) / rows; }

size_t captiond_attend_parts(const captiond_attend *a) { return a->sequences * a->heads * parts_of_one(a); }

void captiond_attend_run(void *attention, size_t part) {
	const captiond_attend *a = attention;
	int64_t at = part / parts_of_one(a), first = part % parts_of_one(a) * rows;
	packed p = place(a, at);
	queries w;
	for (int64_t token = first; token < first + rows && token < a->tokens; token += height) {
		int64_t n = a->tokens - token < height ? a->tokens - token : height;
		begin(a, at, token, n, &w);
		for (int64_t key = 0; key < a->tokens; key += block)
			attend(a, p, &w, key, a->tokens - key < block ? a->tokens - key : block);
		end(a, at, token, n, p, &w);
	}
}
