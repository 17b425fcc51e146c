package api_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/pipeline/live"
	"github.com/captiond/captiond/sinks"
)

// attends gives the studio a camera that nobody may read from, and that was looked at every
// second of an epoch that began so long ago, from one of its seconds to another.
func (s *studio) attends(t *testing.T, name string, ago time.Duration, from, to int) (begun time.Time) {
	t.Helper()
	begun = time.Now().Add(-ago).Truncate(time.Millisecond)
	s.cameras[name] = live.Camera{
		Settings:   live.Settings{Source: name, Window: 6 * time.Second},
		Connection: unread{t}, Caption: speaks(&s.parrot, "parrot@000000000000"), Answer: speaks(&s.owl, "owl@111111111111"),
		Decode: func(context.Context, frames.Codec, func(context.Context, live.Stream) error) error {
			t.Error("video is decoded")
			return nil
		},
	}
	for i := from; i <= to; i++ {
		pts := time.Duration(i) * time.Second
		s.options.Ring.Add(name, live.Look{
			Epoch: begun.UnixMilli(), PTS: pts, Used: pts, Wall: begun.Add(pts), Clock: sinks.ClockRTCP, ClockError: 40 * time.Millisecond,
			Caption: new(model.Features), Answer: new(model.Features),
		})
	}
	return begun
}

// unread is a connection that must not be used.
type unread struct{ t *testing.T }

func (u unread) Read(context.Context, func(frames.Unit) error) error {
	u.t.Error("the camera is read")
	return nil
}

func (u unread) Attend(context.Context, func(context.Context) (time.Duration, error), func(error, time.Duration)) error {
	u.t.Error("the camera is reached for")
	return nil
}

func (unread) State(error) sinks.State { return sinks.StateConnecting }

// A question about five minutes ago reads no video: no camera, no file, no decoder, and no run
// of the encoder.
func TestFiveMinutesAgo(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	begun := s.attends(t, "door", 10*time.Minute, 0, 600)
	for name, when := range map[string]api.Stretch{
		"seconds":     {From: seconds(300), To: seconds(306)},
		"time of day": {From: clock(begun.Add(300 * time.Second)), To: clock(begun.Add(306 * time.Second))},
		"both":        {From: seconds(300), To: clock(begun.Add(306 * time.Second))},
	} {
		answers, err := s.Ask(t.Context(), api.Caller{}, api.Subject{Camera: "door"}, api.Ask{Questions: []string{"who?", "where?"}, Stretch: when})
		if err != nil || len(answers) != 2 {
			t.Fatalf("%s: %v, %v", name, answers, err)
		}
		for i, a := range answers {
			span := a.Span
			if a.Source != "door" || a.Epoch != begun.UnixMilli() || a.Seq != int64(i) || a.Model != "owl@111111111111" || a.Confidence != 0.5 ||
				span.Start.String() != "300" || span.End.String() != "306" || !slices.Equal(span.Frames, []sinks.Seconds{300e3, 301e3, 302e3, 303e3, 304e3, 305e3}) ||
				!span.StartTime.Equal(begun.Add(300*time.Second)) || !span.EndTime.Equal(begun.Add(306*time.Second)) || span.Clock != sinks.ClockRTCP || span.ClockErrorMS != 40 {
				t.Errorf("%s: %+v", name, a)
			}
		}
	}
	if o, e, b := s.opened.Load(), s.owl.encoded.Load()+s.parrot.encoded.Load(), s.owl.begun.Load(); o != 0 || e != 0 || b != 1 {
		t.Errorf("%d files opened, %d frames encoded, %d windows begun for three requests", o, e, b)
	}
}

func TestCameraStretches(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	begun := s.attends(t, "door", 600*time.Second, 0, 600)
	s.attends(t, "gone", 600*time.Second, 0, 300)
	back := s.attends(t, "back", 600*time.Second, 0, 300)
	s.attends(t, "back", 200*time.Second, 0, 200)
	for name, tt := range map[string]struct {
		camera     string
		stretch    api.Stretch
		start, end string
		frames     []sinks.Seconds
	}{
		"the last window":        {"door", api.Stretch{}, "594", "600", []sinks.Seconds{594e3, 595e3, 596e3, 597e3, 598e3, 599e3}},
		"the last minute":        {"door", api.Stretch{Last: 60e3}, "540", "600", []sinks.Seconds{545e3, 555e3, 565e3, 575e3, 585e3, 595e3}},
		"more than is known":     {"door", api.Stretch{Last: 3600e3}, "0", "600", []sinks.Seconds{50e3, 150e3, 250e3, 350e3, 450e3, 550e3}},
		"from then on":           {"door", api.Stretch{From: seconds(540)}, "540", "600", []sinks.Seconds{545e3, 555e3, 565e3, 575e3, 585e3, 595e3}},
		"until then":             {"door", api.Stretch{To: seconds(60)}, "0", "60", []sinks.Seconds{5e3, 15e3, 25e3, 35e3, 45e3, 55e3}},
		"before it was lost":     {"gone", api.Stretch{To: seconds(60)}, "0", "60", []sinks.Seconds{5e3, 15e3, 25e3, 35e3, 45e3, 55e3}},
		"since it was lost":      {"gone", api.Stretch{From: seconds(240), To: clock(begun.Add(time.Hour))}, "240", "300", []sinks.Seconds{245e3, 255e3, 265e3, 275e3, 285e3, 295e3}},
		"the newest epoch":       {"back", api.Stretch{From: seconds(100), To: seconds(106)}, "100", "106", []sinks.Seconds{100e3, 101e3, 102e3, 103e3, 104e3, 105e3}},
		"two epochs":             {"back", api.Stretch{From: clock(back.Add(290500 * time.Millisecond)), To: clock(back.Add(411 * time.Second))}, "290.5", "411", []sinks.Seconds{300e3, 300e3, 300e3, 300e3, 300e3, 400e3}},
		"a part of the last one": {"door", api.Stretch{Last: 500}, "599.5", "600", []sinks.Seconds{599e3, 599e3, 599e3, 599e3, 599e3, 599e3}},
	} {
		answers, err := s.Ask(t.Context(), api.Caller{}, api.Subject{Camera: tt.camera}, api.Ask{Questions: []string{"who?"}, Stretch: tt.stretch})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		a := answers[0]
		for i := range a.Frames { // the second epoch begins some milliseconds after what is said here
			a.Frames[i] = (a.Frames[i] + 500) / 1000 * 1000
		}
		if a.Start.String() != tt.start || a.End.String() != tt.end || !slices.Equal(a.Frames, tt.frames) {
			t.Errorf("%s: %v to %v, frames %v", name, a.Start, a.End, a.Frames)
		}
	}
}

