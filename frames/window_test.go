package frames

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestEvery(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for name, c := range map[string]struct {
		stretch Window
		length  time.Duration
		want    []Window
	}{
		"empty":                  {Window{0, 0}, 10 * s, []Window{{0, 0}}},
		"one frame":              {Window{0, s / 25}, 10 * s, []Window{{0, s / 25}}},
		"exactly one":            {Window{0, 10 * s}, 10 * s, []Window{{0, 10 * s}}},
		"a tail that joins":      {Window{0, 11*s - 1}, 10 * s, []Window{{0, 11*s - 1}}},
		"a tail of its own":      {Window{0, 11 * s}, 10 * s, []Window{{0, 10 * s}, {10 * s, 11 * s}}},
		"two":                    {Window{0, 20 * s}, 10 * s, []Window{{0, 10 * s}, {10 * s, 20 * s}}},
		"from within":            {Window{12 * s, 20 * s}, 5 * s, []Window{{12 * s, 17 * s}, {17 * s, 20 * s}}},
		"shorter than a tail":    {Window{0, 2 * s}, s / 2, []Window{{0, s / 2}, {s / 2, s}, {s, s * 3 / 2}, {s * 3 / 2, 2 * s}}},
		"a tail of short ones":   {Window{0, s * 7 / 10}, s / 2, []Window{{0, s * 7 / 10}}},
		"before the first frame": {Window{-2 * s, 2 * s}, 2 * s, []Window{{-2 * s, 0}, {0, 2 * s}}},
		"the wrong way round":    {Window{5 * s, 2 * s}, s, []Window{{5 * s, 5 * s}}},
		"absurd length":          {Window{0, 3 * s}, math.MaxInt64, []Window{{0, 3 * s}}},
		"all of time":            {Window{math.MinInt64, math.MaxInt64}, math.MaxInt64, []Window{{math.MinInt64, -1}, {-1, math.MaxInt64 - 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := slices.Collect(Every(c.stretch, c.length))
			if name == "all of time" { // the last nanosecond joins
				c.want[1].End = math.MaxInt64
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestEveryIsLazy: a file that claims to last for ever costs only what is taken of it.
func TestEveryIsLazy(t *testing.T) {
	t.Parallel()
	n := 0
	for w := range Every(Window{0, math.MaxInt64}, time.Millisecond) {
		if n++; n == 3 {
			if w != (Window{2 * time.Millisecond, 3 * time.Millisecond}) {
				t.Errorf("third window %v", w)
			}
			break
		}
	}
}

// TestWindowsCover: windows lie end to end over the stretch, only the last may differ in
// length, none but the only one ends in a tail under a second, and the instants ascend
// within them, at equal distances but for rounding.
func TestWindowsCover(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		stretch := Window{Start: time.Duration(rng.Int64N(int64(time.Hour))) - 30*time.Minute}
		stretch.End = stretch.Start + time.Duration(rng.Int64N(int64(10*time.Minute)))
		length := 100*time.Millisecond + time.Duration(rng.Int64N(int64(time.Minute)))
		ws := slices.Collect(Every(stretch, length))
		at := stretch.Start
		for i, w := range ws {
			if w.Start != at {
				t.Fatalf("%v every %v: window %d begins at %v, want %v", stretch, length, i, w.Start, at)
			}
			if i < len(ws)-1 && w.End-w.Start != length {
				t.Fatalf("%v every %v: window %d is %v", stretch, length, i, w)
			}
			checkInstants(t, w, 1+rng.IntN(12))
			at = w.End
		}
		last := ws[len(ws)-1]
		if at != stretch.End || last.End-last.Start >= length+time.Second {
			t.Fatalf("%v every %v: the last window is %v", stretch, length, last)
		}
		if len(ws) > 1 && last.End-last.Start < min(time.Second, length) {
			t.Fatalf("%v every %v: a tail of %v", stretch, length, last.End-last.Start)
		}
	}
}

func checkInstants(t *testing.T, w Window, n int) {
	t.Helper()
	at := w.Instants(n)
	if len(at) != n || !slices.IsSorted(at) || at[0] < w.Start || at[n-1] > w.End || w.End > w.Start && at[n-1] >= w.End {
		t.Fatalf("%d instants of %v: %v", n, w, at)
	}
	part := (w.End - w.Start) / time.Duration(n)
	for i := range at {
		centre := w.Start + time.Duration(i)*part + part/2
		if d := at[i] - centre; d < -2*time.Nanosecond || d > time.Duration(n)+2 {
			t.Fatalf("instant %d of %d in %v: %v, want %v", i, n, w, at[i], centre)
		}
	}
}

func TestInstants(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, c := range []struct {
		w    Window
		n    int
		want []time.Duration
	}{
		{Window{0, 6 * time.Second}, 6, []time.Duration{500 * ms, 1500 * ms, 2500 * ms, 3500 * ms, 4500 * ms, 5500 * ms}},
		{Window{10 * time.Second, 20 * time.Second}, 1, []time.Duration{15 * time.Second}},
		{Window{time.Second, time.Second}, 2, []time.Duration{time.Second, time.Second}},
		{Window{0, math.MaxInt64}, 2, []time.Duration{math.MaxInt64 / 4, math.MaxInt64/4*3 + 2}},
	} {
		if got := c.w.Instants(c.n); !slices.Equal(got, c.want) {
			t.Errorf("%d instants of %v: %v, want %v", c.n, c.w, got, c.want)
		}
	}
}
