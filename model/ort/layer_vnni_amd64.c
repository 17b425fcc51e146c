// A tile of 6 rows and 64 outputs has 24 vectors of sums; with 4 of weights and one of x they fill
// the registers. Weights of a panel stay in the second cache for all rows.
//
// The instruction multiplies unsigned numbers by signed ones, so that x has 128 more than it is
// worth, and sums begin with an offset.
#include "levels.h"

#include <immintrin.h>
#include <string.h>

#define VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,prfchw")))
#define INLINE VNNI static inline __attribute__((always_inline))

enum {
	height = 6, // rows of a tile
	part_tiles = 12 << 10, // inputs of the tiles that a part multiplies
};

// Sums of a row, or weights of a group. GCC keeps an array of them in memory.
typedef struct {
	__m512i a, b, c, d;
} vectors;

INLINE vectors load(const void *from) {
	const __m512i *p = from;
	return (vectors){p[0], p[1], p[2], p[3]};
}

// add adds products of a group of levels. GCC copies sums that its own function of this
// instruction adds to.
INLINE void add(vectors *sum, const uint8_t *levels, const vectors *weights) {
	int32_t group;
	memcpy(&group, levels, sizeof group);
	__m512i all = _mm512_set1_epi32(group);
	__asm__("vpdpbusd %2, %1, %0" : "+v"(sum->a) : "v"(all), "v"(weights->a));
	__asm__("vpdpbusd %2, %1, %0" : "+v"(sum->b) : "v"(all), "v"(weights->b));
	__asm__("vpdpbusd %2, %1, %0" : "+v"(sum->c) : "v"(all), "v"(weights->c));
	__asm__("vpdpbusd %2, %1, %0" : "+v"(sum->d) : "v"(all), "v"(weights->d));
}

INLINE void store(float *y, const vectors *sum, float worth, const float *scale) {
	__m512 w = _mm512_set1_ps(worth);
	_mm512_storeu_ps(y, _mm512_mul_ps(_mm512_cvtepi32_ps(sum->a), _mm512_mul_ps(w, _mm512_loadu_ps(scale))));
	_mm512_storeu_ps(y + lanes, _mm512_mul_ps(_mm512_cvtepi32_ps(sum->b), _mm512_mul_ps(w, _mm512_loadu_ps(scale + lanes))));
	_mm512_storeu_ps(y + 2 * lanes, _mm512_mul_ps(_mm512_cvtepi32_ps(sum->c), _mm512_mul_ps(w, _mm512_loadu_ps(scale + 2 * lanes))));
	_mm512_storeu_ps(y + 3 * lanes, _mm512_mul_ps(_mm512_cvtepi32_ps(sum->d), _mm512_mul_ps(w, _mm512_loadu_ps(scale + 3 * lanes))));
}

// A tile: rows of levels, a panel's first output, and where sums go.
typedef struct {
	const captiond_layer *l;
	const uint8_t *levels;
	const float *worth;
	captiond_sums sums;
} tile;

// claim asks for lines of y before they are written: where y is larger than the caches, stores
// would wait for each other.
INLINE void claim(const tile *t, int rows) {
	for (int r = 0; r < rows; r++)
		for (int i = 0; i < captiond_panel; i += lanes)
			__builtin_prefetch(t->sums.at + r * t->sums.stride + i, 1);
}

INLINE void multiply(const tile *t, const int rows) {
	int64_t depth = captiond_depth(t->l), output = t->sums.output, stride = t->sums.stride;
	const uint8_t *x = t->levels;
	const int8_t *w = (const int8_t *)t->l->weights + output * depth;
	float *y = t->sums.at;
	claim(t, rows);
	vectors s0 = load(t->l->offset + output), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0;
	for (int64_t k = 0; k < depth; k += captiond_group) {
		vectors weights = load(w + k * captiond_panel);
		add(&s0, x + k, &weights);
		if (rows > 1) add(&s1, x + depth + k, &weights);
		if (rows > 2) add(&s2, x + 2 * depth + k, &weights);
		if (rows > 3) add(&s3, x + 3 * depth + k, &weights);
		if (rows > 4) add(&s4, x + 4 * depth + k, &weights);
		if (rows > 5) add(&s5, x + 5 * depth + k, &weights);
	}
	const float *scale = t->l->scale + output;
	store(y, &s0, t->worth[0], scale);
	if (rows > 1) store(y + stride, &s1, t->worth[1], scale);
	if (rows > 2) store(y + 2 * stride, &s2, t->worth[2], scale);
	if (rows > 3) store(y + 3 * stride, &s3, t->worth[3], scale);
	if (rows > 4) store(y + 4 * stride, &s4, t->worth[4], scale);
	if (rows > 5) store(y + 5 * stride, &s5, t->worth[5], scale);
}

VNNI static void multiply_1(const tile *t) { multiply(t, 1); }
VNNI static void multiply_2(const tile *t) { multiply(t, 2); }
VNNI static void multiply_3(const tile *t) { multiply(t, 3); }
VNNI static void multiply_4(const tile *t) { multiply(t, 4); }
VNNI static void multiply_5(const tile *t) { multiply(t, 5); }
VNNI static void multiply_6(const tile *t) { multiply(t, 6); }

static void (*const multiply_rows[])(const tile *) = {NULL, multiply_1, multiply_2, multiply_3, multiply_4, multiply_5, multiply_6};

static int64_t tiles(const captiond_layer *l) { return captiond_whole(l->rows, height) * captiond_whole(l->outputs, captiond_panel); }
static int64_t tiles_of_part(const captiond_layer *l) { return 1 + part_tiles / captiond_depth(l); }
static size_t parts(const captiond_layer *l) { return captiond_whole(tiles(l), tiles_of_part(l)); }

// compute goes through a tile, and activates it while it is in the first cache.
static void compute(const captiond_layer *l, int64_t row, int64_t output) {
	float edge[height * captiond_panel];
	int64_t rows = captiond_least(height, l->rows - row);
	tile t = {l, captiond_levels_of(l, row, 1), captiond_worth_of(l, row), captiond_sums_of(l, row, output, edge)};
	multiply_rows[rows](&t);
	captiond_finish(l, t.sums, rows);
}

// Tiles are numbered panel by panel.
static void part(void *layer, size_t at) {
	const captiond_layer *l = layer;
	int64_t n = tiles_of_part(l), last = captiond_least(tiles(l), (at + 1) * n), high = captiond_whole(l->rows, height);
	for (int64_t i = at * n; i < last; i++)
		compute(l, i % high * height, i / high * captiond_panel);
}

static void take(void *layer, size_t at) { captiond_take_levels(layer, at, 1); }

const captiond_product captiond_by_vnni = {captiond_levels_room, captiond_take_parts, take, parts, part};
