package rtsp

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// The waits between attempts.
const (
	firstWait   = time.Second
	longestWait = 10 * time.Second // after losses: a camera that is back is seen soon
	refusedWait = time.Minute      // longest, where the camera refuses the session
	goodTime    = time.Minute      // of frames, after which failures are forgotten
	jitter      = 0.3              // waits differ by this part, so that cameras do not come in step
)

// passwordWaits are longer: cameras lock out who tries often.
func passwordWaits() []time.Duration {
	return []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute}
}

// Supervise makes attempt after attempt until ctx ends, whose cause it returns. It never
// gives up and never storms: the waits between attempts grow to 10 s, to a minute where the
// camera refuses, and to half an hour where it refuses the password. An attempt returns for
// how long frames were good, and why it ended. Report is told of each end, and of the wait
// before the next attempt.
func Supervise(ctx context.Context, attempt func(context.Context) (good time.Duration, err error), report func(error, time.Duration)) error {
	var b backoff
	for {
		good, err := attempt(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		wait := b.next(good, err, rand.Float64())
		report(err, wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// backoff counts attempts that failed in the same way.
type backoff struct {
	passwords, others int
}

// next is how long to wait after an attempt; chance is from 0 to 1.
func (b *backoff) next(good time.Duration, err error, chance float64) time.Duration {
	if good >= goodTime {
		*b = backoff{}
	}
	if errors.Is(err, ErrPassword) {
		b.others = 0
		waits := passwordWaits()
		b.passwords++
		return waits[min(b.passwords, len(waits))-1]
	}
	b.passwords = 0
	longest := longestWait
	var refused *RefusedError
	var noVideo *NoVideoError
	if errors.As(err, &refused) || errors.As(err, &noVideo) {
		longest = refusedWait
	}
	wait := min(firstWait<<min(b.others, 10), longest)
	b.others++
	return min(wait+time.Duration((2*chance-1)*jitter*float64(wait)), longest)
}
