// Layer normalisation (Ba et al. 2016, arXiv:1607.06450) on CPUs, of sums or of rows as they are.
#include "kernel.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#ifdef __x86_64__
#define VECTORS __attribute__((target_clones("default", "arch=x86-64-v3", "avx512f")))
#else
#define VECTORS
#endif

enum {
	lanes = 16,
	part_bytes = 1 << 16, // that a thread goes through at a time, at least
};

// Sums of a row are kept in so many parts that they fill the widest vector.
typedef float vector __attribute__((vector_size(lanes * sizeof(float))));

// What threads go through: parts of some rows. sum, y and bias are NULL where rows are
// normalised as they are.
typedef struct {
	const float *x, *y, *bias, *weight, *shift;
	float *norm, *sum;
	int64_t rows, columns, part;
	float epsilon;
} work;

// total adds up n numbers, or the squares of how far they are from a mean.
static inline __attribute__((always_inline)) float total(const float *x, int64_t n, float mean, int squares) {
	vector parts = {0}, v;
	int64_t i = 0;
	for (; i + lanes <= n; i += lanes) {
		memcpy(&v, x + i, sizeof v);
		parts += squares ? (v - mean) * (v - mean) : v;
	}
	float all = 0;
	for (int l = 0; l < lanes; l++)
		all += parts[l];
	for (; i < n; i++)
		all += squares ? (x[i] - mean) * (x[i] - mean) : x[i];
	return all;
}

VECTORS static void row(const work *w, int64_t at) {
	int64_t n = w->columns;
	const float *x = w->x + at;
	if (w->sum) {
		float *sum = w->sum + at;
		for (int64_t i = 0; i < n; i++)
			sum[i] = x[i] + w->y[at + i] + w->bias[i];
		x = sum;
	}
	float mean = total(x, n, 0, 0) / n, scale = 1 / sqrtf(total(x, n, mean, 1) / n + w->epsilon);
	for (int64_t i = 0; i < n; i++)
		w->norm[at + i] = (x[i] - mean) * scale * w->weight[i] + w->shift[i];
}

static void run(void *all, size_t part) {
	const work *w = all;
	int64_t end = (part + 1) * w->part < w->rows ? (part + 1) * w->part : w->rows;
	for (int64_t r = part * w->part; r < end; r++)
		row(w, r * w->columns);
}

OrtStatus *captiond_read_epsilon(captiond_node *n, const OrtKernelInfo *info) {
	return n->api->KernelInfoGetAttribute_float(info, "epsilon", &n->epsilon);
}

// same tells whether y is shaped as x, and fits whether v has a number for each column.
static bool same(const captiond_tensor *x, const captiond_tensor *y) {
	return x->rank == y->rank && !memcmp(x->dims, y->dims, x->rank * sizeof *x->dims);
}

static bool fits(const captiond_tensor *x, const captiond_tensor *v) { return v->rank == 1 && v->dims[0] == x->dims[x->rank - 1]; }

// begin reads x, y where there are sums, and vectors, of which the first is the bias of sums.
static OrtStatus *begin(const captiond_node *n, OrtKernelContext *context, captiond_tensor *in, bool sums) {
	int rows = sums ? 2 : 1, all = sums ? 5 : 3;
	OrtStatus *failed = NULL;
	for (int i = 0; !failed && i < all; i++)
		failed = captiond_input(n, context, i, &in[i]);
	bool good = !failed && in[0].rank > 0 && in[0].rank <= captiond_dims && same(&in[0], &in[rows - 1]);
	for (int i = rows; good && i < all; i++)
		good = fits(&in[0], &in[i]);
	return failed || good ? failed : n->api->CreateStatus(invalid, "rows to be normalised are not shaped alike, or vectors are not as long as rows");
}

static OrtStatus *compute(const captiond_node *n, OrtKernelContext *context, work w, const captiond_tensor *x) {
	w.x = x->data, w.epsilon = n->epsilon, w.rows = 1, w.columns = x->dims[x->rank - 1];
	for (size_t i = 0; i + 1 < x->rank; i++)
		w.rows *= x->dims[i];
	if (w.rows * w.columns == 0)
		return NULL;
	w.part = 1 + part_bytes / (w.columns * sizeof(float));
	return n->api->KernelContext_ParallelFor(context, run, (w.rows + w.part - 1) / w.part, 0, &w);
}

OrtStatus *captiond_layer_norm(void *node, OrtKernelContext *context) {
	const captiond_node *n = node;
	captiond_tensor in[3];
	OrtStatus *failed = begin(n, context, in, false);
	if (failed)
		return failed;
	work w = {.weight = in[1].data, .shift = in[2].data};
	failed = captiond_output(n, context, 0, &in[0], &w.norm);
	return failed ? failed : compute(n, context, w, &in[0]);
}

OrtStatus *captiond_add_norm(void *node, OrtKernelContext *context) {
	const captiond_node *n = node;
	captiond_tensor in[5];
	OrtStatus *failed = begin(n, context, in, true);
	if (failed)
		return failed;
	work w = {.y = in[1].data, .bias = in[2].data, .weight = in[3].data, .shift = in[4].data};
	failed = captiond_output(n, context, 0, &in[0], &w.norm);
	if (!failed)
		failed = captiond_output(n, context, 1, &in[0], &w.sum);
	return failed ? failed : compute(n, context, w, &in[0]);
}
