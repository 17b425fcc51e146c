package api

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/pipeline/live"
	"github.com/captiond/captiond/pipeline/recall"
	"github.com/captiond/captiond/sinks"
)

// cameraTrust is how far a camera's clock may be from the machine's: frames.Clock believes it
// within so much.
const cameraTrust = 5 * time.Second

// findCamera recalls what a camera showed.
func (a *Asker) findCamera(r request) (*target, error) {
	c, ok := a.o.Camera(r.Subject.Camera)
	if !ok {
		return nil, Errorf(http.StatusNotFound, "there is no camera %.64q", r.Subject.Camera)
	}
	v, of, err := a.cameraVoice(c, r)
	if err != nil {
		return nil, err
	}
	past := a.o.Ring.Past(c.Source)
	if len(past) == 0 {
		return nil, Errorf(http.StatusConflict, "nothing of camera %s is remembered: ask again when it has been live for a moment", c.Source)
	}
	s, err := r.Stretch.camera(past, c.Window)
	if err != nil {
		return nil, err
	}
	s.Samples = max(v.Samples, 1)
	seen, ok := past.See(s)
	if !ok {
		return nil, Errorf(http.StatusConflict, "camera %s is remembered from %s to %s: ask about a stretch in there",
			c.Source, clockTime(past[0].Wall), clockTime(past[len(past)-1].Wall))
	}
	return cameraTarget(c.Source, v, seen, of)
}

func clockTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// cameraVoice is the model that a request means, and which of a look's features are its own.
func (a *Asker) cameraVoice(c live.Camera, r request) (v pipeline.Voice, of func(live.Look) *model.Features, err error) {
	v = c.Caption
	if r.kind == sinks.KindAnswer {
		v = c.Answer
	}
	if r.Model != "" {
		if v, err = a.model(r); err != nil {
			return v, nil, err
		}
	}
	switch v.Name {
	case c.Answer.Name:
		v, of = c.Answer, func(l live.Look) *model.Features { return l.Answer }
	case c.Caption.Name:
		v, of = c.Caption, func(l live.Look) *model.Features { return l.Caption }
	default:
		return v, nil, Errorf(http.StatusConflict, "camera %s is remembered as %s and %s saw it, not as %s: name one of them, or none", c.Source, c.Caption.Name, c.Answer.Name, v.Name)
	}
	seen := v.View
	if v, err = r.Search.apply(v); err != nil {
		return v, nil, err
	}
	if r.View != "" && v.View != seen {
		return v, nil, unprocessable("camera %s is remembered as it was seen, with the view %v: leave view out", c.Source, seen)
	}
	v.View = seen
	return v, of, nil
}

// camera is the stretch of a camera that is meant: its last window where none is.
func (s Stretch) camera(past live.Past, window time.Duration) (live.Stretch, error) {
	newest := past[len(past)-1].Wall
	now := time.Now()
	if now.Sub(newest).Abs() < cameraTrust+window { // it is live, and by its own clock this is now
		now = newest
	}
	c := live.Stretch{From: past[0].Wall, To: now, Reach: window}
	switch {
	case s.Last > 0:
		c.From = now.Add(-s.Last.Duration())
	case s.From == nil && s.To == nil:
		c.From = now.Add(-window)
	}
	if s.From != nil {
		c.From = s.From.on(past)
	}
	if s.To != nil {
		c.To = s.To.on(past)
	}
	if c.To.Before(c.From) && s.To != nil && s.From != nil {
		return c, unprocessable("from %v to %v is no stretch: to must come after from", s.From, s.To)
	}
	return c, nil
}

// on is the time of day of a moment of a camera.
func (m Moment) on(past live.Past) time.Time {
	if m.Time.IsZero() {
		return past.Time(m.Offset.Duration())
	}
	return m.Time
}

// cameraTarget is what a camera showed as the features have it that of finds in its looks.
func cameraTarget(source string, v pipeline.Voice, seen live.Recollection, of func(live.Look) *model.Features) (*target, error) {
	var fs []*model.Features
	var detail strings.Builder
	for _, l := range seen.Looks {
		if of(l) == nil {
			return nil, Errorf(http.StatusConflict, "what %s sees of camera %s is not kept: set ring.answers to true, or give the camera a standing question", v.Name, source)
		}
		fs = append(fs, of(l))
		fmt.Fprintf(&detail, "%d+%v ", l.Epoch, l.Used)
	}
	return &target{
		Input: pipeline.Input{Source: source}, Voice: v,
		key:  recall.Key{Subject: source, Detail: detail.String() + eye(v)},
		span: &seen.Span,
		see: func(ctx context.Context, _ *os.File) (*pipeline.Scene, error) {
			p, err := v.Begin(ctx, fs)
			if err != nil {
				return nil, fmt.Errorf("begin window: %w", err)
			}
			s := pipeline.NewScene(seen.Span, p, time.Now())
			s.Origin = time.UnixMilli(seen.Epoch)
			return s, nil
		},
	}, nil
}
