package frames

import (
	"iter"
	"math/bits"
	"time"
)

// minTail is the shortest stretch that is a window of its own at the end of a clip: a
// shorter tail joins the window before it.
const minTail = time.Second

// Window is a half-open stretch of a clip, [Start, End), with Start <= End.
type Window struct{ Start, End time.Duration }

// Every cuts a stretch into windows of the given length, which is positive, in order and
// without gaps. A tail under one second, or under one length where that is shorter, joins
// the window before it; a stretch that is no
// longer than one window is one, even if it is empty. The windows are made as they are
// asked for, since a file may claim to be any length.
func Every(stretch Window, length time.Duration) iter.Seq[Window] {
	return func(yield func(Window) bool) {
		start := stretch.Start
		for rest(start, stretch.End) >= rest(0, length)+uint64(min(minTail, length)) {
			if !yield(Window{start, start + length}) {
				return
			}
			start += length
		}
		yield(Window{start, max(start, stretch.End)})
	}
}

// rest is how long it is from a to b, 0 if that is past. It cannot overflow.
func rest(a, b time.Duration) uint64 {
	if b < a {
		return 0
	}
	return uint64(b) - uint64(a)
}

// Instants returns the centres of n equal parts of the window, in order, rounded down.
func (w Window) Instants(n int) []time.Duration {
	at := make([]time.Duration, n)
	length := rest(w.Start, w.End)
	for i := range at {
		// length*(2i+1)/(2n), in 128 bits
		hi, lo := bits.Mul64(length, uint64(2*i+1))
		q, _ := bits.Div64(hi, lo, uint64(2*n))
		at[i] = w.Start + time.Duration(q)
	}
	return at
}
