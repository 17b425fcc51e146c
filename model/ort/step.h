// What StepAttention is given, on a CPU and on a GPU.
#ifndef CAPTIOND_ORT_STEP_H
#define CAPTIOND_ORT_STEP_H

#include "kernel.h"

// W windows have R rows each, of L new tokens and T tokens of text with these; S image tokens.
// operator.cu has the same struct.
typedef struct {
	const void *q, *k, *v;               // [W*R, L, heads, head]
	const float *mask;                   // [W*R, 1, L, T]
	const int64_t *parents;              // [W*R]
	const void *image_k, *image_v;       // [W, heads, head, S], [W, heads, S, head]
	const float *past_k, *past_v;        // [past, heads, T-L, head]
	void *y;                             // [W*R*L, heads*head]
	float *text_k, *text_v;              // [W*R, heads, T, head]
	int64_t windows, rows, heads, head, length, text, image, past;
} captiond_step;

// captiond_begin_step finds out what there is to do and makes the outputs.
OrtStatus *captiond_begin_step(const captiond_node *n, OrtKernelContext *context, captiond_step *s);

#endif
