package model

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// worthwhile is how many numbers a goroutine has to go through at least: fewer are done
// before it has begun.
const worthwhile = 25_000

// sideBySide calls do for 0 to n-1, each of which goes through so many numbers, and returns
// when all are done. Where there is enough work as many goroutines as there are processors
// share it, each taking what is next; else the caller does it alone, in order.
func sideBySide(n, numbers int, do func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n, n*numbers/worthwhile)
	if workers < 2 {
		for i := range n {
			do(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				do(i - 1)
			}
		})
	}
	wg.Wait()
}
