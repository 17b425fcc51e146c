#define _GNU_SOURCE
#include "heap.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
	line = 64,                // alignment of blocks, size of their heads
	page = 2 << 20,           // a large page of x86-64, and of arm64 with small ones of 4 KiB
	region_size = 128 << 20,
	small = 64 << 10,         // smaller blocks are the C library's: they cross few pages
};

// A region of the system's memory is cut into blocks without gaps. A block in use begins with
// a line that points to its description; one of the C library has NULL there. Descriptions lie
// elsewhere, so that memory which was never used stays untouched and takes no page. Free
// blocks are in one list, wherever they are, and no two of them are neighbours.
typedef struct block {
	char *at;
	size_t size;
	struct block *before, *behind; // neighbours in the region, NULL at its ends
	struct block *previous, *next; // in the list of free blocks
	int is_free;
} block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static block *free_blocks;
static block *spare; // a region that is free as a whole and is kept for the next use
static size_t held;

static void list(block *b) {
	b->is_free = 1;
	b->previous = NULL;
	b->next = free_blocks;
	if (free_blocks)
		free_blocks->previous = b;
	free_blocks = b;
}

static void unlist(block *b) {
	b->is_free = 0;
	if (b->previous)
		b->previous->next = b->next;
	else
		free_blocks = b->next;
	if (b->next)
		b->next->previous = b->previous;
	if (spare == b)
		spare = NULL;
}

// map adds a region in which a block of size bytes has room.
static block *map(size_t size) {
	size_t n = size < region_size ? region_size : (size + page - 1) / page * page;
	block *b = malloc(sizeof *b);
	if (!b)
		return NULL;
	char *p = mmap(NULL, n + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		free(b);
		return NULL;
	}
	size_t skip = (page - (uintptr_t)p % page) % page;
	if (skip)
		munmap(p, skip);
	munmap(p + skip + n, page - skip);
	madvise(p + skip, n, MADV_HUGEPAGE); // where the system has none, small pages do
	held += n;
	*b = (block){.at = p + skip, .size = n};
	list(b);
	return b;
}

static void unmap(block *b) {
	held -= b->size;
	munmap(b->at, b->size);
	free(b);
}

// best is the smallest free block of at least size bytes.
static block *best(size_t size) {
	block *found = NULL;
	for (block *b = free_blocks; b; b = b->next)
		if (b->size >= size && (!found || b->size < found->size))
			found = b;
	return found ? found : map(size);
}

// cut leaves size bytes of a block that is in use, and frees the rest.
static void cut(block *b, size_t size) {
	block *rest = b->size - size < small ? NULL : malloc(sizeof *rest);
	if (!rest)
		return;
	*rest = (block){.at = b->at + size, .size = b->size - size, .before = b, .behind = b->behind};
	if (rest->behind)
		rest->behind->before = rest;
	b->size = size;
	b->behind = rest;
	list(rest);
}

// join adds to a block the one behind it; neither is in the list.
static block *join(block *b, block *behind) {
	b->size += behind->size;
	b->behind = behind->behind;
	if (b->behind)
		b->behind->before = b;
	free(behind);
	return b;
}

void *captiond_heap_alloc(size_t size) {
	if (size == 0 || size > SIZE_MAX / 2)
		return NULL;
	size_t whole = line + (size + line - 1) / line * line;
	block *b = NULL;
	char *at = NULL;
	if (whole < small) {
		if (posix_memalign((void **)&at, line, whole) != 0)
			return NULL;
	} else {
		pthread_mutex_lock(&lock);
		b = best(whole);
		if (b) {
			unlist(b);
			cut(b, whole);
			at = b->at;
		}
		pthread_mutex_unlock(&lock);
		if (!at)
			return NULL;
	}
	*(block **)at = b;
	return at + line;
}

void captiond_heap_free(void *p) {
	if (!p)
		return;
	block *b = *(block **)((char *)p - line);
	if (!b) {
		free((char *)p - line);
		return;
	}
	pthread_mutex_lock(&lock);
	if (b->behind && b->behind->is_free) {
		unlist(b->behind);
		b = join(b, b->behind);
	}
	if (b->before && b->before->is_free) {
		unlist(b->before);
		b = join(b->before, b);
	}
	int whole = !b->before && !b->behind;
	if (whole && (spare || b->size > region_size)) {
		unmap(b);
	} else {
		list(b);
		if (whole)
			spare = b;
	}
	pthread_mutex_unlock(&lock);
}

size_t captiond_heap_held(void) {
	pthread_mutex_lock(&lock);
	size_t n = held;
	pthread_mutex_unlock(&lock);
	return n;
}
