package live

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

// noon is when the cameras of these tests begin.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// watched is a camera that was looked at every second from one second to another of an epoch
// that began so long after noon.
func watched(begins time.Duration, from, to int) (p Past) {
	epoch := noon().Add(begins)
	for i := from; i <= to; i++ {
		pts := time.Duration(i) * time.Second
		p = append(p, Look{Epoch: epoch.UnixMilli(), PTS: pts, Used: pts, Wall: epoch.Add(pts), Clock: sinks.ClockRTCP, ClockError: 40 * time.Millisecond})
	}
	return p
}

func TestPast(t *testing.T) {
	t.Parallel()
	minute := watched(0, 0, 60)
	two := append(watched(0, 0, 10), watched(30*time.Second, 0, 10)...)
	still := watched(0, 0, 10)
	for i := range still {
		still[i].Used = 0
	}
	for name, tt := range map[string]struct {
		past       Past
		from, to   float64 // seconds after noon
		samples    int
		start, end string // "" where nothing is remembered
		frames     []float64
		epoch      time.Duration
	}{
		"a window":                   {minute, 10, 16, 6, "10", "16", []float64{10, 11, 12, 13, 14, 15}, 0},
		"between two looks":          {minute, 10.25, 10.75, 2, "10.25", "10.75", []float64{10, 10}, 0},
		"one instant":                {minute, 10, 20, 1, "10", "20", []float64{15}, 0},
		"an instant":                 {minute, 20, 20, 2, "20", "20", []float64{20, 20}, 0},
		"a minute":                   {minute, 0, 60, 6, "0", "60", []float64{5, 15, 25, 35, 45, 55}, 0},
		"begins before":              {minute, -600, 12, 6, "0", "12", []float64{1, 3, 5, 7, 9, 11}, 0},
		"up to now":                  {minute, 58, 62, 4, "58", "62", []float64{58, 59, 60, 60}, 0},
		"ends long after":            {minute, 50, 600, 5, "50", "60", []float64{51, 53, 55, 57, 59}, 0},
		"before all":                 {minute, -20, -10, 6, "", "", nil, 0},
		"after all":                  {minute, 100, 110, 6, "", "", nil, 0},
		"soon after the last":        {minute, 62, 63, 2, "62", "63", []float64{60, 60}, 0},
		"soon after, and long":       {minute, 62, 99, 2, "62", "62", []float64{60, 60}, 0},
		"the first of two epochs":    {two, 2, 8, 3, "2", "8", []float64{3, 5, 7}, 0},
		"the second of two epochs":   {two, 32, 38, 3, "2", "8", []float64{3, 5, 7}, 30 * time.Second},
		"both epochs":                {two, 0, 40, 4, "0", "40", []float64{5, 10, 10, 35}, 0},
		"in the gap":                 {two, 20, 25, 4, "", "", nil, 0},
		"the gap and what follows":   {two, 20, 36, 2, "0", "6", []float64{1, 4}, 30 * time.Second},
		"nothing moved":              {still, 4, 8, 2, "4", "8", []float64{0, 0}, 0},
		"nobody has looked as yet":   {nil, 0, 10, 2, "", "", nil, 0},
		"a clock that was put back":  {append(watched(30*time.Second, 0, 10), watched(0, 0, 10)...), 0, 10, 2, "0", "10", []float64{2, 7}, 0},
		"the end before anything is": {minute, -5, 0, 2, "0", "0", []float64{0, 0}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := func(s float64) time.Time { return noon().Add(time.Duration(s * float64(time.Second))) }
			got, ok := tt.past.See(Stretch{From: at(tt.from), To: at(tt.to), Samples: tt.samples, Reach: 5 * time.Second})
			if ok != (tt.start != "") {
				t.Fatalf("remembered: %v, %+v", ok, got.Span)
			}
			if !ok {
				return
			}
			var frames []float64
			for _, f := range got.Span.Frames {
				frames = append(frames, f.Duration().Seconds())
			}
			epoch := noon().Add(tt.epoch)
			span := got.Span
			if span.Start.String() != tt.start || span.End.String() != tt.end || !slices.Equal(frames, tt.frames) || got.Epoch != epoch.UnixMilli() ||
				!span.StartTime.Equal(epoch.Add(span.Start.Duration())) || !span.EndTime.Equal(epoch.Add(span.End.Duration())) {
				t.Errorf("epoch %v: %v to %v, frames %v, %v to %v", got.Epoch, span.Start, span.End, frames, span.StartTime, span.EndTime)
			}
			if len(got.Looks) != tt.samples || span.Clock != sinks.ClockRTCP || span.ClockErrorMS != 40 {
				t.Errorf("%d looks, clock %v to %d ms", len(got.Looks), span.Clock, span.ClockErrorMS)
			}
		})
	}
}

// Offsets are on the timeline of the newest epoch, also where its clock was put right.
func TestPastTime(t *testing.T) {
	t.Parallel()
	p := append(watched(0, 0, 20), watched(time.Minute, 0, 20)...)
	for i := range p[31:] {
		p[31+i].Wall = p[31+i].Wall.Add(2 * time.Second) // from 10 s on
	}
	for offset, want := range map[time.Duration]time.Duration{
		5 * time.Second: 65 * time.Second, 15 * time.Second: 77 * time.Second, 25 * time.Second: 87 * time.Second, -time.Second: 59 * time.Second,
	} {
		if got := p.Time(offset).Sub(noon()); got != want {
			t.Errorf("%v is %v after noon, want %v", offset, got, want)
		}
	}
}

// What a camera showed five minutes ago is recalled when it has been gone for long: as its
// windows were, by the features that were kept, with no look at video.
func TestCameraIsRecalled(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		other, answers bool // the answer model is another; its features are kept
		kept           bool
		encoded        int64 // times each frame
	}{
		"one model":                       {false, false, true, 1},
		"two models":                      {true, true, true, 2},
		"two models, answers are refused": {true, false, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStudio(film(4000, func(i int) uint8 { return uint8(i / 300 * 10) }, nil))
				s.Gate.Enabled = false
				if s.Answers = tt.answers; tt.other {
					s.Answer = pipeline.Voice{Captioner: s.parrot, Name: "owl@000000000000", Samples: 6}
				}
				s.run(t, 400*time.Second)
				looked := s.parrot.encoded
				captions := of[*sinks.Caption](s.events)
				past := s.Ring.Past("door")
				c := captions[len(captions)/4]
				got, ok := past.See(Stretch{From: past.Time(c.Start.Duration()), To: past.Time(c.End.Duration()), Samples: 6, Reach: s.Window})
				if !ok || time.Since(c.EndTime.Time) < 4*time.Minute || !slices.Equal(got.Span.Frames, c.Frames) || got.Span.Start != c.Start || got.Span.End != c.End ||
					!got.Span.StartTime.Equal(c.StartTime.Time) || got.Epoch != c.Epoch || got.Span.Clock != c.Clock {
					t.Errorf("the window was %+v, it is recalled as %+v, %v", c.Span, got.Span, ok)
				}
				for _, l := range got.Looks {
					if (l.Answer != nil) != tt.kept {
						t.Fatalf("the answer model's features are kept: %v", l.Answer != nil)
					}
				}
				if n := int64(s.parrot.encoded); n != int64(looked) || n != tt.encoded*s.stats.Count().Encoded {
					t.Errorf("%d runs of the encoder for %d frames", n, s.stats.Count().Encoded)
				}
			})
		})
	}
}
