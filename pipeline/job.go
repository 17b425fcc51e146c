package pipeline

import (
	"context"
	"fmt"
	"image"
	"iter"
	"time"

	"github.com/captiond/captiond/frames"
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
	// After is the caption that an attempt before this one ended with, nil for none: Caption and
	// CaptionPicture go on behind it, with the captions that would have followed it then.
	After *sinks.Caption
}

// Caption emits a caption for each window of the clip as soon as its last frame has been
// seen. Where the clip breaks off with an error, the captions of what was complete
// before it come first.
func (j Job) Caption(ctx context.Context, clip Clip, windows iter.Seq[frames.Window]) error {
	seq := j.next()
	for l, err := range looks(ctx, j.Voice, clip, j.rest(windows)) {
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
func (j Job) Ask(ctx context.Context, f Footage, w frames.Window, questions []string) error {
	s, err := j.See(ctx, f, w)
	if err != nil {
		return err
	}
	defer s.Close()
	return j.Answer(ctx, s, s.since, questions)
}

// CaptionPicture emits the caption of a single picture.
func (j Job) CaptionPicture(ctx context.Context, img *image.RGBA) error {
	if j.After != nil {
		return nil
	}
	s, err := j.See(ctx, Footage{Picture: img}, frames.Window{})
	if err != nil {
		return err
	}
	defer s.Close()
	return j.caption(ctx, 0, s)
}

// Answer emits the answers to questions about a scene, in their order. Since is when they
// were asked: latencies count from there. It may be called for one scene by several
// goroutines, each with a Job of its own.
func (j Job) Answer(ctx context.Context, s *Scene, since time.Time, questions []string) error {
	for i, q := range questions {
		speech, err := j.Say(ctx, s.prefix, q, since)
		if err != nil {
			return fmt.Errorf("answer %q: %w", q, err)
		}
		e := &sinks.Answer{Header: j.header(int64(i)), Question: q, Span: s.Span, Speech: speech}
		if err := j.emit(e); err != nil {
			return err
		}
	}
	return nil
}

func (j Job) captionLook(ctx context.Context, seq int64, l look) error {
	s, err := j.begin(ctx, l)
	if err != nil {
		return err
	}
	defer s.Close()
	return j.caption(ctx, seq, s)
}

func (j Job) caption(ctx context.Context, seq int64, s *Scene) error {
	speech, err := j.Say(ctx, s.prefix, j.Request.Prompt, s.since)
	if err != nil {
		return fmt.Errorf("caption: %w", err)
	}
	return j.emit(&sinks.Caption{Header: j.header(seq), Span: s.Span, Speech: speech})
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
