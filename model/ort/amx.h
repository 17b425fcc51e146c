// AMX of x86-64: eight registers, tiles, of at most 16 rows of 64 bytes. A product takes two
// tiles, of rows and of columns, and adds to a tile of sums.
#ifndef CAPTIOND_ORT_AMX_H
#define CAPTIOND_ORT_AMX_H

#include "kernel.h"

// The compiler's own functions of these do not say that a load reads memory.
#define LOAD(tile, at, stride) __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile :: "r"(at), "r"((int64_t)(stride)) : "memory")
#define STORE(tile, at, stride) __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" :: "r"(at), "r"((int64_t)(stride)) : "memory")

enum {
	captiond_tile_rows = 16,
	captiond_tile_row = 64, // bytes
	captiond_tile_bytes = captiond_tile_rows * captiond_tile_row,
};

// captiond_read_amx reads the attribute amx and, where it is 1, asks the system to let this
// process use AMX.
OrtStatus *captiond_read_amx(captiond_node *n, const OrtKernelInfo *info);

// captiond_amx_begin makes all tiles zeros. Those of sums are 0 to 3, two beside each other, 4 and
// 5 are for their rows, 6 and 7 for their columns; 0, 1 and 4 have as many rows as it says.
// captiond_amx_end must follow in the same thread.
void captiond_amx_begin(int64_t rows);
void captiond_amx_end(void);

#endif
