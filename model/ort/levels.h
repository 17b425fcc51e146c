// Rows in levels of 8 bits, 128 of which is zero: instructions multiply unsigned numbers by signed
// ones.
#ifndef CAPTIOND_ORT_LEVELS_H
#define CAPTIOND_ORT_LEVELS_H

#include "layer.h"

// A layer's room has what a level of each row is worth, and levels: [rows/n, depth/64, n, 64] for n
// rows together. Depth is inputs in whole tiles.
static inline int64_t captiond_depth(const captiond_layer *l) { return captiond_up(l->inputs, captiond_deep); }

size_t captiond_levels_room(const captiond_layer *l);
float *captiond_worth_of(const captiond_layer *l, int64_t row);
uint8_t *captiond_levels_of(const captiond_layer *l, int64_t row, int64_t together);

// captiond_take_levels makes levels of a part of x.
size_t captiond_take_parts(const captiond_layer *l);
void captiond_take_levels(const captiond_layer *l, size_t part, int64_t together);

#endif
