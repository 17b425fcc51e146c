// Memory for weights and tensors in pages of 2 MiB. A decoder's step reads every weight
// once, and an encoder's products read all of theirs: with pages of 4 KiB much of that time
// is spent on finding pages, the more so in a virtual machine. The C library's allocator
// asks for large pages only where all of a program's memory shall have them.
#ifndef CAPTIOND_ORT_HEAP_H
#define CAPTIOND_ORT_HEAP_H

#include <stddef.h>

// captiond_heap_alloc returns size bytes, aligned to a cache line; NULL where there are
// none, or for size 0. It and captiond_heap_free may be called by several threads.
void *captiond_heap_alloc(size_t size);
void captiond_heap_free(void *p);

// captiond_heap_held is the address space that the heap has from the system.
size_t captiond_heap_held(void);

#endif
