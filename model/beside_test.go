package model

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
)

func TestSideBySideDoesAllOnce(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 3, 100} {
		for _, numbers := range []int{0, 1, worthwhile, 1 << 30} {
			done := make([]atomic.Int64, n)
			sideBySide(n, numbers, func(i int) { done[i].Add(1) })
			for i := range done {
				if got := done[i].Load(); got != 1 {
					t.Errorf("%d of %d with %d numbers is done %d times", i, n, numbers, got)
				}
			}
		}
	}
}

// TestSideBySideShares waits in each for the other, which one goroutine cannot.
func TestSideBySideShares(t *testing.T) {
	t.Parallel()
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("there is one processor")
	}
	var meet [2]chan struct{}
	meet[0], meet[1] = make(chan struct{}), make(chan struct{})
	sideBySide(2, worthwhile, func(i int) {
		close(meet[i])
		<-meet[1-i]
	})
}

// TestSideBySideInTurn holds small work to one goroutine and its order.
func TestSideBySideInTurn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ n, numbers int }{{1, 1 << 30}, {100, worthwhile / 100}} {
		var order []int
		sideBySide(c.n, c.numbers, func(i int) { order = append(order, i) })
		if len(order) != c.n || !slices.IsSorted(order) {
			t.Errorf("%+v: %v", c, order)
		}
	}
}
