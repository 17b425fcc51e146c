// Attention of all tokens to all on x86-64 with AVX-512: what there is to do, cut into parts
// for threads.
#ifndef CAPTIOND_ORT_ATTEND_H
#define CAPTIOND_ORT_ATTEND_H

#include <stddef.h>
#include <stdint.h>

enum { captiond_most_head = 256 }; // the longest query

typedef struct captiond_arithmetic captiond_arithmetic;

// q, k, v and y are [sequences, tokens, heads, head]; room has captiond_attend_room bytes,
// aligned to a cache line.
typedef struct {
	const captiond_arithmetic *arithmetic;
	const float *q, *k, *v;
	float *y;
	int64_t sequences, tokens, heads, head;
	void *room;
} captiond_attend;

// captiond_float32 needs AVX-512 F, BW, DQ and VL; captiond_int16 needs VNNI, too.
extern const captiond_arithmetic captiond_float32, captiond_int16;

size_t captiond_attend_room(const captiond_attend *a);

// captiond_attend_pack lays out keys and values of one sequence's head: call it for sequences *
// heads parts. When all are done, call captiond_attend_run for captiond_attend_parts parts.
// Parts may run in several threads at a time.
void captiond_attend_pack(void *attend, size_t part);
size_t captiond_attend_parts(const captiond_attend *a);
void captiond_attend_run(void *attend, size_t part);

#endif