func TestCameraRefusals(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	begun := s.attends(t, "door", 60*time.Second, 0, 60)
	s.attends(t, "new", 0, 1, 0)
	s.attends(t, "gone", time.Hour, 0, 60)
	forgetful := s.cameras["door"]
	forgetful.Source = "forgetful"
	s.cameras["forgetful"] = forgetful
	s.options.Ring.Add("forgetful", live.Look{Wall: time.Now(), Caption: new(model.Features)})
	for name, tt := range map[string]struct {
		camera string
		ask    api.Ask
		status int
		words  string
	}{
		"nothing yet":           {"new", api.Ask{}, 409, "nothing of camera new is remembered"},
		"before":                {"door", api.Ask{Stretch: api.Stretch{From: clock(begun.Add(-time.Hour)), To: clock(begun.Add(-time.Minute))}}, 409, "camera door is remembered from " + begun.UTC().Format(time.RFC3339) + " to "},
		"in the future":         {"door", api.Ask{Stretch: api.Stretch{From: seconds(900), To: seconds(960)}}, 409, "ask about a stretch in there"},
		"the last minute of it": {"gone", api.Ask{Stretch: api.Stretch{Last: 60e3}}, 409, "camera gone is remembered from"},
		"from after to":         {"door", api.Ask{Stretch: api.Stretch{From: seconds(8), To: seconds(4)}}, 422, "from 8 to 4 is no stretch"},
		"times the wrong way":   {"door", api.Ask{Stretch: api.Stretch{From: clock(begun.Add(9)), To: clock(begun)}}, 422, "is no stretch"},
		"mixed the wrong way":   {"door", api.Ask{Stretch: api.Stretch{From: seconds(40), To: clock(begun)}}, 422, "is no stretch"},
		"features not kept":     {"forgetful", api.Ask{}, 409, "set ring.answers to true"},
		"another view":          {"door", api.Ask{Search: api.Search{View: "squash"}}, 422, "with the view crop: leave view out"},
		"another model":         {"door", api.Ask{Search: api.Search{Model: "stranger"}}, 422, "there is no model"},
		"a model that is away":  {"door", api.Ask{Search: api.Search{Model: "broken"}}, 503, "set model.answer"},
		"a search that is none": {"door", api.Ask{Search: api.Search{Beam: 99}}, 422, "99 beams"},
	} {
		tt.ask.Questions = []string{"who?"}
		if _, err := s.Ask(t.Context(), api.Caller{}, api.Subject{Camera: tt.camera}, tt.ask); err == nil {
			t.Errorf("%s is answered", name)
		} else {
			refused(t, err, tt.status, tt.words)
		}
	}
}

// A question may go to the caption model by its name, and a caption is the caption model's.
func TestCameraModels(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	s.attends(t, "door", 60*time.Second, 0, 60)
	door := api.Subject{Camera: "door"}
	captions, err := s.Caption(t.Context(), api.Caller{}, door, api.Search{})
	if err != nil || captions[0].Model != "parrot@000000000000" || captions[0].Start.String() != "54" {
		t.Errorf("%+v, %v", captions, err)
	}
	answers, err := s.Ask(t.Context(), api.Caller{}, door, api.Ask{Questions: []string{"who?"}, Search: api.Search{Model: "parrot", View: "crop", Beam: 4}})
	if err != nil || answers[0].Model != "parrot@000000000000" {
		t.Errorf("%+v, %v", answers, err)
	}
	if s.parrot.generated.Load() != 2 || s.owl.generated.Load() != 0 {
		t.Errorf("%d and %d texts", s.parrot.generated.Load(), s.owl.generated.Load())
	}
	third := speaks(&s.parrot, "third@222222222222")
	o := s.options
	o.Voice = func(string, sinks.Kind) (pipeline.Voice, error) { return third, nil }
	_, err = api.NewAsker(o).Ask(t.Context(), api.Caller{}, door, api.Ask{Questions: []string{"who?"}, Search: api.Search{Model: "third"}})
	refused(t, err, 409, "not as third@222222222222: name one of them, or none")
}
