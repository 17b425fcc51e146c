package ffmpeg

import (
	"slices"
	"testing"
)

// TestClock: a clock that jumps, either way, goes on with the step before.
func TestClock(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in, want []int64
		jumps    int
	}{
		"steady":             {[]int64{5, 10, 15, 20}, []int64{5, 10, 15, 20}, 0},
		"uneven":             {[]int64{0, 5, 90, 91}, []int64{0, 5, 90, 91}, 0},
		"a little back":      {[]int64{0, 5, 3, 8}, []int64{0, 5, 3, 8}, 0},
		"begins anew":        {[]int64{50, 60, 70, 0, 10}, []int64{50, 60, 70, 80, 90}, 1},
		"leaps ahead":        {[]int64{0, 10, 20, 5000, 5010}, []int64{0, 10, 20, 30, 40}, 1},
		"there and back":     {[]int64{0, 10, 5000, 5010, 20, 30}, []int64{0, 10, 20, 30, 40, 50}, 2},
		"a jump at once":     {[]int64{0, 5000}, []int64{0, 1}, 1},
		"the least and most": {[]int64{0, 10, 1 << 60, -1 << 60}, []int64{0, 10, 20, 30}, 2},
	} {
		clock := clock{ahead: 100, back: 20, last: none}
		var got []int64
		for _, at := range c.in {
			clock.follow(at, 0)
			got = append(got, clock.shift(at))
		}
		if !slices.Equal(got, c.want) || clock.jumps != c.jumps {
			t.Errorf("%s: %v with %d jumps, want %v with %d", name, got, clock.jumps, c.want, c.jumps)
		}
	}
}
