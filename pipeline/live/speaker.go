package live

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

// look is a frame of the stretch and what the models made of it.
type look struct {
	pts   time.Duration // of the sample
	used  time.Duration // of the frame that was encoded: an earlier one where nothing changed
	moved bool          // it differs from the look before
	fs    [2]*model.Features
}

// speaker does what the inbox says, in order.
type speaker struct {
	Camera
	stats   *Stats
	inbox   *inbox
	teller  *teller
	apart   func(before, after *model.Features) float64
	stretch int
	epoch   int64
	still   stillness
	looks   []look          // of the stretch, as far back as a window reaches
	said    map[string]said // by question, "" for the caption
}

// said is what was last published to a prompt.
type said struct {
	text  string
	start time.Duration // of its window
	told  time.Duration // end of the window of the last event about it
	count int64         // windows since that said the same
}

// run works until the inbox is closed and empty, or ctx ends. What fails is one window: the
// next may succeed.
func (s *speaker) run(ctx context.Context) {
	for {
		l, ok := s.inbox.take(ctx)
		if !ok {
			return
		}
		if err := s.handle(ctx, l); err != nil && ctx.Err() == nil {
			s.Log.Error("camera window lost", "source", s.Source, "err", err)
		}
	}
}

func (s *speaker) handle(ctx context.Context, l letter) error {
	if l.notice != nil {
		s.teller.tell(ctx, l.epoch, l.notice)
		return nil
	}
	if l.stretch != s.stretch {
		s.stretch, s.looks, s.still = l.stretch, nil, stillness{gate: s.Gate, apart: s.apart}
	}
	if l.epoch != s.epoch {
		s.epoch, s.said = l.epoch, make(map[string]said)
	}
	if l.sample != nil {
		return s.look(ctx, *l.sample)
	}
	return s.speak(ctx, *l.window)
}

// look encodes a frame, if it is worth it, and remembers it.
func (s *speaker) look(ctx context.Context, f sample) error {
	l := look{pts: f.pts, used: f.pts}
	if !s.still.encode(f.sketch) && len(s.looks) > 0 {
		s.stats.still.Add(1)
		last := s.looks[len(s.looks)-1]
		l.used, l.fs = last.used, last.fs
	} else {
		var err error
		if l.fs, err = s.encode(ctx, f); err != nil {
			return err
		}
		s.stats.encoded.Add(1)
		l.moved = len(s.looks) == 0 || s.still.moved(s.looks[len(s.looks)-1].fs[0], l.fs[0])
	}
	s.Ring.Add(s.Source, Look{
		Epoch: s.epoch, PTS: f.pts, Used: l.used, Wall: f.wall, Clock: f.clock, ClockError: f.err,
		Caption: l.fs[0], Answer: l.fs[1],
	})
	s.looks = append(s.looks, l)
	return nil
}

// encode has the models look at a frame: once, where they are one. Where nothing is asked of
// the answer model it does not look.
func (s *speaker) encode(ctx context.Context, f sample) (fs [2]*model.Features, err error) {
	if fs[0], err = s.Load.look(ctx, picture{s.Caption, f.image}); err != nil {
		return fs, err
	}
	switch {
	case s.Answer.Name == s.Caption.Name:
		fs[1] = fs[0]
	case len(s.Questions) > 0 || s.Answers:
		fs[1], err = s.Load.look(ctx, picture{s.Answer, f.image})
	}
	return fs, err
}

// speak captions a window and answers the standing questions about it.
func (s *speaker) speak(ctx context.Context, w window) error {
	s.stats.windowsIn.Add(1)
	s.trim(w.Start)
	if len(s.looks) == 0 {
		return nil
	}
	defer s.heartbeat(ctx, w)
	if !s.still.decode(s.within(w)) {
		for q, said := range s.said {
			said.count++
			s.said[q] = said
		}
		return nil
	}
	s.stats.begun.Add(1)
	for _, t := range s.talks() {
		if err := s.talk(ctx, w, t); err != nil {
			return err
		}
	}
	return nil
}

