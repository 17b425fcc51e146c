// A linear layer in float32, on x86-64 with AVX-512: what there is to do, cut into parts for
// threads.
#ifndef CAPTIOND_ORT_GEMM_H
#define CAPTIOND_ORT_GEMM_H

#include "kernel.h"

enum { captiond_columns = 64 }; // outputs that lie together

typedef struct {
	const float *x;              // [rows, inputs]
	const float *weights;        // packed
	const float *bias;           // [outputs], NULL for none
	captiond_activate *activate; // where there is a bias
	float alpha;
	float *y;                    // [rows, outputs]
	int64_t rows, inputs, outputs;
} captiond_gemm;

// captiond_gemm_pack lays weights [outputs, inputs] out as [outputs/64, inputs, 64], filled up with
// zeros: as many floats as captiond_gemm_room says.
size_t captiond_gemm_room(int64_t inputs, int64_t outputs);
void captiond_gemm_pack(const float *weights, int64_t inputs, int64_t outputs, float *to);

// Parts may run in several threads at a time.
size_t captiond_gemm_parts(const captiond_gemm *g);
void captiond_gemm_part(void *gemm, size_t part);

#endif
