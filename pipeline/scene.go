package pipeline

import (
	"context"
	"errors"
	"fmt"
	"image"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/sinks"
)

// Footage is what a file shows: a clip, or a picture.
type Footage struct {
	Clip    Clip        // nil for a picture
	Picture *image.RGBA // nil for a clip
}

// Window is what the footage has of a stretch; an error says that it has nothing there.
func (f Footage) Window(s frames.Stretch) (frames.Window, error) {
	switch {
	case f.Picture == nil:
		return s.Of(f.Clip.Info())
	case s != frames.Stretch{}:
		return frames.Window{}, errors.New("a picture has no time: leave out from and to")
	}
	return frames.Window{}, nil
}

// A Scene is what a text can be about: image keys and values, their place in time, and
// since when they could be known. It holds native memory until Close; any number of texts may
// be generated about it, at the same time too.
type Scene struct {
	Span   sinks.Span
	Origin time.Time // the time of day at which its source's time begins; zero where unknown
	prefix *model.Prefix
	since  time.Time
}

// NewScene is a scene of a window that was begun elsewhere, such as a camera's.
func NewScene(span sinks.Span, p *model.Prefix, since time.Time) *Scene {
	return &Scene{Span: span, prefix: p, since: since}
}

// Bytes is the memory that the scene holds.
func (s *Scene) Bytes() int64 { return s.prefix.Bytes() }

// Close frees the memory when no text is being generated any more. It may be called twice.
func (s *Scene) Close() { s.prefix.Close() }

// Describe emits the caption of a scene. Since is when it was asked for; it may be called as
// Answer may.
func (j Job) Describe(ctx context.Context, s *Scene, since time.Time) error {
	asked := *s
	asked.since = since
	return j.caption(ctx, &asked)
}

// ErrNoFrame is returned by See where a clip shows nothing.
var ErrNoFrame = errors.New("no frame was found there")

// See looks at one window of a clip, or at a picture, which has no windows. What is seen is
// decoded and encoded once, however much is asked about it.
func (j Job) See(ctx context.Context, f Footage, w frames.Window) (*Scene, error) {
	if f.Picture != nil {
		return j.seePicture(ctx, f.Picture)
	}
	for l, err := range looks(ctx, j.Voice, f.Clip, one(numbered{Window: w})) {
		if err != nil {
			return nil, err
		}
		return j.scene(ctx, l)
	}
	return nil, fmt.Errorf("look at %v-%v: %w", w.Start, w.End, ErrNoFrame)
}

func (j Job) seePicture(ctx context.Context, img *image.RGBA) (*Scene, error) {
	begun := time.Now()
	f, err := j.Encode(ctx, img)
	if err != nil {
		return nil, fmt.Errorf("encode picture: %w", err)
	}
	p, err := j.BeginPicture(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("begin picture: %w", err)
	}
	return NewScene(sinks.Span{Frames: []sinks.Seconds{0}, Clock: sinks.ClockNone}, p, begun), nil
}

func (j Job) scene(ctx context.Context, l look) (*Scene, error) {
	p, err := j.Begin(ctx, l.features)
	if err != nil {
		return nil, fmt.Errorf("begin window %v-%v: %w", l.Start, l.End, err)
	}
	return &Scene{Span: j.span(l), Origin: j.Created, prefix: p, since: l.complete}, nil
}
