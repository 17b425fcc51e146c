package model

import "sync"

// number is what pictures and features are made of: float32, or the bits of float16 in that
// precision.
type number interface{ float32 | uint16 }

// buffers lend memory for the inputs of runs. New memory would be zeroed by one processor
// first, and given out by the system page by page, which together take longer than it takes
// all processors to fill it. What nobody borrows for a while is freed.
type buffers[T number] struct{ pool sync.Pool } // of *[]T

// borrow is room for n numbers, which may be any, until giveBack.
func (b *buffers[T]) borrow(n int) []T {
	if data, ok := b.pool.Get().(*[]T); ok && cap(*data) >= n {
		return (*data)[:n]
	}
	return make([]T, n)
}

func (b *buffers[T]) giveBack(data []T) { b.pool.Put(&data) }

// inputs are the buffers of the encoder's and of the prefix graph's inputs, which differ much
// in size.
type inputs[T number] struct{ pictures, windows buffers[T] }

// lend borrows room for n parts of so many numbers each and has all parts filled, side by side.
func lend[T number](b *buffers[T], n, each int, fill func(part []T, i int)) (data any, giveBack func()) {
	lent := b.borrow(n * each)
	sideBySide(n, each, func(i int) { fill(lent[i*each:(i+1)*each], i) })
	return lent, func() { b.giveBack(lent) }
}
