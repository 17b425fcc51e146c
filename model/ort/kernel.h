// What the operators share, and what each of them computes.
#ifndef CAPTIOND_ORT_KERNEL_H
#define CAPTIOND_ORT_KERNEL_H

#include "api.h"

enum {
	fail = 1,    // ORT_FAIL
	invalid = 2, // ORT_INVALID_ARGUMENT
};

// A node of a graph, with the attributes that its operator has.
typedef struct {
	const OrtApi *api;
	float alpha, epsilon;
	int64_t heads, integers, inputs, outputs, mapped, amx;
	void *packed; // of the heap: weights as the operator reads them, NULL for none
} captiond_node;

// captiond_input describes a node's input.
OrtStatus *captiond_input(const captiond_node *n, OrtKernelContext *context, size_t i, captiond_tensor *t);

// captiond_has tells whether an input that may be left out is there.
int captiond_has(const captiond_node *n, OrtKernelContext *context, size_t i);

// captiond_output makes a node's output, shaped as a tensor, and says where its data lie.
OrtStatus *captiond_output(const captiond_node *n, OrtKernelContext *context, size_t i, const captiond_tensor *shape, void *data);

// Rows of numbers, and a bias for each column.
typedef struct {
	const void *x, *bias;
	void *y;
	int64_t rows, columns;
} captiond_biased;

// captiond_begin_biased finds out what there is to do and makes the output.
OrtStatus *captiond_begin_biased(const captiond_node *n, OrtKernelContext *context, captiond_biased *b);

// A captiond_activate adds a bias to a row of n numbers, and activates it, in place or not.
typedef void captiond_activate(void *to, const void *row, const void *bias, int64_t n, float alpha);
captiond_activate captiond_bias_row, captiond_gelu_row, captiond_quick_gelu_row;

// An operator is a function that reads a node's attributes, if it has some, and a function that
// computes. The latter runs in threads of several sessions at a time.
//
// BiasGelu is gelu (that with erf) of x + bias, and BiasQuickGelu z * sigmoid(alpha * z) of
// z = x + bias. A product with a bias is two in the library, the first of which writes the bias
// everywhere, in one thread; and its own Gelu is slow. On a GPU its own operators go through
// memory three times for BiasQuickGelu.
//
//	in   x [..., C] and bias [C], float32; BiasQuickGelu has float16, too, of which on a GPU
//	     C must be a multiple of 8
//	out  shaped as x, and of its type
OrtStatus *captiond_bias_gelu(void *node, OrtKernelContext *context);
OrtStatus *captiond_read_alpha(captiond_node *n, const OrtKernelInfo *info);
OrtStatus *captiond_bias_quick_gelu(void *node, OrtKernelContext *context);
OrtStatus *captiond_bias_quick_gelu_halves(void *node, OrtKernelContext *context);
OrtStatus *captiond_bias_quick_gelu_gpu(void *node, OrtKernelContext *context);

// LayerNorm normalises rows, and AddNorm x + y + bias, which it returns, too; epsilon is an
// attribute. The library's own take 1.2 to 3 times as long, the less the more comes from memory.
//
//	in   x [..., C], of AddNorm y, shaped alike, and bias [C], weight and shift [C], float32
//	out  normalised rows, of AddNorm the sums, shaped as x
OrtStatus *captiond_read_epsilon(captiond_node *n, const OrtKernelInfo *info);
OrtStatus *captiond_layer_norm(void *node, OrtKernelContext *context);
OrtStatus *captiond_add_norm(void *node, OrtKernelContext *context);

// Attention is that of all tokens to all, softmax(q k^T / sqrt(d)) v, computed in integers of
// 16 bits where the attribute integers is 1. It is for CPUs with AVX-512, and VNNI for integers:
// elsewhere no session can have it. The library's own wants heads apart, and keeps all scores.
//
//	in   q, k and v [n, N, heads*d] float32, d at most 256
//	out  float32, shaped as q
OrtStatus *captiond_read_attention(captiond_node *n, const OrtKernelInfo *info);
OrtStatus *captiond_attention(void *node, OrtKernelContext *context);

// Linear8 is a linear layer in integers of 8 bits, whose rows have a scale each, and Linear8Gelu
// and Linear8QuickGelu with the activation behind; outputs is an attribute, N. It needs VNNI, too, and
// AMX where the attribute amx is 1. The library's own reach three quarters of the rate, and share one
// scale in all rows.
//
//	in   x [M, K] float32; weights [N/64, K/4, 64, 4] int8, offset [N] int32 and scale [N] float32
//	     as layer.h has them, N and K there in whole panels and tiles; bias [N] float32, which
//	     may be left out
//	out  [M, N] float32
OrtStatus *captiond_read_outputs(captiond_node *n, const OrtKernelInfo *info);
OrtStatus *captiond_read_outputs_alpha(captiond_node *n, const OrtKernelInfo *info);
OrtStatus *captiond_linear8(void *node, OrtKernelContext *context);
OrtStatus *captiond_linear8_gelu(void *node, OrtKernelContext *context);
OrtStatus *captiond_linear8_quick_gelu(void *node, OrtKernelContext *context);

// Linear is a linear layer in float32, and LinearGelu and LinearQuickGelu with the activation
// behind, for the same CPUs without VNNI. Weights are laid out anew when a session is made; where
// the attribute mapped is 1 they lie in a file, whose pages are given back then. On two cores the
// library's own reach 0.89 of what these can multiply.
//
//	in   x [M, K]; weights [N, K], a constant; bias [N], which may be left out of Linear; float32
//	out  [M, N] float32
OrtStatus *captiond_read_linear(captiond_node *n, const OrtKernelInfo *info);
OrtStatus *captiond_read_linear_alpha(captiond_node *n, const OrtKernelInfo *info);
OrtStatus *captiond_linear(void *node, OrtKernelContext *context);
OrtStatus *captiond_linear_gelu(void *node, OrtKernelContext *context);
OrtStatus *captiond_linear_quick_gelu(void *node, OrtKernelContext *context);

// StepAttention is that of B rows of L new text tokens each, which see the S tokens of their
// window's image and, of the T tokens of text with the new ones, those to whose scores the mask
// adds 0; W windows have as many rows each, one window after the other. It is for the same CPUs;
// without it a step is 25 operators, and reads and writes scores of the image four times.
//
//	in   q, k, v [B, L, h, d]; mask [B, 1, L, T]; parents [B] int64, of which row of the past
//	     each row goes on from; image keys [W, h, d, S] and values [W, h, S, d]; past keys and
//	     values of text [any, h, T-L, d]; all others float32, d at most 256
//	out  [B*L, h*d]; keys and values of text [B, h, T, d]
OrtStatus *captiond_read_vectors(captiond_node *n, const OrtKernelInfo *info);
OrtStatus *captiond_step_attention(void *node, OrtKernelContext *context);

// For GPUs q, k, v, what belongs to the image and the first output are float16. There d is even
// and at most 128, and a parent that is not there is not noticed. On CPUs that is for tests.
OrtStatus *captiond_step_attention_halves(void *node, OrtKernelContext *context);
OrtStatus *captiond_step_attention_gpu(void *node, OrtKernelContext *context);

#endif
