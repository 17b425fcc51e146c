// A linear layer in integers of 8 bits, on x86-64 with VNNI of 512 bits: what there is to do, cut
// into parts for threads.
#ifndef CAPTIOND_ORT_GEMM8_H
#define CAPTIOND_ORT_GEMM8_H

#include "kernel.h"

enum {
	captiond_panel = 64, // outputs that lie together
	captiond_group = 4,  // inputs of which an instruction adds products up
	// A sum of so many products of -127..127 and -128..127 has 32 bits. On the way it may be
	// greater: the offset brings it back.
	captiond_most_inputs = INT32_MAX / (127 * 128),
};

// weights are [outputs/64, inputs/4, 64, 4], filled up with zeros; offset, -128 times the sum of
// an output's weights, and scale, what one of them is worth, have a number for each output,
// filled up likewise.
typedef struct {
	const float *x;                          // [rows, inputs]
	const int8_t *weights;
	const int32_t *offset;
	const float *scale;
	const float *bias;                       // [outputs], NULL for none
	captiond_activate *activate;
	float alpha;
	float *y;                                // [rows, outputs]
	int64_t rows, inputs, outputs, depth;    // depth is inputs in whole groups
	uint8_t *levels;                         // [rows, depth]: room for x in 8 bits
	float *worth;                            // [rows]: room for what one is worth
} captiond_gemm8;

// captiond_gemm8_quantize makes levels of x. When all parts are done, captiond_multiply computes y; rows
// are activated, which adds the bias, where there is one. Parts may run in several threads.
size_t captiond_gemm8_quantize_parts(const captiond_gemm8 *l);
void captiond_gemm8_quantize(void *linear, size_t part);
size_t captiond_gemm8_parts(const captiond_gemm8 *l);
void captiond_gemm8_part(void *linear, size_t part);

#endif
