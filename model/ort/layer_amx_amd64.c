// AMX has eight registers, tiles, of at most 16 rows of 64 bytes. A square of 32 rows and 32 outputs
// has four of sums, 0 to 3; 4 and 5 are of levels, 6 and 7 of weights. Weights of a square's outputs
// stay in the second cache for all rows.
#include "levels.h"

#include <immintrin.h>
#include <stdbool.h>

// The compiler's own functions of these do not say that a load reads memory.
#define LOAD(tile, at, stride) __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile :: "r"(at), "r"((int64_t)(stride)) : "memory")
#define STORE(tile, at, stride) __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" :: "r"(at), "r"((int64_t)(stride)) : "memory")
#define DOT(sums, levels, weights) __asm__ volatile("tdpbusd %%tmm" #weights ", %%tmm" #levels ", %%tmm" #sums ::)

enum {
	side = 32,       // rows or outputs of a square
	most_rows = 256, // of a part
	line = 64,       // bytes of the caches
	tile_rows = 16,
	tile_row = 64, // bytes
	tile_bytes = tile_rows * tile_row,
	row_of_weights = captiond_panel * captiond_group, // bytes
};

typedef struct {
	const captiond_layer *l;
	int64_t row, rows, output;
	int32_t sums[side][side];
	// Weights of the next panel, which may come from memory, and how many lines of them a product
	// of tiles asks for.
	const int8_t *next;
	int64_t lines;
} square;

static const int8_t *weights_of(const captiond_layer *l, int64_t output) {
	int64_t within = output % captiond_panel;
	return (const int8_t *)l->weights + (output - within) * captiond_depth(l) + within * captiond_group;
}

// configure makes all tiles zeros; those of the upper rows, 0, 1 and 4, have as many as it says.
static void configure(int64_t rows) {
	struct {
		uint8_t palette, start, reserved[14];
		uint16_t row_bytes[16];
		uint8_t rows[16];
	} tiles = {.palette = 1};
	for (int i = 0; i < 8; i++) {
		tiles.row_bytes[i] = tile_row;
		tiles.rows[i] = i == 0 || i == 1 || i == 4 ? rows : tile_rows;
	}
	__asm__ volatile("ldtilecfg %0" :: "m"(tiles));
}

// multiply begins with the offsets, which are the same for all rows.
static void multiply(square *s) {
	const int8_t *w = weights_of(s->l, s->output), *next = s->next;
	const uint8_t *a = captiond_levels_of(s->l, s->row, tile_rows), *b = a + tile_rows * captiond_depth(s->l);
	const int32_t *left = s->l->offset + s->output, *right = left + lanes;
	bool both = s->rows > tile_rows;
	LOAD(0, left, 0); LOAD(1, right, 0);
	LOAD(2, left, 0); LOAD(3, right, 0);
	for (int64_t k = captiond_depth(s->l); k > 0; k -= captiond_deep) {
		LOAD(6, w, row_of_weights); LOAD(7, w + lanes * captiond_group, row_of_weights);
		LOAD(4, a, tile_row); DOT(0, 4, 6); DOT(1, 4, 7);
		if (both) {
			LOAD(5, b, tile_row); DOT(2, 5, 6); DOT(3, 5, 7);
		}
		for (const int8_t *end = next + s->lines * line; next < end; next += line)
			__builtin_prefetch(next);
		a += tile_bytes, b += tile_bytes, w += captiond_deep / captiond_group * row_of_weights;
	}
	STORE(0, s->sums[0], sizeof *s->sums); STORE(1, s->sums[0] + lanes, sizeof *s->sums);
	STORE(2, s->sums[tile_rows], sizeof *s->sums); STORE(3, s->sums[tile_rows] + lanes, sizeof *s->sums);
	s->next = next;
}

// put makes numbers of sums and adds the bias, if there is one, in y or elsewhere.
VECTORS static void put(const square *s, const float *bias, float *to, int64_t stride) {
	const float *worth = captiond_worth_of(s->l, s->row);
	for (int i = 0; i < side; i += lanes) {
		int64_t output = s->output + i;
		__mmask16 there = captiond_first(s->l->outputs - output);
		__m512 scale = _mm512_loadu_ps(s->l->scale + output);
		__m512 more = bias ? _mm512_maskz_loadu_ps(there, bias + output) : _mm512_setzero_ps();
		for (int64_t r = 0; r < s->rows; r++) {
			__m512 sum = _mm512_cvtepi32_ps(_mm512_loadu_si512(s->sums[r] + i));
			__m512 number = _mm512_fmadd_ps(sum, _mm512_mul_ps(scale, _mm512_set1_ps(worth[r])), more);
			_mm512_mask_storeu_ps(to + r * stride + i, there, number);
		}
	}
}

// compute goes through as many rows of a square as there are.
static void compute(square *s, int64_t row, int64_t rows) {
	const captiond_layer *l = s->l;
	float numbers[side * side];
	s->row = row, s->rows = rows;
	multiply(s);
	if (!l->activate) {
		put(s, l->bias, l->y + row * l->outputs + s->output, l->outputs);
		return;
	}
	put(s, NULL, numbers, side);
	captiond_finish(l, (captiond_sums){numbers, side, row, s->output, side}, rows);
}

// compute_panel goes through a panel's squares with as many tiles of rows as there are, whole ones
// and the last.
static void compute_panel(square *s, int64_t row, int64_t last, int64_t output) {
	int64_t end = captiond_least(s->l->outputs, output + captiond_panel), whole = row + (last - row) / tile_rows * tile_rows;
	configure(tile_rows);
	for (s->output = output; s->output < end; s->output += side)
		for (int64_t r = row; r < whole; r += side)
			compute(s, r, captiond_least(side, whole - r));
	if (whole < last)
		configure(last - whole);
	for (s->output = output; s->output < end && whole < last; s->output += side)
		compute(s, whole, last - whole);
	__asm__ volatile("tilerelease" ::);
}

// Rows are shared by as few blocks as may be, evenly.
static int64_t blocks(const captiond_layer *l) { return captiond_whole(l->rows, most_rows); }

static int64_t rows_of_block(const captiond_layer *l) {
	return captiond_up(captiond_whole(l->rows, blocks(l)), tile_rows);
}

static int64_t panels(const captiond_layer *l) { return captiond_whole(l->outputs, captiond_panel); }

static size_t parts(const captiond_layer *l) { return blocks(l) * panels(l); }

// A part is a block of rows and a panel; that with the next panel comes next.
static void part(void *layer, size_t at) {
	const captiond_layer *l = layer;
	int64_t row = at / panels(l) * rows_of_block(l), last = captiond_least(l->rows, row + rows_of_block(l));
	int64_t output = at % panels(l) * captiond_panel;
	square s = {.l = l, .next = weights_of(l, output + captiond_panel)};
	s.lines = captiond_whole(captiond_panel * captiond_deep / line, captiond_whole(last - row, side) * captiond_panel / side);
	compute_panel(&s, row, last, output);
}

static void take(void *layer, size_t at) { captiond_take_levels(layer, at, tile_rows); }

const captiond_product captiond_by_amx = {captiond_levels_room, captiond_take_parts, take, parts, part};
