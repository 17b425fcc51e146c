package pipeline

import (
	"context"
	"errors"
	"image"
	"slices"
	"testing"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/sinks"
)

func TestCaptionEncodesEachFrameOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name              string
		clip              *scripted
		every             time.Duration
		samples           int
		captions, encoded int
	}{
		{"six frames for each window", steady(500, 25), 10 * time.Second, 6, 2, 12},
		{"a frame on screen at several instants", steady(20, 2), 5 * time.Second, 6, 2, 12},
		{"fewer frames than instants", steady(10, 1), 5 * time.Second, 6, 2, 10},
		{"one frame for the whole clip", &scripted{pts: []time.Duration{0}, end: time.Minute}, 10 * time.Second, 6, 1, 1},
		{"a clip without length", &scripted{pts: []time.Duration{0}}, 10 * time.Second, 6, 1, 1},
		{"one instant a window", steady(100, 10), 2 * time.Second, 1, 5, 5},
		{"more windows than one batch", steady(300, 1), time.Second, 1, 300, 300},
		{"a slide for a minute each, one instant", &scripted{pts: []time.Duration{0, time.Minute}, end: 2 * time.Minute}, 10 * time.Second, 1, 2, 2},
		{"one slide over more windows than one batch", &scripted{pts: []time.Duration{0, 2 * time.Hour}, end: 3 * time.Hour}, 10 * time.Second, 6, 2, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, pictures := range []int{0, 4, 32} {
				p := new(parrot)
				j, events := job(p, tt.samples)
				j.Pictures = pictures
				if err := j.Caption(t.Context(), tt.clip, frames.Every(frames.Window{End: tt.clip.end}, tt.every)); err != nil {
					t.Fatal(err)
				}
				cs := captions(t, *events)
				if len(cs) != tt.captions || int(p.encoded.Load()) != tt.encoded || slices.Max(p.looks) > max(pictures, 1) {
					t.Errorf("%d captions with %d frames encoded, want %d with %d; side by side %v", len(cs), p.encoded.Load(), tt.captions, tt.encoded, p.looks)
				}
				checkCover(t, cs, tt.clip.end, tt.samples)
			}
		})
	}
}

// checkCover sees that the windows follow one another from 0 to end and that each event
// names one frame for each instant.
func checkCover(t *testing.T, cs []*sinks.Caption, end time.Duration, samples int) {
	t.Helper()
	at := sinks.Seconds(0)
	for i, c := range cs {
		if c.Start != at || c.Seq != int64(i) || len(c.Frames) != samples {
			t.Errorf("caption %d: starts at %v, seq %d, %d frames; want %v, %d, %d", i, c.Start, c.Seq, len(c.Frames), at, i, samples)
		}
		at = c.End
	}
	if at != sinks.SecondsOf(end) {
		t.Errorf("captions end at %v, the clip at %v", at, end)
	}
}

// Frames of a group of windows go through the encoder in full runs where the model takes several,
// and the captions are those of each alone: also before a frame that cannot be encoded, and before the clip breaks off.
func TestCaptionEncodesTogether(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		breakAt  int
		blind    uint32
		captions int
		looks    []int
	}{
		{"a whole clip", 0, 0, 3, []int{4, 2, 4, 4, 4}},
		{"a frame that cannot be encoded", 0, 158, 1, []int{4, 2, 4, 1, 1, 1, 1}}, // the tenth of the 18
		{"a clip that breaks off", 250, 0, 2, []int{4, 2, 4, 4, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var said [2][]sinks.Event
			for i, pictures := range []int{1, 4} {
				clip := steady(300, 10)
				if tt.breakAt > 0 {
					clip.breakAt, clip.err = tt.breakAt, errBroken
				}
				p := &parrot{blind: tt.blind}
				j, events := job(p, 6)
				j.Together, j.Pictures = 2, pictures
				err := j.Caption(t.Context(), clip, frames.Every(frames.Window{End: clip.end}, 10*time.Second))
				if (tt.captions < 3) != errors.Is(err, errBroken) {
					t.Errorf("%d side by side: error %v", pictures, err)
				}
				if pictures == 4 && !slices.Equal(p.looks, tt.looks) {
					t.Errorf("so many are encoded side by side: %v, want %v", p.looks, tt.looks)
				}
				said[i] = *events
			}
			alone, together := captions(t, said[0]), captions(t, said[1])
			if len(alone) != tt.captions || len(together) != tt.captions {
				t.Fatalf("%d captions alone, %d together, want %d", len(alone), len(together), tt.captions)
			}
			for i, c := range alone {
				if c.ID != together[i].ID || c.Confidence != together[i].Confidence || !slices.Equal(c.Frames, together[i].Frames) {
					t.Errorf("caption %d: %+v together, %+v alone", i, together[i], c)
				}
			}
		})
	}
}

func TestCaptionSaysWhatWasCompleteBeforeAnError(t *testing.T) {
	t.Parallel()
	clip := steady(300, 10)
	clip.breakAt, clip.err = 250, errBroken
	p := new(parrot)
	j, events := job(p, 6)
	err := j.Caption(t.Context(), clip, frames.Every(frames.Window{End: clip.end}, 10*time.Second))
	if !errors.Is(err, errBroken) {
		t.Fatalf("error %v, want %v", err, errBroken)
	}
	if got := len(*events); got != 2 {
		t.Errorf("%d captions before the error, want 2", got)
	}
}

