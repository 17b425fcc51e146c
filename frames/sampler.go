package frames

import (
	"slices"
	"time"
)

// Sampler says which frames of a live stream are looked at, and in which windows: every
// Every, the last Length of the stream, or the stretch since the last barrier where that is
// shorter. A barrier is what no window crosses: the start, a gap, a new epoch, a cut.
//
// Frames are sampled at the centres of parts of Length/Samples, counted from the barrier:
// where Every is such a part, or a multiple, the instants of full windows are those of the
// samples. It is used by one goroutine; times are on one epoch's timeline.
type Sampler struct {
	Length, Every time.Duration // positive
	Samples       int           // of a window, 1 and more

	begun   bool
	told    bool // of a window since the barrier
	barrier time.Duration
	due     time.Duration // the next instant to be sampled
	end     time.Duration // of the next window
	shown   time.Duration // PTS of the frame on screen
}

// Step is what becomes known as a frame comes on screen, or a barrier.
type Step struct {
	Sample bool    // the frame that was on screen until now is to be looked at
	Window *Window // that is complete; nil for none
}

// Frame tells that the frame with this PTS comes on screen; PTS only grow. After a stretch
// without frames only the last window is told: samples of the others would be one frame.
func (s *Sampler) Frame(pts time.Duration) Step {
	if !s.begun {
		s.begin(pts)
		return Step{}
	}
	step := Step{Sample: s.pass(pts)}
	if pts >= s.end {
		s.end += (pts - s.end).Truncate(s.Every)
		if s.due > s.first() { // else nothing was looked at yet
			step.Window, s.told = &Window{max(s.barrier, s.end-s.Length), s.end}, true
		}
		s.end += s.Every
	}
	s.shown = pts
	return step
}

// Barrier ends the stretch at a time, or with the frame on screen where that came later; the
// next frame begins another. A stretch that ends before its first window is one window; of
// another nothing is left to tell.
func (s *Sampler) Barrier(at time.Duration) Step {
	if !s.begun {
		return Step{}
	}
	s.begun = false
	at = max(at, s.shown)
	if s.told || at == s.barrier {
		return Step{}
	}
	fresh := s.due == s.first()
	return Step{Sample: s.pass(at) || fresh, Window: &Window{max(s.barrier, at-s.Length), at}}
}

func (s *Sampler) begin(pts time.Duration) {
	s.begun, s.told, s.barrier, s.shown = true, false, pts, pts
	s.due, s.end = s.first(), pts+s.Every
}

// first is the stretch's first instant to be sampled.
func (s *Sampler) first() time.Duration { return s.barrier + s.part()/2 }

func (s *Sampler) part() time.Duration { return s.Length / time.Duration(s.Samples) }

// pass says whether an instant was due before a time, and goes on to the next.
func (s *Sampler) pass(until time.Duration) bool {
	if until <= s.due {
		return false
	}
	s.due += (until - s.due - 1).Truncate(s.part()) + s.part()
	return true
}

// Pick says which of the samples stand for a window's instants: for each instant the last
// one that was on screen by then, or the first of all. PTS are those of the samples since
// the barrier, ascending, and at least one.
func (s *Sampler) Pick(w Window, pts []time.Duration) []int {
	picked := make([]int, s.Samples)
	for i, at := range w.Instants(s.Samples) {
		after, _ := slices.BinarySearchFunc(pts, at, func(p, at time.Duration) int {
			if p <= at {
				return -1
			}
			return 1
		})
		picked[i] = max(after-1, 0)
	}
	return picked
}
