package live

import (
	"slices"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/sinks"
)

// Past is what is remembered of one camera: its looks in the order in which they were made.
type Past []Look

// A Stretch is a part of a camera's past and how it is looked at.
type Stretch struct {
	From, To time.Time     // of day
	Samples  int           // instants, 1 and more
	Reach    time.Duration // how long a look stands for what was on screen, where no other follows
}

// A Recollection is what a stretch showed: a look for each instant, and when it was. Where there are
// several epochs its times count from the beginning of the first, by the time of day.
type Recollection struct {
	Epoch int64
	Span  sinks.Span
	Looks []Look
}

// Time is the time of day at an offset on the timeline of the newest epoch. The past is not
// empty.
func (p Past) Time(offset time.Duration) time.Time {
	newest := p[len(p)-1]
	at := newest
	for _, l := range slices.Backward(p) {
		if l.Epoch != newest.Epoch {
			break
		}
		if at = l; l.PTS <= offset {
			break
		}
	}
	return at.Wall.Add(offset - at.PTS)
}

// See recalls a stretch: as a window of the camera is seen, by the look that was on screen at
// the centre of each of its parts. What is not remembered of the stretch is left out of it;
// ok is false where that is all of it.
func (p Past) See(s Stretch) (r Recollection, ok bool) {
	looks := p.within(s)
	if len(looks) == 0 {
		return Recollection{}, false
	}
	first, last := looks[0], looks[len(looks)-1]
	from, to := later(s.From, first.Wall), s.To
	if to.Sub(last.Wall) > s.Reach {
		to = later(last.Wall, from)
	}
	places := make([]time.Duration, len(looks))
	for i, l := range looks {
		places[i] = l.place(first)
	}
	w := frames.Window{Start: places[0] + from.Sub(first.Wall), End: places[len(places)-1] + to.Sub(last.Wall)}
	r = Recollection{Epoch: first.Epoch, Span: sinks.Span{
		Start: sinks.SecondsOf(w.Start), End: sinks.SecondsOf(w.End), StartTime: sinks.At(from), EndTime: sinks.At(to), Clock: last.Clock,
	}}
	sampler := frames.Sampler{Samples: s.Samples}
	for _, i := range sampler.Pick(w, places) {
		l := looks[i]
		r.Looks = append(r.Looks, l)
		r.Span.Frames = append(r.Span.Frames, sinks.SecondsOf(places[i]-l.PTS+l.Used))
		r.Span.ClockErrorMS = max(r.Span.ClockErrorMS, l.ClockError.Milliseconds())
	}
	return r, true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// within is the looks of a stretch by the time of day, with the one before if that was on
// screen as it began.
func (p Past) within(s Stretch) (looks Past) {
	sorted := slices.Clone(p) // a clock that was put back makes times come twice
	slices.SortStableFunc(sorted, func(a, b Look) int { return a.Wall.Compare(b.Wall) })
	for i, l := range sorted {
		switch next := i + 1; {
		case l.Wall.After(s.To):
		case !l.Wall.Before(s.From):
			looks = append(looks, l)
		case s.From.Sub(l.Wall) <= s.Reach && (next == len(sorted) || sorted[next].Wall.After(s.From)):
			looks = append(looks, l)
		}
	}
	return looks
}

// place is where a look is on the timeline of the epoch of another.
func (l Look) place(first Look) time.Duration {
	if l.Epoch == first.Epoch {
		return l.PTS
	}
	return first.PTS + l.Wall.Sub(first.Wall)
}
