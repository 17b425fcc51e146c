package pipeline

import (
	"context"
	"iter"
	"time"

	"github.com/captiond/captiond/frames"
)

// shown is one step of a Show.
type shown struct {
	sample frames.Sample
	err    error
}

// ahead runs show in a goroutine that is at most readAhead frames in front of the loop
// over it, and waits for that goroutine before the loop ends. A loop that is left does not
// cancel the context of show, which would end a clip that is to be shown again. A cancelled
// context is the last error of the sequence, whoever notices it first.
func ahead(
	ctx context.Context,
	show func(context.Context, []time.Duration) iter.Seq2[frames.Sample, error],
	at []time.Duration,
) iter.Seq2[frames.Sample, error] {
	return func(yield func(frames.Sample, error) bool) {
		left, ended := make(chan struct{}), make(chan struct{})
		queue := make(chan shown, readAhead)
		go func() {
			defer close(ended)
			defer close(queue)
			for s, err := range show(ctx, at) {
				select {
				case queue <- shown{s, err}:
				case <-left:
					return
				case <-ctx.Done():
					return
				}
			}
		}()
		defer func() {
			close(left)
			<-ended
		}()
		for s := range queue {
			if !yield(s.sample, s.err) || s.err != nil {
				return
			}
		}
		if ctx.Err() != nil {
			yield(frames.Sample{}, context.Cause(ctx))
		}
	}
}
