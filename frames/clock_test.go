package frames

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A camera is a stream as it arrives: 25 access units a second with a network's delay.
type camera struct {
	length  time.Duration
	ppm     float64                                 // by which the camera's PTS run fast
	jitter  time.Duration                           // delays are spread over this
	reorder []int                                   // order of PTS within a group, as B-frames are sent; nil for none
	pts     func(t time.Duration) time.Duration     // added to PTS captured at t
	stall   func(t time.Duration) time.Duration     // added to the delay
	report  func(wall time.Time) (camera time.Time) // what sender reports say; nil for none
	step    func(t time.Duration) time.Duration     // of this machine's wall clock
}

// latency is the least delay of the network.
const latency = 50 * time.Millisecond

// noon is the wall clock at the start.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// told is a moment with the truth.
type told struct {
	Moment
	pts    time.Duration
	truth  time.Time // of capture, by this machine's clock
	stream time.Duration
}

// play sends the stream through a clock.
func (c camera) play(clock *Clock) []told {
	rng := rand.New(rand.NewPCG(4, 4))
	const frame = 40 * time.Millisecond
	zero := func(time.Duration) time.Duration { return 0 }
	for _, f := range []*func(time.Duration) time.Duration{&c.pts, &c.stall, &c.step} {
		if *f == nil {
			*f = zero
		}
	}
	var all []told
	arrival := time.Duration(0)
	for i := range int(c.length / frame) {
		k := i
		if n := len(c.reorder); n > 0 {
			k = i/n*n + c.reorder[i%n]
		}
		t := time.Duration(k) * frame
		sent := time.Duration(max(i, k)) * frame // what is sent before its time waits for its picture
		arrival = max(arrival, sent+latency+c.stall(sent)+time.Duration(rng.Float64()*float64(c.jitter)))
		wall := noon.Add(arrival + c.step(arrival))
		s := Stamp{PTS: t + time.Duration(float64(t)*c.ppm*1e-6) + c.pts(t), Arrival: arrival, Wall: wall}
		if c.report != nil {
			s.Camera = c.report(noon.Add(t))
		}
		all = append(all, told{clock.Read(s), s.PTS, noon.Add(t + c.step(arrival)), t})
	}
	return all
}

// after is 0 before an instant and d from then on.
func after(at, d time.Duration) func(time.Duration) time.Duration {
	return func(t time.Duration) time.Duration {
		if t < at {
			return 0
		}
		return d
	}
}

