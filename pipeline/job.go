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

// Caption emits a caption for each window of the clip as soon as the last frame of its
// group has been seen; the first window is a group of its own. Where the clip breaks off
// with an error, the captions of what was complete before it come first.
func (j Job) Caption(ctx context.Context, clip Clip, windows iter.Seq[frames.Window]) error {
	seq := j.next()
	for group, err := range j.groups(ctx, clip, windows) {
		if err != nil {
			return err
		}
		for i, said := range Discuss(ctx, j.talks(group)) {
			l := group[i]
			switch {
			case j.captioned(l.Window):
				continue
			case said.Err != nil:
				return fmt.Errorf("caption window %v-%v: %w", l.Start, l.End, said.Err)
			}
			if err := j.emit(&sinks.Caption{Header: j.header(seq), Span: j.span(l), Speech: said.Speeches[0]}); err != nil {
				return err
			}
			seq++
		}
	}
	return nil
}

// talks are about the captions of looks.
func (j Job) talks(group []look) (talks []Talk) {
	for _, l := range group {
		talks = append(talks, Talk{Voice: j.Voice, Frames: l.features, Prompts: []string{j.Request.Prompt}, Since: l.complete})
	}
	return talks
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
	return j.caption(ctx, s)
}

// Answer emits the answers to questions about a scene, in their order, generated
// side by side. Since is when they were asked: latencies count from there. It may be called
// for one scene by several goroutines, each with a Job of its own.
func (j Job) Answer(ctx context.Context, s *Scene, since time.Time, questions []string) error {
	seq := 0
	for speech, err := range j.Say(ctx, s.prefix, questions, since) {
		q := questions[seq]
		if err != nil {
			return fmt.Errorf("answer %q: %w", q, err)
		}
		e := &sinks.Answer{Header: j.header(int64(seq)), Question: q, Span: s.Span, Speech: speech}
		if err := j.emit(e); err != nil {
			return err
		}
		seq++
	}
	return nil
}

func (j Job) caption(ctx context.Context, s *Scene) error {
	said, err := j.say(ctx, s.prefix, []string{j.Request.Prompt}, s.since)
	if err != nil {
		return fmt.Errorf("caption: %w", err)
	}
	return j.emit(&sinks.Caption{Header: j.header(0), Span: s.Span, Speech: said[0]})
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
