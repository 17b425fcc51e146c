package ort

/*
#include "heap.h"
*/
import "C"

import "unsafe"

// allocate, deallocate and held call the heap of large pages as the library does. It is C because
// the library calls it many times a run; these are for its tests, which cannot use cgo.
func allocate(size int) unsafe.Pointer { return C.captiond_heap_alloc(C.size_t(size)) }
func deallocate(p unsafe.Pointer)      { C.captiond_heap_free(p) }
func held() int                        { return int(C.captiond_heap_held()) }