// during is d between two instants, else 0.
func during(from, to, d time.Duration) func(time.Duration) time.Duration {
	return func(t time.Duration) time.Duration {
		if t < from || t >= to {
			return 0
		}
		return d
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	right := func(wall time.Time) time.Time { return wall }
	const hour, second = time.Hour, time.Second
	tests := []struct {
		name   string
		camera camera
		breaks []Discontinuity // after the start
		source ClockSource     // at the end
		error  time.Duration   // most, at the end
	}{
		{"steady", camera{length: 60 * second}, nil, Arrival, 60 * time.Millisecond},
		{"b-frames", camera{length: 60 * second, jitter: 30 * time.Millisecond, reorder: []int{0, 4, 2, 1, 3, 8, 6, 5, 7}}, nil, Arrival, 250 * time.Millisecond},
		{"jitter", camera{length: 20 * time.Minute, jitter: 600 * time.Millisecond}, nil, Arrival, 250 * time.Millisecond},
		{"drift", camera{length: hour, ppm: 200, jitter: 100 * time.Millisecond}, nil, Arrival, 250 * time.Millisecond},
		{"drift back", camera{length: hour, ppm: -200, jitter: 100 * time.Millisecond}, nil, Arrival, 250 * time.Millisecond},
		{"jump ahead", camera{length: 60 * second, pts: after(30*second, hour)}, []Discontinuity{Jumped}, Arrival, 60 * time.Millisecond},
		{"jump back", camera{length: 60 * second, pts: after(30*second, -hour)}, []Discontinuity{Jumped}, Arrival, 60 * time.Millisecond},
		{"jump back a little", camera{length: 60 * second, pts: after(30*second, -100*second)}, []Discontinuity{Jumped}, Arrival, 60 * time.Millisecond},
		{"two jumps", camera{length: 60 * second, pts: during(20*second, 40*second, hour)}, []Discontinuity{Jumped, Jumped}, Arrival, 60 * time.Millisecond},
		{"stalled network", camera{length: 60 * second, stall: during(30*second, 30*second+40*time.Millisecond, 4*second)}, nil, Arrival, 60 * time.Millisecond},
		{"paused camera", camera{length: 60 * second, stall: after(30*second, 3*second), pts: nil}, []Discontinuity{Jumped}, Arrival, 4 * second},
		{"reports", camera{length: 60 * second, jitter: 300 * time.Millisecond, report: right}, nil, RTCP, 5 * time.Millisecond},
		{"reports and b-frames", camera{length: 60 * second, reorder: []int{0, 4, 2, 1, 3, 8, 6, 5, 7}, report: right}, nil, RTCP, 5 * time.Millisecond},
		{"reports four seconds behind", camera{length: 90 * second, report: func(w time.Time) time.Time { return w.Add(-4 * second) }}, nil, RTCP, 4100 * time.Millisecond},
		{"reports a year ahead", camera{length: 60 * second, report: func(w time.Time) time.Time { return w.AddDate(1, 0, 0) }}, nil, Arrival, 60 * time.Millisecond},
		{"reports of 1970", camera{length: 60 * second, report: func(w time.Time) time.Time { return w.AddDate(-56, 0, 0) }}, nil, Arrival, 60 * time.Millisecond},
		{"reports that step", camera{length: 60 * second, report: func(w time.Time) time.Time {
			if w.Before(noon.Add(30 * second)) {
				return w
			}
			return w.AddDate(1, 0, 0)
		}}, nil, Arrival, 120 * time.Millisecond},
		{"wall clock steps ahead", camera{length: 60 * second, step: after(30*second, hour)}, []Discontinuity{Stepped}, Arrival, 60 * time.Millisecond},
		{"wall clock steps back", camera{length: 60 * second, step: after(30*second, -hour)}, []Discontinuity{Stepped}, Arrival, 60 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all := test.camera.play(new(Clock))
			var breaks []Discontinuity
			for _, m := range all {
				if m.New != "" {
					breaks = append(breaks, m.New)
				}
			}
			if want := append([]Discontinuity{Started}, test.breaks...); !slices.Equal(breaks, want) {
				t.Errorf("epochs began by %q, want %q", breaks, want)
			}
			checkOrder(t, all)
			end := all[len(all)-1]
			if off := end.Wall.Sub(end.truth).Abs(); off > test.error || end.Source != test.source {
				t.Errorf("the end is off by %v by %s, want %v by %s", off, end.Source, test.error, test.source)
			}
		})
	}
}

// checkOrder holds moments to order: epochs by number, and times within them by PTS.
func checkOrder(t *testing.T, all []told) {
	t.Helper()
	for i := 1; i < len(all); i++ {
		if a, b := all[i-1], all[i]; b.Epoch < a.Epoch || (b.Epoch == a.Epoch) != (b.New == "") {
			t.Fatalf("epoch %d follows %d with %q", b.Epoch, a.Epoch, b.New)
		}
	}
	byPTS := slices.SortedStableFunc(slices.Values(all), func(a, b told) int {
		if a.Epoch != b.Epoch {
			return int(a.Epoch - b.Epoch)
		}
		return int(a.pts - b.pts)
	})
	for i := 1; i < len(byPTS); i++ {
		a, b := byPTS[i-1], byPTS[i]
		if a.Epoch == b.Epoch && (b.Wall.Before(a.Wall) || b.At < a.At) {
			t.Fatalf("at %v time runs from %v back to %v", b.stream, a.Wall, b.Wall)
		}
	}
}

// TestClockStatesItsError has the truth lie within the bound, once the clock has seen a
// little of the stream, wherever the source can know.
func TestClockStatesItsError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]camera{
		"arrival": {length: 10 * time.Minute, jitter: 300 * time.Millisecond},
		"rtcp":    {length: time.Minute, jitter: 300 * time.Millisecond, report: func(w time.Time) time.Time { return w }},
	} {
		for _, m := range c.play(new(Clock)) {
			if off := m.Wall.Sub(m.truth).Abs(); off > m.Error {
				t.Fatalf("%s: at %v the time is off by %v, the bound is %v", name, m.stream, off, m.Error)
			}
		}
	}
}

// TestClockAfterReconnect numbers the epochs of two connections, even where the wall clock
// went back between them.
func TestClockAfterReconnect(t *testing.T) {
	t.Parallel()
	first := (&Clock{}).Read(Stamp{Wall: noon})
	second := (&Clock{Last: first.Epoch}).Read(Stamp{Wall: noon.Add(-time.Minute)})
	if first.Epoch != noon.UnixMilli() || second.Epoch != first.Epoch+1 || second.New != Started {
		t.Errorf("epochs %d and %d (%q)", first.Epoch, second.Epoch, second.New)
	}
}
