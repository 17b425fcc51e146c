// What all operators with AVX-512 share.
#ifndef CAPTIOND_ORT_VECTORS_H
#define CAPTIOND_ORT_VECTORS_H

#include <stdint.h>

#define VECTORS __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))

enum { lanes = 16 }; // 32-bit numbers of a vector

static inline int64_t captiond_least(int64_t a, int64_t b) { return a < b ? a : b; }

// captiond_whole is how many of a size n needs, and captiond_up what they hold together.
static inline int64_t captiond_whole(int64_t n, int64_t of) { return (n + of - 1) / of; }
static inline int64_t captiond_up(int64_t n, int64_t to) { return captiond_whole(n, to) * to; }

// captiond_first is a mask of the first n numbers of a vector, of all, or of none where n is not
// above 0.
static inline uint16_t captiond_first(int64_t n) { return n >= lanes ? 0xffff : n > 0 ? (1u << n) - 1 : 0; }

#endif
