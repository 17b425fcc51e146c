package rtsp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	lost := fmt.Errorf("%w: reset by peer", ErrLost)
	refused, mute := &RefusedError{Code: 453}, &NoVideoError{}
	const s, m = time.Second, time.Minute
	tests := []struct {
		name string
		errs []error
		good time.Duration // of the last attempt
		want []time.Duration
	}{
		{"losses", []error{lost, lost, lost, lost, lost, lost}, 0, []time.Duration{s, 2 * s, 4 * s, 8 * s, 10 * s, 10 * s}},
		{"refusals", slices.Repeat([]error{refused}, 8), 0, []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, m, m}},
		{"no video", slices.Repeat([]error{mute}, 7), 0, []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, m}},
		{"wrong password", slices.Repeat([]error{ErrPassword}, 4), 0, []time.Duration{m, 5 * m, 30 * m, 30 * m}},
		{"good frames", []error{lost, lost, lost, lost}, m, []time.Duration{s, 2 * s, 4 * s, s}},
		{"few good frames", []error{lost, lost, lost, lost}, m - 1, []time.Duration{s, 2 * s, 4 * s, 8 * s}},
		{"password, then losses", []error{ErrPassword, ErrPassword, lost, lost, ErrPassword}, 0, []time.Duration{m, 5 * m, s, 2 * s, m}},
		{"a year", slices.Repeat([]error{lost}, 100), 0, append([]time.Duration{s, 2 * s, 4 * s, 8 * s}, slices.Repeat([]time.Duration{10 * s}, 96)...)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var b backoff
			var got []time.Duration
			for i, err := range test.errs {
				good := time.Duration(0)
				if i == len(test.errs)-1 {
					good = test.good
				}
				got = append(got, b.next(good, err, 0.5))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("waits %v, want %v", got, test.want)
			}
		})
	}
}

func TestBackoffJitter(t *testing.T) {
	t.Parallel()
	for chance, want := range map[float64]time.Duration{0: 700 * time.Millisecond, 0.5: time.Second, 1: 1300 * time.Millisecond} {
		if got := new(backoff).next(0, ErrLost, chance); (got - want).Abs() > time.Microsecond {
			t.Errorf("chance %v: %v, want %v", chance, got, want)
		}
	}
}

// TestSupervise counts the attempts of a day at a camera that is away.
func TestSupervise(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stop := errors.New("stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(24*time.Hour, func() { cancel(stop) })
		attempts, reports := 0, 0
		err := Supervise(ctx, func(ctx context.Context) (time.Duration, error) {
			attempts++
			select {
			case <-time.After(5 * time.Second):
				return 0, ErrLost
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}, func(err error, wait time.Duration) {
			reports++
			if !errors.Is(err, ErrLost) || wait > longestWait {
				t.Errorf("report of %v, then %v", err, wait)
			}
		})
		if !errors.Is(err, stop) || attempts < 24*3600/16 || attempts > 24*3600/11 || attempts-reports > 1 {
			t.Errorf("%d attempts, %d reports, ended with %v", attempts, reports, err)
		}
	})
}
