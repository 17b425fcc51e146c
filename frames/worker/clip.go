package worker

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/wire"
)

// A Clip is an open video. Show is for one goroutine at a time; the rest is for any.
type Clip struct {
	child  *child
	last   []time.Duration // the request whose answer is not at its end, nil if there is none
	broken error           // why nothing more can be shown

	mu   sync.Mutex
	info frames.Info
}

// open has the child open its input.
func open(c *child, d Decoder) (*Clip, error) {
	if err := c.send(wire.Open{MaxPixels: d.MaxPixels, Threads: d.Threads}); err != nil {
		return nil, err
	}
	m, err := c.receive()
	if err != nil {
		return nil, err
	}
	o, ok := m.(wire.Opened)
	if !ok {
		return nil, c.unexpected(m)
	}
	return &Clip{child: c, info: frames.Info(o)}, nil
}

// Ready returns what the child said of itself.
func (c *Clip) Ready() Ready { return c.child.ready }

// Info returns what is known of the clip. Its Damage grows as the clip is shown.
func (c *Clip) Info() frames.Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.info
}

// Show yields the frames on screen at the ascending instants, each distinct frame once, in
// order. Going forward from call to call costs least, but any order is right. After an
// error the sequence ends, and so does every later one. A cancelled context ends the child.
func (c *Clip) Show(ctx context.Context, instants []time.Duration) iter.Seq2[frames.Sample, error] {
	return func(yield func(frames.Sample, error) bool) {
		if c.broken == nil {
			stop := context.AfterFunc(ctx, c.child.kill)
			defer stop()
			c.broken = c.show(instants, yield)
		}
		if c.broken != nil {
			yield(frames.Sample{}, c.child.because(ctx, c.broken))
		}
	}
}

// show returns nil when all was yielded or the loop over it was left.
func (c *Clip) show(instants []time.Duration, yield func(frames.Sample, error) bool) error {
	if err := c.ask(instants); err != nil {
		return err
	}
	last := -wire.MaxTime - 1
	for next := 0; next < len(instants); {
		f, err := c.frame(last, next, len(instants))
		if err != nil {
			return err
		}
		next, last = next+f.Count, f.PTS
		if next == len(instants) { // before the last yield, after which nobody may come back
			if err := c.finish(); err != nil {
				return err
			}
		}
		s := frames.Sample{Frame: frames.Frame{Image: f.Image, PTS: f.PTS}, First: f.First, Count: f.Count}
		if !yield(s, nil) {
			return nil
		}
	}
	return nil
}

// ask sends a request, when the answer before has been read to its end.
func (c *Clip) ask(instants []time.Duration) error {
	if len(instants) == 0 {
		return nil
	}
	if !slices.IsSorted(instants) {
		return errors.New("show clip: the instants do not ascend")
	}
	if c.last != nil {
		if err := c.finish(); err != nil {
			return err
		}
	}
	if err := c.child.send(wire.Show{Instants: instants}); err != nil {
		return err
	}
	c.last = instants
	return nil
}

// frame receives the frame for the instants from next on, which comes after the last.
func (c *Clip) frame(last time.Duration, next, n int) (wire.Frame, error) {
	m, err := c.child.receive()
	if err != nil {
		return wire.Frame{}, err
	}
	f, ok := m.(wire.Frame)
	if !ok {
		return wire.Frame{}, c.child.unexpected(m)
	}
	if f.First != next || f.Count > n-next || f.PTS <= last {
		return wire.Frame{}, c.child.failed(fmt.Errorf("%w: frame at %v for %d instants from number %d of %d",
			wire.ErrInvalid, f.PTS, f.Count, f.First, n))
	}
	return f, nil
}

// finish reads the answer's end, past what nobody wanted of it.
func (c *Clip) finish() error {
	for range len(c.last) + 1 {
		m, err := c.child.receive()
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case wire.Frame:
			continue
		case wire.Shown:
			c.last = nil
			c.note(m.Damage)
			return nil
		default:
			return c.child.unexpected(m)
		}
	}
	return c.child.failed(fmt.Errorf("%w: an answer without end", wire.ErrInvalid))
}

// note adds damage that was not known.
func (c *Clip) note(damage string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case damage == "" || strings.Contains(c.info.Damage, damage):
	case c.info.Damage == "" || strings.Contains(damage, c.info.Damage):
		c.info.Damage = damage
	default:
		c.info.Damage += "; " + damage
	}
}
