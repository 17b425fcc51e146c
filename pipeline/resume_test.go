package pipeline

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/sinks"
)

var errKilled = errors.New("killed")

// A showing is a clip and the way it is cut.
type showing struct {
	name    string
	clip    Clip
	windows func(t *testing.T) iter.Seq[frames.Window]
	samples int

	together int // windows that are captioned side by side
}

// attempt goes on behind a caption, nil for none, and is killed when so many more were made. It
// returns those.
func (s showing) attempt(t *testing.T, after *sinks.Caption, most int) ([]*sinks.Caption, error) {
	t.Helper()
	j, events := job(new(parrot), s.samples)
	j.Created = time.UnixMilli(1795428000123)
	j.After, j.Together = after, s.together
	keep := j.Emit
	j.Emit = func(e sinks.Event) error {
		if len(*events) == most {
			return errKilled
		}
		return keep(e)
	}
	err := j.Caption(t.Context(), s.clip, s.windows(t))
	made := captions(t, *events)
	for _, c := range made {
		c.LatencyMS = 0
		if !j.Made(c) {
			t.Errorf("a caption of this job is not known again: %+v", c)
		}
	}
	return made, err
}

// all is the captions of an attempt that nothing disturbs.
func (s showing) all(t *testing.T) []*sinks.Caption {
	t.Helper()
	cs, err := s.attempt(t, nil, -1)
	if err != nil {
		t.Fatal(err)
	}
	return cs
}

func last(cs []*sinks.Caption) *sinks.Caption {
	if len(cs) == 0 {
		return nil
	}
	return stored(cs[len(cs)-1])
}

// stored is a caption as it comes back from a stream: without the settings.
func stored(c *sinks.Caption) *sinks.Caption {
	s := *c
	s.Settings = ""
	return &s
}

func every(end, length time.Duration) func(*testing.T) iter.Seq[frames.Window] {
	return func(*testing.T) iter.Seq[frames.Window] { return frames.Every(frames.Window{End: end}, length) }
}

func byEvery(name string, c *scripted, length time.Duration, samples int) showing {
	return showing{name: name, clip: c, windows: every(c.end, length), samples: samples}
}

func byScenes(name string, r *reel, samples int) showing {
	return showing{name: name, clip: r, samples: samples, windows: func(t *testing.T) iter.Seq[frames.Window] {
		t.Helper()
		scenes, err := Scenes(t.Context(), r, drawer{}, frames.Window{End: r.end})
		if err != nil {
			t.Fatal(err)
		}
		return slices.Values(scenes)
	}}
}

func showings() []showing {
	minute := func(pts ...time.Duration) *scripted { return &scripted{pts: pts, end: time.Minute} }
	odd := steady(77, 7)
	odd.end += 1234567 * time.Nanosecond
	return []showing{
		byEvery("every", steady(250, 25), time.Second, 6),
		byEvery("every, with a tail", odd, 700*time.Millisecond, 6),
		byEvery("one instant", steady(100, 10), time.Second, 1),
		byEvery("one frame", minute(0), 5*time.Second, 6),
		byEvery("stills and motion", minute(0, 21*time.Second, 22*time.Second, 23*time.Second, 24*time.Second, 41*time.Second), 3*time.Second, 6),
		byEvery("stills within batches", &scripted{pts: []time.Duration{0, 20 * time.Minute, 21 * time.Minute}, end: time.Hour}, 2*time.Second, 2),
		byEvery("no length", &scripted{pts: []time.Duration{0}}, time.Second, 6),
		{name: "whole", clip: steady(50, 5), windows: every(10*time.Second, 10*time.Second), samples: 6},
		byScenes("scenes", &reel{scripted: steady(250, 25), shots: scenes(2*time.Second, 4*time.Second, 7*time.Second)}, 6),
	}
}

// What a job says is the same, but for how long it took, wherever an attempt at it ends: to the
// last digit, as each caption is made in the same company.
func TestResumeAfterAnyCaption(t *testing.T) {
	t.Parallel()
	for i, s := range append(showings(), showings()...) {
		s.together = 1 + i/len(showings())*3
		t.Run(fmt.Sprint(s.name, ", together ", s.together), func(t *testing.T) {
			t.Parallel()
			want := s.all(t)
			for n := range len(want) + 1 {
				first, _ := s.attempt(t, nil, n)
				rest, err := s.attempt(t, last(first), -1)
				if got := append(first, rest...); err != nil || !reflect.DeepEqual(got, want) {
					t.Fatalf("after %d of %d captions: %v, %v", n, len(want), texts(got), err)
				}
			}
			if _, err := s.attempt(t, nil, 0); !errors.Is(err, errKilled) {
				t.Errorf("an attempt that is killed ends with %v", err)
			}
		})
	}
}

func texts(cs []*sinks.Caption) (list []string) {
	for _, c := range cs {
		list = append(list, fmt.Sprintf("%d: %v-%v %v", c.Seq, c.Start, c.End, c.Frames))
	}
	return list
}

// Attempts may end anywhere, any number of times, on clips of any kind.
func TestResumeProperty(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		s := anyShowing(r)
		want := s.all(t)
		var got []*sinks.Caption
		for err := errKilled; err != nil; {
			var more []*sinks.Caption
			if more, err = s.attempt(t, last(got), r.IntN(4)); err != nil && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			got = append(got, more...)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d: %v, want %v", seed, texts(got), texts(want))
		}
	}
}

// anyShowing is a clip with frames at any time, many far apart, and windows of any length.
func anyShowing(r *rand.Rand) showing {
	c := &scripted{pts: []time.Duration{0}}
	for range r.IntN(40) {
		step := time.Duration(1 + r.Int64N(int64(time.Second)))
		if r.IntN(5) == 0 {
			step *= 10
		}
		c.pts = append(c.pts, c.pts[len(c.pts)-1]+step)
	}
	c.end = c.pts[len(c.pts)-1] + time.Duration(r.Int64N(int64(20*time.Second)))
	s := byEvery("any", c, time.Duration(1+r.IntN(50))*100*time.Millisecond, 1+r.IntN(6))
	s.together = 1 + r.IntN(5)
	return s
}

func TestMadeKnowsOtherModelsAndSettings(t *testing.T) {
	t.Parallel()
	c := stored(byEvery("", steady(50, 25), time.Second, 6).all(t)[0])
	for name, change := range map[string]func(*Job){
		"model":    func(j *Job) { j.Name = "parrot@111111111111" },
		"settings": func(j *Job) { j.Settings = "precision=float16" },
		"beams":    func(j *Job) { j.Request.Beams = 4 },
		"source":   func(j *Job) { j.Source = "job-1" },
	} {
		j, _ := job(new(parrot), 6)
		j.Created = time.UnixMilli(1795428000123)
		if !j.Made(c) {
			t.Fatal("the job does not know its own caption")
		}
		if change(&j); j.Made(c) {
			t.Errorf("a caption of another %s is taken for this job's", name)
		}
	}
}

func TestPictureIsCaptionedOnce(t *testing.T) {
	t.Parallel()
	j, events := job(new(parrot), 6)
	j.After = &sinks.Caption{}
	if err := j.CaptionPicture(t.Context(), nil); err != nil || len(*events) != 0 {
		t.Errorf("%d captions, %v", len(*events), err)
	}
}
