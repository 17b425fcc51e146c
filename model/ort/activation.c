// Activations of x + bias on CPUs. Their loops are compiled for wider vectors, too: which are
// taken is decided when the program is loaded.
#include "halves.h"
#include "kernel.h"

#include <math.h>
#include <string.h>

// Comparisons may raise no exceptions, else loops with them stay scalar.
#pragma GCC optimize("no-trapping-math")

#ifdef __x86_64__
#define VECTORS __attribute__((target_clones("default", "arch=x86-64-v3", "avx512f")))
#else
#define VECTORS
#endif
#define INLINE static inline __attribute__((always_inline))

enum { part_bytes = 1 << 16 }; // that a thread goes through at a time, at least

// polynomial is that of degree n with the coefficients a, of x.
INLINE float polynomial(float x, const float *a, int n) {
	float y = a[n];
	for (int i = n - 1; i >= 0; i--)
		y = y * x + a[i];
	return y;
}

// gelu is z times the normal distribution's Phi (Hendrycks & Gimpel, arXiv:1606.08415). Below
// 5.4 Phi - 1/2 is z P(z^2) / Q(z^2), fit by least squares that were weighed anew until the
// greatest error was least, 1.3e-8 of it; beyond, it is 1/2 to within half of what float32 tells.
INLINE float gelu(float z) {
	static const float p[] = {0.39894226f, 0.033029385f, 0.0046289647f, 1.6069513e-4f, 6.3237217e-6f, 2.3591026e-8f};
	static const float q[] = {1, 0.24945885f, 0.028180104f, 0.0018386556f, 7.1172952e-5f, 1.2198248e-6f};
	const float most = 5.4f;
	float c = z > most ? most : z;
	c = c < -most ? -most : c;
	float square = c * c, half = c * polynomial(square, p, 5) / polynomial(square, q, 5);
	half = z >= most ? 0.5f : half;
	half = z <= -most ? -0.5f : half;
	return z * (0.5f + half);
}

// power is 2^x for x from -126 to 126. From -1/2 to 1/2 its polynomial is off by 1e-7.
INLINE float power(float x) {
	static const float a[] = {1, 0.693147f, 0.24022242f, 0.055507336f, 0.009671513f, 0.0013264727f};
	const float round = 0x1.8p23f; // what is added to it loses its fraction
	float shifted = x + round, y;
	uint32_t bits;
	memcpy(&bits, &shifted, sizeof bits);
	bits = (bits << 23) + (127u << 23);
	memcpy(&y, &bits, sizeof y);
	return y * polynomial(x - (shifted - round), a, 5);
}

INLINE float quick_gelu(float z, float alpha) {
	float x = -alpha * (float)M_LOG2E * z;
	x = x > 126 ? 126 : x;
	x = x < -126 ? -126 : x;
	return z / (1 + power(x));
}

VECTORS void captiond_bias_row(void *to, const void *row, const void *bias, int64_t n, float unused) {
	const float *x = row, *b = bias;
	float *y = to;
	for (int64_t i = 0; i < n; i++)
		y[i] = x[i] + b[i];
}

VECTORS void captiond_gelu_row(void *to, const void *row, const void *bias, int64_t n, float unused) {
	const float *x = row, *b = bias;
	float *y = to;
	for (int64_t i = 0; i < n; i++)
		y[i] = gelu(x[i] + b[i]);
}

VECTORS void captiond_quick_gelu_row(void *to, const void *row, const void *bias, int64_t n, float alpha) {
	const float *x = row, *b = bias;
	float *y = to;
	for (int64_t i = 0; i < n; i++)
		y[i] = quick_gelu(x[i] + b[i], alpha);
}

static void quick_gelu_halves(void *to, const void *row, const void *bias, int64_t n, float alpha) {
	const uint16_t *x = row, *b = bias;
	uint16_t *y = to;
	for (int64_t i = 0; i < n; i++)
		y[i] = captiond_narrow(quick_gelu(captiond_widen(x[i]) + captiond_widen(b[i]), alpha));
}

OrtStatus *captiond_read_alpha(captiond_node *n, const OrtKernelInfo *info) {
	return n->api->KernelInfoGetAttribute_float(info, "alpha", &n->alpha);
}

OrtStatus *captiond_begin_biased(const captiond_node *n, OrtKernelContext *context, captiond_biased *b) {
	captiond_tensor x, bias;
	OrtStatus *failed = captiond_input(n, context, 0, &x);
	if (!failed)
		failed = captiond_input(n, context, 1, &bias);
	if (failed)
		return failed;
	if (x.rank < 1 || x.rank > captiond_dims || bias.rank != 1 || bias.dims[0] != x.dims[x.rank - 1])
		return n->api->CreateStatus(invalid, "there is not a bias for each column");
	*b = (captiond_biased){.x = x.data, .bias = bias.data, .rows = 1, .columns = bias.dims[0]};
	for (size_t i = 0; i + 1 < x.rank; i++)
		b->rows *= x.dims[i];
	return captiond_output(n, context, 0, &x, &b->y);
}

// What threads go through: parts of some rows.
typedef struct {
	captiond_biased biased;
	captiond_activate *row;
	float alpha;
	int64_t bytes, part; // of a row, rows of a part
} activation;

static void run(void *work, size_t at) {
	const activation *a = work;
	const captiond_biased *b = &a->biased;
	int64_t end = (at + 1) * a->part < b->rows ? (at + 1) * a->part : b->rows;
	for (int64_t r = at * a->part; r < end; r++)
		a->row((char *)b->y + r * a->bytes, (const char *)b->x + r * a->bytes, b->bias, b->columns, a->alpha);
}

// compute activates rows of numbers of so many bytes.
static OrtStatus *compute(const captiond_node *n, OrtKernelContext *context, activation a, size_t number) {
	OrtStatus *failed = captiond_begin_biased(n, context, &a.biased);
	if (failed || a.biased.rows * a.biased.columns == 0)
		return failed;
	a.bytes = a.biased.columns * number;
	a.part = 1 + part_bytes / a.bytes;
	return n->api->KernelContext_ParallelFor(context, run, (a.biased.rows + a.part - 1) / a.part, 0, &a);
}

OrtStatus *captiond_bias_gelu(void *node, OrtKernelContext *context) {
	return compute(node, context, (activation){.row = captiond_gelu_row}, sizeof(float));
}

OrtStatus *captiond_bias_quick_gelu(void *node, OrtKernelContext *context) {
	const captiond_node *n = node;
	return compute(n, context, (activation){.row = captiond_quick_gelu_row, .alpha = n->alpha}, sizeof(float));
}

OrtStatus *captiond_bias_quick_gelu_halves(void *node, OrtKernelContext *context) {
	const captiond_node *n = node;
	return compute(n, context, (activation){.row = quick_gelu_halves, .alpha = n->alpha}, sizeof(uint16_t));
}
