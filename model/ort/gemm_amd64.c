// A tile of 6 rows and 64 outputs has 24 vectors of sums; with 4 of weights and one of x they fill
// the registers. A part is some tiles of one panel of outputs, whose weights stay in the second
// cache, so many inputs at a time as have room there.
#include "gemm.h"

#include <immintrin.h>
#include <string.h>

#define VECTORS __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prfchw")))
#define INLINE VECTORS static inline __attribute__((always_inline))

enum {
	height = 6, // rows of a tile
	lanes = 16,
	width = captiond_columns / lanes,
	deep = 768, // inputs at a time: 192 KiB of weights
	high = 16,  // tiles of a part
	ahead = 8,  // inputs whose weights are fetched ahead of time
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t whole(int64_t n, int64_t of) { return (n + of - 1) / of; }

size_t captiond_gemm_room(int64_t inputs, int64_t outputs) {
	return whole(outputs, captiond_columns) * captiond_columns * inputs;
}

void captiond_gemm_pack(const float *weights, int64_t inputs, int64_t outputs, float *to) {
	memset(to, 0, captiond_gemm_room(inputs, outputs) * sizeof *to);
	for (int64_t k = 0; k < inputs; k += lanes) // a cache line of each output
		for (int64_t o = 0; o < outputs; o++) {
			float *panel = to + (o / captiond_columns * inputs) * captiond_columns + o % captiond_columns;
			for (int64_t i = k; i < least(k + lanes, inputs); i++)
				panel[i * captiond_columns] = weights[o * inputs + i];
		}
}

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
	for (int64_t k = 0; k < t->n; k++, w += captiond_columns) {
		__m512 column[width];
#pragma GCC unroll 4
		for (int c = 0; c < width; c++) {
			column[c] = _mm512_load_ps(w + c * lanes);
			__builtin_prefetch(w + ahead * captiond_columns + c * lanes);
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

static int64_t parts_of_panel(const captiond_gemm *g) { return whole(whole(g->rows, height), high); }

size_t captiond_gemm_parts(const captiond_gemm *g) { return whole(g->outputs, captiond_columns) * parts_of_panel(g); }

// compute goes through rows of a panel, from one to another; where sums of the last panel would
// reach beyond the outputs they are kept apart.
static void compute(const captiond_gemm *g, int64_t row, int64_t last, int64_t output) {
	float edge[high * height * captiond_columns];
	int64_t outputs = least(captiond_columns, g->outputs - output);
	float *y = g->y + row * g->outputs + output, *sums = outputs < captiond_columns ? edge : y;
	int64_t to = outputs < captiond_columns ? captiond_columns : g->outputs;
	for (int64_t k = 0; k < g->inputs; k += deep)
		for (int64_t r = row; r < last; r += height) {
			tile t = {
				.x = g->x + r * g->inputs + k, .weights = g->weights + (output * g->inputs) + k * captiond_columns,
				.y = sums + (r - row) * to, .stride = g->inputs, .n = least(deep, g->inputs - k), .to = to,
			};
			multiply_rows[k > 0][least(height, last - r)](&t);
		}
	for (int64_t r = 0; r < last - row; r++) {
		if (g->bias)
			g->activate(y + r * g->outputs, sums + r * to, g->bias + output, outputs, g->alpha);
		else if (sums != y)
			memcpy(y + r * g->outputs, sums + r * to, outputs * sizeof *y);
	}
}

void captiond_gemm_part(void *gemm, size_t part) {
	const captiond_gemm *g = gemm;
	int64_t row = part % parts_of_panel(g) * high * height;
	compute(g, row, least(g->rows, row + high * height), part / parts_of_panel(g) * captiond_columns);
}
