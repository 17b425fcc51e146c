package live

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/captiond/captiond/sinks"
)

// Gate off: each sampled frame is encoded once, each window captioned, whatever the number of
// questions.
func TestEveryWindowOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(film(600, grey(128), nil))
		s.Questions = []Question{{"one", "is it grey?"}, {"two", "how grey?"}}
		s.run(t, 59*time.Second)
		captions, answers := of[*sinks.Caption](s.events), of[*sinks.Answer](s.events)
		n := len(captions)
		if n < 115 || n > 118 || len(answers) != 2*n || s.parrot.begun != n {
			t.Fatalf("%d captions, %d answers, %d windows begun", n, len(answers), s.parrot.begun)
		}
		if ratio := float64(s.parrot.encoded) / float64(n); ratio < 0.98 || ratio > 1.02 {
			t.Errorf("%.3f encoder runs a window", ratio)
		}
		checkWindows(t, captions)
		for _, c := range captions[:n-1] {
			if c.LatencyMS > 200 {
				t.Errorf("window to %v: %d ms", c.End, c.LatencyMS)
			}
		}
	})
}

// checkWindows sees that windows follow one another at the stride, are as long as they may be,
// and show frames of their own stretch in order.
func checkWindows(t *testing.T, captions []*sinks.Caption) {
	t.Helper()
	for i, c := range captions {
		if i > 0 && c.End-captions[i-1].End != 500 {
			t.Errorf("window %d ends at %v after %v", i, c.End, captions[i-1].End)
		}
		if want := max(0, c.End-3000); c.Start != want {
			t.Errorf("window %v-%v does not begin at %v", c.Start, c.End, want)
		}
		if len(c.Frames) != 6 || !slices.IsSorted(c.Frames) || c.Frames[5] > c.End {
			t.Errorf("window %v-%v shows %v", c.Start, c.End, c.Frames)
		}
	}
}

// A lost camera is a gap and a new epoch, and no window crosses it.
func TestReconnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(film(100, grey(128), nil), film(100, grey(128), nil))
		s.run(t, 25*time.Second)
		gaps, resets := of[*sinks.Gap](s.events), of[*sinks.Reset](s.events)
		if len(gaps) != 1 || gaps[0].Reason != sinks.GapDisconnected || gaps[0].Start != 9900 || gaps[0].End-gaps[0].Start < 1000 {
			t.Fatalf("gaps %+v", gaps)
		}
		if len(resets) != 1 || resets[0].Reason != sinks.ResetReconnect || resets[0].PreviousEpoch != gaps[0].Epoch || resets[0].Epoch <= gaps[0].Epoch {
			t.Fatalf("resets %+v", resets)
		}
		var states []sinks.State
		for _, e := range of[*sinks.Status](s.events) {
			states = append(states, e.State)
		}
		want := []sinks.State{sinks.StateConnecting, sinks.StateLive, sinks.StateStalled, sinks.StateLive, sinks.StateStalled, sinks.StateStopped}
		if !slices.Equal(states, want) {
			t.Errorf("states %v", states)
		}
		seen := map[string]bool{}
		for _, e := range s.events {
			if seen[e.Head().ID] {
				t.Errorf("id of %T twice", e)
			}
			seen[e.Head().ID] = true
		}
	})
}

// Timestamps that jump begin an epoch in mid-session.
func TestJump(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]time.Duration{"an hour ahead": time.Hour, "an hour back": -time.Hour, "100 s back": -100 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStudio(film(200, grey(128), func(i int) time.Duration {
					at := time.Duration(i) * 100 * time.Millisecond
					if i >= 100 {
						at += by
					}
					return at
				}))
				s.run(t, 15*time.Second)
				resets := of[*sinks.Reset](s.events)
				if len(resets) != 1 || resets[0].Reason != sinks.ResetJump || len(of[*sinks.Gap](s.events)) != 0 {
					t.Fatalf("resets %+v", resets)
				}
				var before, after []*sinks.Caption
				for _, c := range of[*sinks.Caption](s.events) {
					if c.Epoch == resets[0].PreviousEpoch {
						before = append(before, c)
					} else {
						after = append(after, c)
					}
				}
				checkWindows(t, before)
				checkWindows(t, after)
				if len(before) < 18 || len(after) < 8 {
					t.Errorf("%d captions before, %d after", len(before), len(after))
				}
			})
		})
	}
}

