package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"sync"
	"time"

	"github.com/captiond/captiond/frames"
)

// glimpseEvery is from one picture that is asked for to the next: one is enough.
const glimpseEvery = time.Minute

// Glimpse opens the camera once, outside of its sessions, and returns its first picture, with
// its masks, and what it is coded as. It takes as long as the camera does: the caller's context
// is the limit, and its end is the error where nothing else went wrong before. Nothing is
// emitted or counted. Of the camera, Connection, Decode and Masks are used.
func (c Camera) Glimpse(ctx context.Context) (*image.RGBA, frames.Codec, error) {
	working, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel()
	b := newBacklog()
	reading.Go(func() {
		b.end(c.Connection.Read(working, func(u frames.Unit) error { b.put(u); return nil }))
	})
	first, err := b.take(working)
	if err != nil {
		return nil, "", err
	}
	var img *image.RGBA
	var seen, fed error // why no picture, and no more units, came
	err = c.Decode(working, first.Codec, func(ctx context.Context, s Stream) error {
		var feeding sync.WaitGroup
		defer feeding.Wait()
		defer cancel()
		feeding.Go(func() { fed = feedFrom(ctx, s, b, first) })
		img, seen = firstPicture(s)
		return seen
	})
	if img == nil {
		return nil, first.Codec, cmp.Or(context.Cause(ctx), seen, fed, err)
	}
	cover(img, c.Masks)
	return img, first.Codec, nil
}

// feedFrom asks for a picture and feeds units, the first at 0, until no more come.
func feedFrom(ctx context.Context, s Stream, b *backlog, first frames.Unit) error {
	if err := s.Grid(0, glimpseEvery); err != nil {
		return fmt.Errorf("decode camera: %w", err)
	}
	for u := first; ; {
		if err := s.Feed(u, max(u.PTS-first.PTS, 0)); err != nil {
			return err
		}
		var err error
		if u, err = b.take(ctx); err != nil {
			return errors.Join(err, s.Drain()) // what is there may be a picture
		}
	}
}

// firstPicture waits for the first frame that is given; it is nil where none comes.
func firstPicture(s Stream) (*image.RGBA, error) {
	for {
		seen, err := s.Next()
		switch {
		case err != nil:
			return nil, fmt.Errorf("decode camera: %w", err)
		case seen.Image != nil:
			return seen.Image, nil
		case seen.Drained:
			return nil, nil
		}
	}
}
