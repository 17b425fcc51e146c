// A tile of 6 rows and 64 outputs has 24 vectors of sums; with 4 of weights and one of x they fill
// the registers. A part is some tiles of one panel of outputs, whose weights stay in the second
// cache, so many inputs at a time as have room there.
#include "layer.h"

#include <immintrin.h>

#define INLINE VECTORS static inline __attribute__((always_inline))

enum {
	height = 6, // rows of a tile
	width = captiond_panel / lanes,
	deep = 768, // inputs at a time: 192 KiB of weights
	high = 16,  // tiles of a part
	ahead = 8,  // inputs whose weights are fetched ahead of time
};

// A tile: rows of x and weights of the same inputs, of which there are n, and where sums go.
typedef struct {
	const float *x, *weights;
	float *y;
	int64_t stride, n, to; // of rows of x, inputs, of rows of y
} tile;

INLINE void multiply(const tile *t, const int rows, const int more) {
	__m512 sum[height][width];
#pragma GCC unroll 8
	for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
		for (int c = 0; c < width; c++)
			sum[r][c] = more ? _mm512_loadu_ps(t->y + r * t->to + c * lanes) : _mm512_setzero_ps();
	const float *w = t->weights;
	for (int64_t k = 0; k < t->n; k++, w += captiond_panel) {
		__m512 column[width];
#pragma GCC unroll 4
		for (int c = 0; c < width; c++) {
			column[c] = _mm512_load_ps(w + c * lanes);
			__builtin_prefetch(w + ahead * captiond_panel + c * lanes);
		}
#pragma GCC unroll 8
		for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
			for (int c = 0; c < width; c++)
				sum[r][c] = _mm512_fmadd_ps(_mm512_set1_ps(t->x[r * t->stride + k]), column[c], sum[r][c]);
	}
#pragma GCC unroll 8
	for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
		for (int c = 0; c < width; c++)
			_mm512_storeu_ps(t->y + r * t->to + c * lanes, sum[r][c]);
}

VECTORS static void first_1(const tile *t) { multiply(t, 1, 0); }
VECTORS static void first_2(const tile *t) { multiply(t, 2, 0); }
VECTORS static void first_3(const tile *t) { multiply(t, 3, 0); }
VECTORS static void first_4(const tile *t) { multiply(t, 4, 0); }
VECTORS static void first_5(const tile *t) { multiply(t, 5, 0); }
VECTORS static void first_6(const tile *t) { multiply(t, 6, 0); }
VECTORS static void more_1(const tile *t) { multiply(t, 1, 1); }
VECTORS static void more_2(const tile *t) { multiply(t, 2, 1); }
VECTORS static void more_3(const tile *t) { multiply(t, 3, 1); }
VECTORS static void more_4(const tile *t) { multiply(t, 4, 1); }
VECTORS static void more_5(const tile *t) { multiply(t, 5, 1); }
VECTORS static void more_6(const tile *t) { multiply(t, 6, 1); }

// By whether there are sums already, and by rows.
static void (*const multiply_rows[2][height + 1])(const tile *) = {
	{NULL, first_1, first_2, first_3, first_4, first_5, first_6},
	{NULL, more_1, more_2, more_3, more_4, more_5, more_6},
};

static int64_t parts_of_panel(const captiond_layer *l) { return captiond_whole(captiond_whole(l->rows, height), high); }

static size_t parts(const captiond_layer *l) { return captiond_whole(l->outputs, captiond_panel) * parts_of_panel(l); }

static void part(void *layer, size_t at) {
	const captiond_layer *l = layer;
	int64_t row = at % parts_of_panel(l) * high * height, output = at / parts_of_panel(l) * captiond_panel;
	int64_t last = captiond_least(l->rows, row + high * height);
	float edge[high * height * captiond_panel];
	captiond_sums s = captiond_sums_of(l, row, output, edge);
	for (int64_t k = 0; k < l->inputs; k += deep)
		for (int64_t r = row; r < last; r += height) {
			tile t = {
				.x = l->x + r * l->inputs + k, .weights = (const float *)l->weights + output * l->inputs + k * captiond_panel,
				.y = s.at + (r - row) * s.stride, .stride = l->inputs, .n = captiond_least(deep, l->inputs - k), .to = s.stride,
			};
			multiply_rows[k > 0][captiond_least(height, last - r)](&t);
		}
	captiond_finish(l, s, last - row);
}

const captiond_product captiond_by_vectors = {.parts = parts, .part = part};
