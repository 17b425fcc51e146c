package pipeline

import (
	"context"
	"fmt"
	"image"
	"iter"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/sinks"
)

// containerClockError is what a container's creation time may be off by: it has whole
// seconds.
const containerClockError = time.Second

// An Input is one file or picture: what its events have in common.
type Input struct {
	Source  string    // file-<12 hex>, job-<id>
	Title   string    // the file's name
	Created time.Time // the container's creation time, zero where unknown
}

// A Job is one input, the voice that speaks about it and where its events go, sealed
// and in order. An error of Emit ends the method that met it. A Job is used by one
// goroutine at a time.
type Job struct {
	Input
	Voice
	Emit func(sinks.Event) error
}

// Caption emits a caption for each window of the clip as soon as its last frame has been
// seen. Where the clip breaks off with an error, the captions of what was complete
// before it come first.
func (j Job) Caption(ctx context.Context, clip Clip, windows iter.Seq[frames.Window]) error {
	var seq int64
	for l, err := range looks(ctx, j.Voice, clip, windows) {
		if err != nil {
			return err
		}
		if err := j.captionLook(ctx, seq, l); err != nil {
			return err
		}
		seq++
	}
	return nil
}

// Ask emits the answers to the questions about one window, in their order. The window
// is decoded and encoded once.
func (j Job) Ask(ctx context.Context, clip Clip, w frames.Window, questions []string) error {
	for l, err := range looks(ctx, j.Voice, clip, one(w)) {
		if err != nil {
			return err
		}
		p, err := j.Begin(ctx, l.features)
		if err != nil {
			return fmt.Errorf("begin window %v-%v: %w", w.Start, w.End, err)
		}
		defer p.Close()
		return j.answer(ctx, scene{p, j.span(l), l.complete}, questions)
	}
	return fmt.Errorf("ask about %v-%v: no frame was found there", w.Start, w.End)
}

// CaptionPicture emits the caption of a single picture.
func (j Job) CaptionPicture(ctx context.Context, img *image.RGBA) error {
	return j.picture(ctx, img, func(s scene) error { return j.caption(ctx, 0, s) })
}

// AskPicture emits the answers to the questions about a single picture, in their order.
func (j Job) AskPicture(ctx context.Context, img *image.RGBA, questions []string) error {
	return j.picture(ctx, img, func(s scene) error { return j.answer(ctx, s, questions) })
}

// A scene is what a text can be about: image keys and values, their place in time, and
// since when they could be known.
type scene struct {
	prefix *model.Prefix
	span   sinks.Span
	since  time.Time
}

func (j Job) captionLook(ctx context.Context, seq int64, l look) error {
	p, err := j.Begin(ctx, l.features)
	if err != nil {
		return fmt.Errorf("begin window %v-%v: %w", l.Start, l.End, err)
	}
	defer p.Close()
	return j.caption(ctx, seq, scene{p, j.span(l), l.complete})
}

func (j Job) caption(ctx context.Context, seq int64, s scene) error {
	speech, err := j.Say(ctx, s.prefix, j.Request.Prompt, s.since)
	if err != nil {
		return fmt.Errorf("caption: %w", err)
	}
	return j.emit(&sinks.Caption{Header: j.header(seq), Span: s.span, Speech: speech})
}

func (j Job) answer(ctx context.Context, s scene, questions []string) error {
	for i, q := range questions {
		speech, err := j.Say(ctx, s.prefix, q, s.since)
		if err != nil {
			return fmt.Errorf("answer %q: %w", q, err)
		}
		e := &sinks.Answer{Header: j.header(int64(i)), Question: q, Span: s.span, Speech: speech}
		if err := j.emit(e); err != nil {
			return err
		}
	}
	return nil
}

func (j Job) picture(ctx context.Context, img *image.RGBA, use func(scene) error) error {
	begun := time.Now()
	f, err := j.Encode(ctx, img, j.View)
	if err != nil {
		return fmt.Errorf("encode picture: %w", err)
	}
	p, err := j.BeginPicture(ctx, f)
	if err != nil {
		return fmt.Errorf("begin picture: %w", err)
	}
	defer p.Close()
	return use(scene{p, sinks.Span{Frames: []sinks.Seconds{0}, Clock: sinks.ClockNone}, begun})
}

func (j Job) emit(e sinks.Event) error {
	sinks.Seal(e)
	return j.Emit(e)
}

func (j Job) header(seq int64) sinks.Header {
	h := sinks.Header{Source: j.Source, Title: j.Title, Seq: seq}
	if !j.Created.IsZero() {
		h.Epoch = j.Created.UnixMilli()
	}
	return h
}

func (j Job) span(l look) sinks.Span {
	s := sinks.Span{Start: sinks.SecondsOf(l.Start), End: sinks.SecondsOf(l.End), Clock: sinks.ClockNone}
	for _, at := range l.pts {
		s.Frames = append(s.Frames, sinks.SecondsOf(at))
	}
	if !j.Created.IsZero() {
		s.StartTime, s.EndTime = sinks.At(j.Created.Add(l.Start)), sinks.At(j.Created.Add(l.End))
		s.Clock, s.ClockErrorMS = sinks.ClockContainer, containerClockError.Milliseconds()
	}
	return s
}

func one[T any](v T) iter.Seq[T] {
	return func(yield func(T) bool) { yield(v) }
}
