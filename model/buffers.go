package model

import "sync"

// buffers lend memory for the inputs of runs. New memory would be zeroed by one processor
// first, and given out by the system page by page, which together take longer than it takes
// all processors to fill it. What nobody borrows for a while is freed.
type buffers struct{ pool sync.Pool } // of *[]float32

// borrow is room for n numbers, which may be any, until giveBack.
func (b *buffers) borrow(n int) []float32 {
	if data, ok := b.pool.Get().(*[]float32); ok && cap(*data) >= n {
		return (*data)[:n]
	}
	return make([]float32, n)
}

func (b *buffers) giveBack(data []float32) { b.pool.Put(&data) }
