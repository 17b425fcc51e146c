#include "levels.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum {
	zero = 128,       // the level of 0
	most_level = 127, // the greatest distance from it
	most_together = 16,
	part_inputs = 1 << 15, // that a part quantises
};

static const float tiny = 0x1p-100f; // a row of less is zeros: most_level / tiny is finite

static int64_t whole_rows(const captiond_layer *l) { return captiond_up(l->rows, most_together); }

size_t captiond_levels_room(const captiond_layer *l) { return whole_rows(l) * (sizeof(float) + captiond_depth(l)); }

float *captiond_worth_of(const captiond_layer *l, int64_t row) { return (float *)l->room + row; }

uint8_t *captiond_levels_of(const captiond_layer *l, int64_t row, int64_t together) {
	uint8_t *levels = (uint8_t *)captiond_worth_of(l, whole_rows(l));
	return levels + row / together * together * captiond_depth(l) + row % together * captiond_deep;
}

// greatest is the greatest magnitude. Its bits are in the order of magnitudes, with infinity
// and what is not a number at the end.
VECTORS static float greatest(const float *x, int64_t n) {
	__m512i most = _mm512_setzero_si512(), magnitude = _mm512_set1_epi32(0x7fffffff);
	for (int64_t k = 0; k < n; k += lanes)
		most = _mm512_max_epi32(most, _mm512_and_si512(_mm512_maskz_loadu_epi32(captiond_first(n - k), x + k), magnitude));
	int32_t bits = _mm512_reduce_max_epi32(most);
	float f;
	memcpy(&f, &bits, sizeof f);
	return f;
}

// quantize makes levels of a row, times what brings its greatest number to 127; 0 makes zeros of all.
VECTORS static void quantize(const captiond_layer *l, int64_t row, float inverse, int64_t together) {
	const float *x = l->x + row * l->inputs;
	uint8_t *to = captiond_levels_of(l, row, together);
	for (int64_t k = 0; k < captiond_depth(l); k += captiond_deep, to += together * captiond_deep)
		for (int64_t i = 0; i < captiond_deep; i += lanes) {
			__mmask16 there = inverse > 0 ? captiond_first(l->inputs - k - i) : 0;
			__m512 numbers = _mm512_mul_ps(_mm512_maskz_loadu_ps(there, x + k + i), _mm512_set1_ps(inverse));
			__m128i near = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(numbers));
			_mm_storeu_si128((__m128i *)(to + i), _mm_add_epi8(near, _mm_set1_epi8((char)zero)));
		}
}

// take makes levels of a row, and says what one is worth: NaN where a number is not finite, which
// the row of y then is.
static void take(const captiond_layer *l, int64_t row, int64_t together) {
	float most = greatest(l->x + row * l->inputs, l->inputs), inverse = most_level / most;
	if (!isfinite(most) || most < tiny)
		inverse = 0, most = isfinite(most) ? 0 : NAN;
	quantize(l, row, inverse, together);
	*captiond_worth_of(l, row) = most / most_level;
}

static int64_t rows_of_part(const captiond_layer *l) { return 1 + part_inputs / captiond_depth(l); }

size_t captiond_take_parts(const captiond_layer *l) { return captiond_whole(l->rows, rows_of_part(l)); }

void captiond_take_levels(const captiond_layer *l, size_t part, int64_t together) {
	int64_t n = rows_of_part(l), last = captiond_least(l->rows, (part + 1) * n);
	for (int64_t row = part * n; row < last; row++)
		take(l, row, together);
}
