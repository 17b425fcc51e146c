package pipeline

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/captiond/captiond/frames"
)

// TestAheadLeft leaves the loop at some frame while show has more to do: what is shown goes on
// to its own end, and the context, whose end would end the clip, stays.
func TestAheadLeft(t *testing.T) {
	t.Parallel()
	for name, leaveAt := range map[string]int{"at the first frame": 0, "at the last frame": 9, "never": 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var ended error
				done := false
				show := func(ctx context.Context, at []time.Duration) iter.Seq2[frames.Sample, error] {
					return func(yield func(frames.Sample, error) bool) {
						defer func() {
							time.Sleep(time.Second) // the loop is left long before
							ended, done = ctx.Err(), true
						}()
						for i := range at {
							if !yield(frames.Sample{First: i, Count: 1}, nil) {
								return
							}
						}
					}
				}
				n := 0
				for s, err := range ahead(t.Context(), show, make([]time.Duration, 10)) {
					if err != nil || s.First != n {
						t.Fatalf("frame %d is %+v, %v", n, s, err)
					}
					if n == leaveAt {
						break
					}
					n++
				}
				if n != leaveAt || !done || ended != nil {
					t.Errorf("left at %d, done %v, context %v", n, done, ended)
				}
			})
		})
	}
}
