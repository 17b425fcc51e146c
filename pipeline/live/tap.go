package live

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/captiond/captiond/frames"
)

// ErrStopped is why nothing more comes of a camera that has been stopped.
var ErrStopped = errors.New("the camera has been stopped")

// Tap hands the units of a camera, as they arrive, to whoever listens. Nobody who listens holds
// the camera up. The zero value is ready, and may be used by any number of goroutines. A nil Tap
// hands on nothing and costs nothing.
type Tap struct {
	mu        sync.Mutex
	codec     frames.Codec
	listeners []*Listener
	stopped   bool
}

// Listener receives units from a key unit on, within the bounds of a backlog: where it does not
// keep up, all that waits is dropped, up to the next key unit. It is used by one goroutine.
type Listener struct {
	tap   *Tap
	units *backlog
}

// Listen begins with the next key unit. The listener lasts as long as the camera's session; one
// that begins between two sessions waits for the next. It must be closed.
func (t *Tap) Listen() *Listener {
	l := &Listener{tap: t, units: newBacklog()}
	l.units.skip = true
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		l.units.end(ErrStopped)
	}
	t.listeners = append(t.listeners, l)
	return l
}

// Next waits for a unit. After the last one of the session the error says why it ended:
// ErrStopped where no other session follows.
func (l *Listener) Next(ctx context.Context) (frames.Unit, error) { return l.units.take(ctx) }

// Dropped is how many units were: those that came before the first key unit, too.
func (l *Listener) Dropped() int64 { return l.units.lost() }

// Close ends the listening. It may be called twice.
func (l *Listener) Close() {
	l.tap.mu.Lock()
	defer l.tap.mu.Unlock()
	l.tap.listeners = slices.DeleteFunc(l.tap.listeners, func(other *Listener) bool { return other == l })
}

// Codec is that of the units that came last; "" before the first.
func (t *Tap) Codec() frames.Codec {
	if t == nil {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.codec
}

// put never blocks.
func (t *Tap) put(u frames.Unit) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.codec = u.Codec
	for _, l := range t.listeners {
		l.units.put(u)
	}
}

// end ends a session: all that listen have heard the last of it.
func (t *Tap) end(err error) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.listeners {
		l.units.end(err)
	}
	t.listeners = nil
	t.stopped = t.stopped || errors.Is(err, ErrStopped)
}
