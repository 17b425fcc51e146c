package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/wire"
)

// A Stream is a live stream being decoded in a child: one goroutine feeds it, another takes
// what is seen. Whoever feeds is held up while nobody takes.
type Stream struct {
	child *child
	last  time.Duration // of the frames that came on screen
}

// Live starts a child for a live stream and calls use with it. The stream is valid until use
// returns; then the child is ended. A child waits for units as long as it takes: whether a
// camera has gone silent is for the caller to judge, who then cancels the context.
func (d Decoder) Live(ctx context.Context, codec frames.Codec, use func(context.Context, *Stream) error) error {
	none, err := os.Open(os.DevNull)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStart, err)
	}
	defer none.Close()
	return d.run(ctx, none, func(c *child) error {
		d := d.withDefaults()
		if err := c.send(wire.Live{Codec: string(codec), MaxPixels: d.MaxPixels, Threads: d.Threads}); err != nil {
			return err
		}
		return use(ctx, &Stream{child: c, last: -wire.MaxTime - 1})
	})
}

// Feed sends an access unit with its PTS on the feed's timeline, which never goes back but
// for reordered frames. It blocks while the child is busy, for a stall at most.
func (s *Stream) Feed(u frames.Unit, pts time.Duration) error {
	return s.child.send(wire.Unit{PTS: pts, Key: u.Key, Lost: u.Lost > 0, Data: u.Data})
}

// Grid asks for the frames on screen at from, from+every and so on, in place of those asked
// for before.
func (s *Stream) Grid(from, every time.Duration) error {
	return s.child.send(wire.Grid{From: from, Every: every})
}

// Drain ends the feed: what the decoder still holds is seen, the frame on screen given, and
// the last thing seen is that it is drained.
func (s *Stream) Drain() error { return s.child.send(wire.Drain{}) }

// Next returns what is seen next. PTS of frames that come on screen ascend.
func (s *Stream) Next() (frames.Seen, error) {
	c := s.child
	if err := c.report.SetReadDeadline(time.Time{}); err != nil {
		return frames.Seen{}, c.failed(err)
	}
	m, err := c.in.Read()
	if err != nil {
		return frames.Seen{}, c.failed(err)
	}
	c.grant()
	switch m := m.(type) {
	case wire.Moved:
		if m.PTS <= s.last {
			return frames.Seen{}, c.failed(fmt.Errorf("%w: frame at %v after %v", wire.ErrInvalid, m.PTS, s.last))
		}
		s.last = m.PTS
		return frames.Seen{PTS: m.PTS, Skipped: m.Skipped}, nil
	case wire.Frame:
		if m.PTS != s.last {
			return frames.Seen{}, c.failed(fmt.Errorf("%w: picture of %v while that of %v is shown", wire.ErrInvalid, m.PTS, s.last))
		}
		return frames.Seen{PTS: m.PTS, Image: m.Image}, nil
	case wire.Shown:
		return frames.Seen{PTS: s.last, Drained: true}, nil
	case wire.Failure:
		return frames.Seen{}, errors.New(m.Message)
	}
	return frames.Seen{}, c.unexpected(m)
}
