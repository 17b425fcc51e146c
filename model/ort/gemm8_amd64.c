// A tile of 6 rows and 64 outputs has 24 vectors of sums; with 4 of weights and one of x they fill
// the registers. Weights of a panel stay in the second cache for all rows.
//
// The instruction multiplies unsigned numbers by signed ones, so that x has 128 more than it is
// worth, and sums begin with an offset.
#include "gemm8.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,prfchw")))
#define INLINE VNNI static inline __attribute__((always_inline))

enum {
	height = 6, // rows of a tile
	lanes = 16,
	zero = 128,       // the level of 0
	most_level = 127, // the greatest distance from it
	part_rows = 1 << 15,  // numbers that a part quantises
	part_tiles = 12 << 10, // inputs of the tiles that a part multiplies
};

static const float tiny = 0x1p-100f; // a row of less is zeros: most_level / tiny is finite

INLINE __mmask16 first(int64_t n) { return n >= lanes ? 0xffff : (1u << n) - 1; }

// greatest is the greatest magnitude. Its bits are in the order of magnitudes, with infinity
// and what is not a number at the end.
VNNI static float greatest(const float *x, int64_t n) {
	__m512i most = _mm512_setzero_si512(), magnitude = _mm512_set1_epi32(0x7fffffff);
	for (int64_t k = 0; k < n; k += lanes)
		most = _mm512_max_epi32(most, _mm512_and_si512(_mm512_maskz_loadu_epi32(first(n - k), x + k), magnitude));
	int32_t bits = _mm512_reduce_max_epi32(most);
	float f;
	memcpy(&f, &bits, sizeof f);
	return f;
}

// quantize makes levels of a row and returns what one is worth: NaN where a number is not
// finite, which the row of y then is.
VNNI static float quantize(const captiond_gemm8 *l, const float *x, uint8_t *levels) {
	float most = greatest(x, l->inputs);
	if (!isfinite(most) || most < tiny) {
		memset(levels, zero, l->depth);
		return isfinite(most) ? 0 : NAN;
	}
	__m512 inverse = _mm512_set1_ps(most_level / most);
	for (int64_t k = 0; k < l->depth; k += lanes) {
		__m512 numbers = _mm512_maskz_loadu_ps(first(l->inputs - k), x + k);
		__m128i near = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(numbers, inverse)));
		_mm_mask_storeu_epi8(levels + k, first(l->depth - k), _mm_add_epi8(near, _mm_set1_epi8((char)zero)));
	}
	return most / most_level;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t whole(int64_t n, int64_t of) { return (n + of - 1) / of; }

static int64_t rows_of_part(const captiond_gemm8 *l) { return 1 + part_rows / l->depth; }

size_t captiond_gemm8_quantize_parts(const captiond_gemm8 *l) { return whole(l->rows, rows_of_part(l)); }

void captiond_gemm8_quantize(void *linear, size_t part) {
	const captiond_gemm8 *l = linear;
	int64_t n = rows_of_part(l), last = least(l->rows, (part + 1) * n);
	for (int64_t r = part * n; r < last; r++)
		l->worth[r] = quantize(l, l->x + r * l->inputs, l->levels + r * l->depth);
}

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

// A tile: rows of levels, a panel's first output, and where y goes.
typedef struct {
	const captiond_gemm8 *l;
	const uint8_t *levels;
	const float *worth;
	int64_t output;
	float *y;
	int64_t stride;
} tile;

// claim asks for lines of y before they are written: where y is larger than the caches, stores
// would wait for each other.
INLINE void claim(const tile *t, int rows) {
	for (int r = 0; r < rows; r++)
		for (int i = 0; i < captiond_panel; i += lanes)
			__builtin_prefetch(t->y + r * t->stride + i, 1);
}

INLINE void multiply(const tile *t, const int rows) {
	int64_t depth = t->l->depth;
	const uint8_t *x = t->levels;
	const int8_t *w = t->l->weights + t->output * depth;
	claim(t, rows);
	vectors s0 = load(t->l->offset + t->output), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0;
	for (int64_t k = 0; k < depth; k += captiond_group) {
		vectors weights = load(w + k * captiond_panel);
		add(&s0, x + k, &weights);
		if (rows > 1) add(&s1, x + depth + k, &weights);
		if (rows > 2) add(&s2, x + 2 * depth + k, &weights);
		if (rows > 3) add(&s3, x + 3 * depth + k, &weights);
		if (rows > 4) add(&s4, x + 4 * depth + k, &weights);
		if (rows > 5) add(&s5, x + 5 * depth + k, &weights);
	}
	const float *scale = t->l->scale + t->output;
	store(t->y, &s0, t->worth[0], scale);
	if (rows > 1) store(t->y + t->stride, &s1, t->worth[1], scale);
	if (rows > 2) store(t->y + 2 * t->stride, &s2, t->worth[2], scale);
	if (rows > 3) store(t->y + 3 * t->stride, &s3, t->worth[3], scale);
	if (rows > 4) store(t->y + 4 * t->stride, &s4, t->worth[4], scale);
	if (rows > 5) store(t->y + 5 * t->stride, &s5, t->worth[5], scale);
}

VNNI static void multiply_1(const tile *t) { multiply(t, 1); }
VNNI static void multiply_2(const tile *t) { multiply(t, 2); }
VNNI static void multiply_3(const tile *t) { multiply(t, 3); }
VNNI static void multiply_4(const tile *t) { multiply(t, 4); }
VNNI static void multiply_5(const tile *t) { multiply(t, 5); }
VNNI static void multiply_6(const tile *t) { multiply(t, 6); }

static void (*const multiply_rows[])(const tile *) = {NULL, multiply_1, multiply_2, multiply_3, multiply_4, multiply_5, multiply_6};

// compute goes through a tile of so many rows and outputs, and activates them while they are in
// the first cache.
static void compute(tile t, int64_t rows, int64_t outputs) {
	float edge[height * captiond_panel], *y = t.y;
	int64_t stride = t.stride;
	if (outputs < captiond_panel)
		t.y = edge, t.stride = captiond_panel;
	multiply_rows[rows](&t);
	for (int64_t r = 0; r < rows; r++) {
		if (t.l->bias)
			t.l->activate(y + r * stride, t.y + r * t.stride, t.l->bias + t.output, outputs, t.l->alpha);
		else if (t.y != y)
			memcpy(y + r * stride, t.y + r * t.stride, outputs * sizeof *y);
	}
}

static int64_t tiles(const captiond_gemm8 *l) { return whole(l->rows, height) * whole(l->outputs, captiond_panel); }
static int64_t tiles_of_part(const captiond_gemm8 *l) { return 1 + part_tiles / l->depth; }

size_t captiond_gemm8_parts(const captiond_gemm8 *l) { return whole(tiles(l), tiles_of_part(l)); }

// Tiles are numbered panel by panel.
void captiond_gemm8_part(void *linear, size_t part) {
	const captiond_gemm8 *l = linear;
	int64_t n = tiles_of_part(l), last = least(tiles(l), (part + 1) * n), high = whole(l->rows, height);
	for (int64_t i = part * n; i < last; i++) {
		int64_t row = i % high * height, output = i / high * captiond_panel;
		tile t = {
			.l = l, .levels = l->levels + row * l->depth, .worth = l->worth + row, .output = output,
			.y = l->y + row * l->outputs + output, .stride = l->outputs,
		};
		compute(t, least(height, l->rows - row), least(captiond_panel, l->outputs - output));
	}
}