func TestCaptionIsEmittedBeforeTheClipEnds(t *testing.T) {
	t.Parallel()
	clip := steady(3600, 1)
	j, _ := job(new(parrot), 6)
	j.Together, j.Pictures = 32, 32
	stop := errors.New("seen enough")
	j.Emit = func(sinks.Event) error { return stop }
	err := j.Caption(t.Context(), clip, frames.Every(frames.Window{End: clip.end}, 10*time.Second))
	if !errors.Is(err, stop) {
		t.Fatalf("error %v, want %v", err, stop)
	}
	if sent := clip.sent.Load(); sent > 6+readAhead+2 {
		t.Errorf("%d frames were decoded before the first caption", sent)
	}
}

// Whatever notices a cancelled context first, the captions do not just end.
func TestCancelledCaptionIsAnError(t *testing.T) {
	t.Parallel()
	for stopAt := range 12 {
		ctx, cancel := context.WithCancel(t.Context())
		j, events := job(new(parrot), 6)
		emit := j.Emit
		j.Emit = func(e sinks.Event) error {
			if len(*events) == stopAt {
				cancel()
			}
			return emit(e)
		}
		clip := steady(130, 10)
		err := j.Caption(ctx, clip, frames.Every(frames.Window{End: clip.end}, time.Second))
		if !errors.Is(err, context.Canceled) && len(*events) != 13 {
			t.Errorf("cancelled at %d: %d captions and error %v", stopAt, len(*events), err)
		}
		cancel()
	}
}

func TestCaptionStopsOnModelErrors(t *testing.T) {
	t.Parallel()
	p := &parrot{fail: errors.New("no memory")}
	j, events := job(p, 6)
	clip := steady(100, 10)
	err := j.Caption(t.Context(), clip, frames.Every(frames.Window{End: clip.end}, 10*time.Second))
	if !errors.Is(err, p.fail) || len(*events) != 0 {
		t.Errorf("error %v with %d events, want %v and none", err, len(*events), p.fail)
	}
}

func TestAskDecodesAndEncodesOnce(t *testing.T) {
	t.Parallel()
	p := new(parrot)
	j, events := job(p, 6)
	clip := steady(240, 24)
	questions := []string{"what moves?", "how many?", "is it red?"}
	if err := j.Ask(t.Context(), Footage{Clip: clip}, frames.Window{Start: 2 * time.Second, End: 8 * time.Second}, questions); err != nil {
		t.Fatal(err)
	}
	if e, b, g := p.encoded.Load(), p.begun.Load(), p.generated.Load(); e != 6 || b != 1 || g != 3 {
		t.Errorf("%d encoded, %d begun, %d generated; want 6, 1, 3", e, b, g)
	}
	for i, e := range *events {
		a := e.(*sinks.Answer)
		if a.Question != questions[i] || a.Text != "heard "+questions[i] || a.Start != sinks.SecondsOf(2*time.Second) {
			t.Errorf("answer %d is %q to %q from %v", i, a.Text, a.Question, a.Start)
		}
	}
}

func TestPictureHasNoTime(t *testing.T) {
	t.Parallel()
	p := new(parrot)
	j, events := job(p, 6)
	img := image.NewRGBA(image.Rect(0, 0, 2, 2))
	if err := errors.Join(j.CaptionPicture(t.Context(), img), j.Ask(t.Context(), Footage{Picture: img}, frames.Window{}, []string{"what?"})); err != nil {
		t.Fatal(err)
	}
	if p.pictures.Load() != 2 || p.begun.Load() != 0 {
		t.Errorf("%d pictures and %d windows begun, want 2 and 0", p.pictures.Load(), p.begun.Load())
	}
	c := (*events)[0].(*sinks.Caption)
	if c.Start != 0 || c.End != 0 || !slices.Equal(c.Frames, []sinks.Seconds{0}) || c.Clock != sinks.ClockNone {
		t.Errorf("a picture's span is %+v", c.Span)
	}
}

func TestEventsCarryTheContainersClock(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	j, events := job(new(parrot), 2)
	j.Created = created
	clip := steady(40, 10)
	if err := j.Caption(t.Context(), clip, frames.Every(frames.Window{End: clip.end}, 2*time.Second)); err != nil {
		t.Fatal(err)
	}
	c := captions(t, *events)[1]
	if c.Epoch != created.UnixMilli() || c.Clock != sinks.ClockContainer || c.ClockErrorMS != 1000 ||
		!c.StartTime.Equal(created.Add(2*time.Second)) || !c.EndTime.Equal(created.Add(4*time.Second)) {
		t.Errorf("epoch %d, span %+v", c.Epoch, c.Span)
	}
}

func TestSameJobSameIDs(t *testing.T) {
	t.Parallel()
	ids := func(change func(*Job)) []string {
		j, events := job(new(parrot), 6)
		change(&j)
		clip := steady(100, 10)
		if err := j.Caption(t.Context(), clip, frames.Every(frames.Window{End: clip.end}, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range *events {
			got = append(got, e.Head().ID)
		}
		return got
	}
	first := ids(func(*Job) {})
	if again := ids(func(j *Job) { j.Title = "renamed.mp4" }); !slices.Equal(first, again) {
		t.Errorf("ids %v, then %v", first, again)
	}
	for name, change := range map[string]func(*Job){
		"source": func(j *Job) { j.Source = "file-ffffffffffff" },
		"model":  func(j *Job) { j.Name = "parrot@111111111111" },
		"beams":  func(j *Job) { j.Request.Beams = 4 },
		"length": func(j *Job) { j.Request.MaxTokens = 7 },
		"view":   func(j *Job) { j.View = squash(t) },
	} {
		if other := ids(change); other[0] == first[0] {
			t.Errorf("another %s has the same id", name)
		}
	}
}

func squash(t *testing.T) model.View {
	t.Helper()
	v, err := model.ParseView("squash")
	if err != nil {
		t.Fatal(err)
	}
	return v
}
