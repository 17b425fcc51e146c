package files

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/captiond/captiond/sinks"
)

// A sleeper sees the broker as it was when it fell asleep, and is not heard: a process that is
// paused, as long as it is, and for the moment after in which it knows of nothing.
type sleeper struct {
	*broker
	mu      sync.Mutex
	dawn    bool // its records are those of now again
	seen    record
	refused int
}

func (s *sleeper) Get(ctx context.Context, id string) (Video, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen.revision != 0 && !s.dawn {
		return s.seen.Video, s.seen.revision, nil
	}
	return s.broker.Get(ctx, id)
}

// Put is refused at first, and at last found out about.
func (s *sleeper) Put(ctx context.Context, v Video, revision uint64) (uint64, error) {
	revision, err := s.broker.Put(ctx, v, revision)
	if errors.Is(err, ErrConflict) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refused++
		s.dawn = s.dawn || s.refused == 3
	}
	return revision, err
}

func (s *sleeper) Take(ctx context.Context) (Delivery, error) {
	d, err := s.broker.Take(ctx)
	if err != nil {
		return nil, err
	}
	return mute{d}, nil
}

// mute is a delivery that cannot be confirmed.
type mute struct{ Delivery }

func (mute) Beat() error { return errAway }

func (s *sleeper) fallAsleep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	s.seen = s.records[testID]
}

// A worker that slept through the work of another changes nothing, whatever it was about to do:
// it does not know yet that it is late.
func TestZombie(t *testing.T) {
	bubble(t, func(t *testing.T) {
		want := undisturbed(t, long(), Options{})
		for name, wake := range map[string]struct {
			at  func(other Video) bool // of the other's work
			err error                  // what the zombie then finds
		}{
			"in the middle of the other's work": {at: func(v Video) bool { return v.Captions >= 15 }},
			"when all is done":                  {at: func(v Video) bool { return v.State == sinks.JobDone }},
			"to fail, in the middle":            {func(v Video) bool { return v.Captions >= 15 }, errors.New("no memory")},
			"to fail, when all is done":         {func(v Video) bool { return v.State == sinks.JobDone }, &FileError{errors.New("invalid data")}},
		} {
			b := newBroker()
			b.queue(t, Options{})
			z := &sleeper{broker: b}
			awake := make(chan struct{})
			s := on(long())
			var said atomic.Int64
			s.parrot.before = func(context.Context) error {
				if said.Add(1) == 5 {
					z.fallAsleep()
					<-awake
					return wake.err
				}
				return nil
			}
			zombie := s.worker(b)
			zombie.Queue, zombie.Records, zombie.Patience = z, z, 1000*time.Hour
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { zombie.Run(ctx) })
			for said.Load() < 5 {
				sleep(ctx, 10*time.Millisecond)
			}
			woken := false
			until(t, on(long()).worker(b), func() bool {
				if !woken && wake.at(b.video()) {
					woken = true
					close(awake)
					sleep(ctx, 100*time.Millisecond)
				}
				return woken && b.waiting() == 0
			})
			z.mu.Lock()
			z.dawn = true
			z.mu.Unlock()
			sleep(ctx, 10*time.Second)
			cancel()
			running.Wait()
			if v := b.video(); v.State != sinks.JobDone || v.Attempt != 2 || v.Captions != 20 {
				t.Errorf("%s: the record is %+v", name, v)
			}
			same(t, name, b.captions(t), want)
			checkTold(t, b, sinks.JobDone)
		}
	})
}

// Two workers that have the same job at the same time, over and over, say everything once.
func TestJobHandedOutTooEarly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		want := undisturbed(t, long(), Options{})
		b, s := newBroker(), on(long())
		b.patience = 7 * time.Second
		b.queue(t, Options{})
		w := s.worker(b)
		w.Queue = &sleeper{broker: b} // whose deliveries are not confirmed
		w.Slots, w.Attempts = 3, 1000
		if v := ended(t, w, b); v.State != sinks.JobDone || v.Attempt < 3 {
			t.Errorf("the record is %+v", v)
		}
		same(t, "with several workers", b.captions(t), want)
		checkTold(t, b, sinks.JobDone)
	})
}