// within is the looks that a window's instants may show.
func (s *speaker) within(w window) []look {
	first := len(s.looks) - 1
	for first > 0 && s.looks[first].pts > w.Start {
		first--
	}
	return s.looks[first:]
}

// trim forgets looks that no later window shows: all before the one on screen as it begins.
func (s *speaker) trim(start time.Duration) {
	for len(s.looks) > 1 && s.looks[1].pts <= start {
		s.looks = s.looks[1:]
	}
}

// A talk is what one model is asked about a window.
type talk struct {
	voice     pipeline.Voice
	which     int        // of a look's features
	questions []Question // one without a name is for the caption
}

// talks are one for each model: the image's keys and values are computed once for all its texts.
func (s *speaker) talks() []talk {
	caption := talk{voice: s.Caption, questions: []Question{{Text: s.Caption.Request.Prompt}}}
	switch {
	case s.Answer.Name == s.Caption.Name:
		caption.questions = append(caption.questions, s.Questions...)
	case len(s.Questions) > 0:
		return []talk{caption, {voice: s.Answer, which: 1, questions: s.Questions}}
	}
	return []talk{caption}
}

func (s *speaker) talk(ctx context.Context, w window, t talk) error {
	span, fs := s.span(w, t)
	prompts := make([]string, len(t.questions))
	for i, q := range t.questions {
		prompts[i] = q.Text
	}
	said := s.Load.speak(ctx, pipeline.Talk{Voice: t.voice, Frames: fs, Prompts: prompts, Since: w.since})
	for i, speech := range said.Speeches {
		if q := t.questions[i]; q.Name == "" {
			s.publish(ctx, w, "", &sinks.Caption{Span: span, Speech: speech})
		} else {
			s.publish(ctx, w, q.Name, &sinks.Answer{Name: q.Name, Question: q.Text, Span: span, Speech: speech})
		}
	}
	if said.Err != nil {
		return fmt.Errorf("answer %s: %w", cmp.Or(t.questions[len(said.Speeches)].Name, "the caption's prompt"), said.Err)
	}
	return nil
}

// span is the window as an event states it, and the features of the frames it shows.
func (s *speaker) span(w window, t talk) (sinks.Span, []*model.Features) {
	span := sinks.Span{
		Start: sinks.SecondsOf(w.Start), End: sinks.SecondsOf(w.End),
		StartTime: sinks.At(w.start), EndTime: sinks.At(w.end), Clock: w.clock, ClockErrorMS: w.err.Milliseconds(),
	}
	pts := make([]time.Duration, len(s.looks))
	for i, l := range s.looks {
		pts[i] = l.pts
	}
	var fs []*model.Features
	sampler := frames.Sampler{Samples: max(t.voice.Samples, 1)}
	for _, i := range sampler.Pick(w.Window, pts) {
		fs = append(fs, s.looks[i].fs[t.which])
		span.Frames = append(span.Frames, sinks.SecondsOf(s.looks[i].used))
	}
	return span, fs
}

// publish emits a text, unless it says what was said before.
func (s *speaker) publish(ctx context.Context, w window, question string, e sinks.Event) {
	s.stats.generated.Add(1)
	text := speech(e).Text
	before, known := s.said[question]
	if s.Gate.Enabled && known && before.text == text {
		before.count++
		s.said[question] = before
		return
	}
	s.said[question] = said{text: text, start: w.Start, told: w.End}
	s.teller.tell(ctx, s.epoch, e)
	if s.stats.latency != nil {
		s.stats.latency(time.Since(w.since))
	}
}

func speech(e sinks.Event) sinks.Speech {
	switch e := e.(type) {
	case *sinks.Caption:
		return e.Speech
	case *sinks.Answer:
		return e.Speech
	}
	return sinks.Speech{}
}

// heartbeat tells now and then that the caption has not changed.
func (s *speaker) heartbeat(ctx context.Context, w window) {
	last, known := s.said[""]
	if !s.Gate.Enabled || !known || w.End-last.told < s.Unchanged {
		return
	}
	last.told = w.End
	s.said[""] = last
	s.teller.tell(ctx, s.epoch, &sinks.Unchanged{Since: sinks.SecondsOf(last.start), Count: last.count, Text: last.text})
}
