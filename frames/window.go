package frames

import "time"

// minTail is the shortest stretch that is a window of its own at the end of a clip: a
// shorter tail joins the window before it.
const minTail = time.Second

// Window is a half-open stretch of a clip, [Start, End).
type Window struct{ Start, End time.Duration }

// Every cuts [from, to) into windows of the given length. A tail under one second
// joins the window before it; an empty stretch gives one window at from.
func Every(from, to, length time.Duration) []Window {
	var ws []Window
	for start := from; ; start += length {
		end := start + length
		if to-end < minTail {
			return append(ws, Window{start, max(to, from)})
		}
		ws = append(ws, Window{start, end})
	}
}

// Instants returns the centres of n equal parts of the window, in order.
func (w Window) Instants(n int) []time.Duration {
	at := make([]time.Duration, n)
	for i := range at {
		at[i] = w.Start + (w.End-w.Start)*time.Duration(2*i+1)/time.Duration(2*n)
	}
	return at
}
