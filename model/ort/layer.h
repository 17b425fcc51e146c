// A linear layer on x86-64 with AVX-512: what there is to do, cut into parts for threads.
#ifndef CAPTIOND_ORT_LAYER_H
#define CAPTIOND_ORT_LAYER_H

#include "kernel.h"
#include "vectors.h"

enum {
	captiond_panel = 64, // outputs that lie together
	captiond_group = 4,  // inputs of which an instruction adds products of 8 bits up
	captiond_deep = 64,  // inputs of 8 bits of a tile of AMX
	// A sum of so many products of -127..127 and -128..127 has 32 bits. On the way it may be
	// greater: the offset brings it back.
	captiond_most_inputs = INT32_MAX / (127 * 128),
};

typedef struct {
	const float *x;              // [rows, inputs]
	const float *bias;           // [outputs], NULL for none
	captiond_activate *activate; // which adds the bias; NULL for none
	float alpha;
	float *y;                    // [rows, outputs]
	int64_t rows, inputs, outputs;
	void *room;                  // for x as the product has it

	// Weights of float32 are [outputs/64, inputs, 64], filled up with zeros. Those of 8 bits are
	// [outputs/64, depth/4, 64, 4] of whole tiles of inputs; offset, -128 times the sum of an output's
	// weights, and scale, what one of them is worth, have a number for each output, filled up likewise.
	const void *weights;
	const int32_t *offset;
	const float *scale;
} captiond_layer;

// A product multiplies a layer's x by its weights. Parts may run in several threads at a time,
// those of take, which lays x out in its room, before the others; without a room there are none.
typedef struct {
	size_t (*room)(const captiond_layer *l); // bytes
	size_t (*take_parts)(const captiond_layer *l);
	void (*take)(void *layer, size_t part);
	size_t (*parts)(const captiond_layer *l);
	void (*part)(void *layer, size_t part);
} captiond_product;

extern const captiond_product captiond_by_vectors, captiond_by_vnni, captiond_by_amx;

// captiond_multiply computes y, for which it makes the output.
OrtStatus *captiond_multiply(const captiond_node *n, OrtKernelContext *context, captiond_layer *l, const captiond_product *a);

// captiond_pack lays weights [outputs, inputs] of float32 out: as many as captiond_pack_room says.
size_t captiond_pack_room(int64_t inputs, int64_t outputs);
void captiond_pack(const float *weights, int64_t inputs, int64_t outputs, float *to);

// Where numbers of a panel are put together: apart from y where they would reach beyond the outputs.
typedef struct {
	float *at;
	int64_t stride, row, output, outputs;
} captiond_sums;

// captiond_sums_of are those from a row and an output on; edge has room for them, 64 in a row.
captiond_sums captiond_sums_of(const captiond_layer *l, int64_t row, int64_t output, float *edge);

// captiond_finish adds the bias to so many rows of sums, if there is one, activates them, if they are
// to be, and leaves them in y.
void captiond_finish(const captiond_layer *l, captiond_sums s, int64_t rows);

#endif
