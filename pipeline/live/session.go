package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/captiond/captiond/frames"
)

// How long a camera may play without a frame.
const (
	firstFrame  = 35 * time.Second // to open, and to come to its first key frame
	leastSilent = 10 * time.Second // between frames, or so many GOPs
	silentGOPs  = 2.5
)

// ErrStalled says that a camera plays and no frame can be had.
var ErrStalled = errors.New("no frame could be decoded in time")

// session is one attempt at a camera.
type session struct {
	*attendant
	backlog  *backlog
	timeline timeline
	clock    frames.Clock
	silence  *time.Timer

	mu  sync.Mutex
	gop time.Duration // longest of this session
	key time.Duration // PTS of the last key unit
}

// attempt plays the camera once. It returns for how long frames were seen.
func (a *attendant) attempt(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &session{attendant: a, backlog: newBacklog(), clock: frames.Clock{Last: a.epoch}}
	s.silence = time.AfterFunc(firstFrame, func() { cancel(ErrStalled) })
	defer s.silence.Stop()
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel(nil)
	reading.Go(func() {
		err := a.Connection.Read(ctx, func(u frames.Unit) error {
			a.stats.units.Add(1)
			a.stats.lostPackets.Add(int64(u.Lost))
			a.Tap.put(u)
			s.backlog.put(u)
			return nil
		})
		a.Tap.end(err)
		s.backlog.end(err)
	})
	good, err := s.play(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return good, err
}

// play decodes what is read.
func (s *session) play(ctx context.Context) (good time.Duration, err error) {
	first, err := s.backlog.take(ctx)
	if err != nil {
		return 0, err
	}
	err = s.Decode(ctx, first.Codec, func(ctx context.Context, stream Stream) error {
		var feeding sync.WaitGroup
		defer feeding.Wait()
		var end error // why no more units came
		feeding.Go(func() { end = s.feed(ctx, stream, first) })
		w := newWatch(s, stream)
		err := w.run(ctx)
		good = w.good
		if err != nil {
			return err
		}
		feeding.Wait()
		return end
	})
	return good, err
}

// feed sends units to the decoder until no more come, and then the drain. Its error is why.
func (s *session) feed(ctx context.Context, stream Stream, u frames.Unit) error {
	for {
		if err := s.feedUnit(stream, u); err != nil {
			return err
		}
		var err error
		if u, err = s.backlog.take(ctx); err != nil {
			return errors.Join(err, stream.Drain())
		}
	}
}

func (s *session) feedUnit(stream Stream, u frames.Unit) error {
	m := s.clock.Read(u.Stamp)
	s.stats.ignoredClocks.Store(int64(s.clock.Ignored))
	pts := s.timeline.place(m, u.Wall)
	if m.New != "" {
		part := s.part() * time.Duration(s.Load.Stretch())
		if err := stream.Grid(pts+part/2, part); err != nil {
			return fmt.Errorf("decode camera: %w", err)
		}
	}
	if u.Key {
		s.measureGOP(pts)
	}
	if err := stream.Feed(u, pts); err != nil {
		return fmt.Errorf("decode camera: %w", err)
	}
	return nil
}

func (s *session) measureGOP(pts time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key > 0 {
		s.gop = max(s.gop, pts-s.key)
	}
	s.key = pts
}

// alive is told of each frame: the silence begins anew.
func (s *session) alive() {
	s.mu.Lock()
	gop := s.gop
	s.mu.Unlock()
	s.silence.Reset(max(leastSilent, time.Duration(silentGOPs*float64(gop))))
}