// Ten minutes of a still scene with five events of 2 s.
func TestGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		events := func(i int) uint8 {
			for e := range 5 {
				if at := i - 900 - e*1000; at >= 0 && at < 20 {
					return uint8(150 + at*3/2)
				}
			}
			return 128
		}
		s := newStudio(film(6000, events, nil))
		s.Gate = Gate{Enabled: true, Threshold: 0.02}
		s.run(t, 599*time.Second)
		if s.parrot.generated > 36 {
			t.Errorf("%d texts generated, 3 %% of those without the gate are 36", s.parrot.generated)
		}
		captions := of[*sinks.Caption](s.events)
		for e := range 5 {
			from := sinks.Seconds(90000 + e*100000)
			if !slices.ContainsFunc(captions, func(c *sinks.Caption) bool { return c.End > from && c.End < from+2500 }) {
				t.Errorf("event %d was not captioned", e)
			}
		}
		beats := of[*sinks.Unchanged](s.events)
		if len(beats) < 5 || len(beats) > 11 || beats[0].Count < 100 || beats[0].Text == "" {
			t.Errorf("%d heartbeats", len(beats))
		}
	})
}

// A model that takes longer than a stride: strides are stretched, and it is said.
func TestOverload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(film(3000, grey(128), nil))
		s.parrot.slow = 1500 * time.Millisecond
		go func() {
			time.Sleep(100 * time.Second)
			s.parrot.mu.Lock()
			defer s.parrot.mu.Unlock()
			s.parrot.slow = 0
		}()
		s.run(t, 250*time.Second)
		changes := of[*sinks.Degraded](s.events)
		if len(changes) < 4 || changes[0].StrideBefore != 500 || changes[0].StrideNow != 1000 {
			t.Fatalf("degraded %+v", changes)
		}
		if last := changes[len(changes)-1]; last.StrideNow != 500 {
			t.Errorf("at the end the stride is %v", last.StrideNow)
		}
		for _, c := range of[*sinks.Caption](s.events) {
			if c.LatencyMS > 5000 {
				t.Errorf("caption of %v after %d ms", c.End, c.LatencyMS)
			}
		}
	})
}

// A camera that plays what cannot be decoded is left after 35 s, one that falls silent after 10 s.
func TestSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(film(1000, grey(128), nil), film(10, grey(128), nil))
		s.Decode = decodeWith(true)
		s.run(t, 40*time.Second)
		states := of[*sinks.Status](s.events)
		if len(states) < 2 || states[1].State != sinks.StateStalled {
			t.Fatalf("states %+v", states)
		}
	})
}

// What could not be made safe is told as a gap, when it can be.
func TestUnsafe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(film(300, grey(128), nil))
		go func() {
			time.Sleep(10 * time.Second)
			s.fails.Store(true)
			time.Sleep(5 * time.Second)
			s.fails.Store(false)
		}()
		s.run(t, 20*time.Second)
		gaps := of[*sinks.Gap](s.events)
		if len(gaps) != 1 || gaps[0].Reason != sinks.GapOutbox || gaps[0].FramesLost < 9 || gaps[0].FramesLost > 11 {
			t.Fatalf("gaps %+v", gaps)
		}
		next := map[int64]int64{}
		for _, e := range s.events {
			h := e.Head()
			if h.Seq != next[h.Epoch] {
				t.Errorf("%T has number %d after %d", e, h.Seq, next[h.Epoch]-1)
			}
			next[h.Epoch] = h.Seq + 1
			if g, ok := e.(*sinks.Gap); ok {
				next[h.Epoch] += g.FramesLost - 1
			}
		}
	})
}
