// Package recall keeps what was looked at, so that more can be asked about it: scenes, within
// so many bytes. The one that was used the longest ago goes first; one in use stays until its
// last user has done, and two who want the same at the same time have it made once.
//
// It is pure Go and knows nothing of models. What it keeps holds native memory, hence the
// counting of users: a garbage collector would come too late.
package recall

import (
	"container/list"
	"context"
	"errors"
	"sync"
)

// Scene is what is kept: a *pipeline.Scene. It holds memory until Close, which is called once
// and when nobody uses it.
type Scene interface {
	Bytes() int64 // that it holds
	Close()
}

// Key tells scenes apart.
type Key struct {
	Subject string // what is seen: the source of its events
	Detail  string // all else: the stretch, the model, the view
}

// Count is how a Memory stands, and what happened since it was made.
type Count struct {
	Hits, Misses, Evictions int64
	Scenes                  int   // that are remembered
	Bytes                   int64 // that are held, those of scenes in use that are not remembered among them
}

// ErrClosed is returned by Use after Close.
var ErrClosed = errors.New("the memory of scenes is closed")

// Memory remembers scenes. It may be used by any number of goroutines.
type Memory[S Scene] struct {
	most int64

	mu      sync.Mutex
	closed  bool
	entries map[Key]*entry[S] // what is remembered, and what is being made
	order   *list.List        // what is remembered; the front was used the longest ago
	count   Count
}

// New is an empty memory of at most so many bytes. Scenes in use may exceed them.
func New[S Scene](bytes int64) *Memory[S] {
	return &Memory[S]{most: bytes, entries: make(map[Key]*entry[S]), order: list.New()}
}

// Maker makes a scene. Its context ends when nobody waits for the scene any more.
type Maker[S Scene] func(context.Context) (S, error)

// entry is a scene and who is busy with it.
type entry[S Scene] struct {
	key   Key
	users int                // who wait for the scene or use it
	made  chan struct{}      // closed when scene or err is set
	stop  context.CancelFunc // of the making
	scene S
	err   error
	held  bool          // the scene is there and not closed; its bytes count
	bytes int64         // of the scene
	place *list.Element // in the order; nil where it is not remembered
}

// Use calls use with the scene of the key: the one that is remembered, the one that is being
// made for somebody else, or one that is made now. Its error is that of making, which is not
// remembered, that of use, or the context's, which ends the waiting.
//
// Begin is called where the scene must be made, at once and by this goroutine, and must return
// without waiting; the maker is called by another one, which may go on when this call has
// returned, as long as others wait. What the maker needs must be its own.
func (m *Memory[S]) Use(ctx context.Context, k Key, begin func() Maker[S], use func(S) error) error {
	e, err := m.enter(ctx, k, begin)
	if err != nil {
		return err
	}
	defer m.leave(e)
	select {
	case <-e.made:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if e.err != nil {
		return e.err
	}
	return use(e.scene)
}

// enter finds an entry, or begins one.
func (m *Memory[S]) enter(ctx context.Context, k Key, begin func() Maker[S]) (*entry[S], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	if e := m.entries[k]; e != nil {
		m.count.Hits++
		e.users++
		if e.place != nil {
			m.order.MoveToBack(e.place)
		}
		return e, nil
	}
	m.count.Misses++
	e := &entry[S]{key: k, users: 1, made: make(chan struct{})}
	m.entries[k] = e
	ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	maker := begin()
	go m.make(ctx, e, maker)
	return e, nil
}

func (m *Memory[S]) make(ctx context.Context, e *entry[S], maker Maker[S]) {
	defer e.stop()
	scene, err := maker(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	defer close(e.made)
	if e.err = err; err != nil {
		m.forget(e)
		return
	}
	e.scene, e.held, e.bytes = scene, true, scene.Bytes()
	m.count.Bytes += e.bytes
	if m.entries[e.key] == e {
		e.place = m.order.PushBack(e)
	}
	m.tidy(e)
}

// leave ends one use. The last one to give up waiting ends the making, and waits for that: it
// takes no longer than the model needs to notice.
func (m *Memory[S]) leave(e *entry[S]) {
	m.mu.Lock()
	e.users--
	select {
	case <-e.made:
		m.tidy(e)
		m.mu.Unlock()
		return
	default:
	}
	last := e.users == 0
	if last {
		m.forget(e) // whoever comes now has it made anew
	}
	m.mu.Unlock()
	if last {
		e.stop()
		<-e.made
	}
}

// tidy frees an entry that nobody uses or remembers, and what is too much.
func (m *Memory[S]) tidy(e *entry[S]) {
	if e.place == nil {
		m.free(e)
	}
	for at := m.order.Front(); at != nil && m.count.Bytes > m.most; {
		old := at.Value.(*entry[S]) // nothing else is put there
		at = at.Next()
		if old.users == 0 {
			m.count.Evictions++
			m.forget(old)
			m.free(old)
		}
	}
}

// forget has nobody find an entry any more.
func (m *Memory[S]) forget(e *entry[S]) {
	if m.entries[e.key] == e {
		delete(m.entries, e.key)
	}
	if e.place != nil {
		m.order.Remove(e.place)
		e.place = nil
	}
}

// free closes a scene that nobody uses.
func (m *Memory[S]) free(e *entry[S]) {
	if e.users > 0 || !e.held {
		return
	}
	e.held = false
	m.count.Bytes -= e.bytes
	e.scene.Close()
}

// Forget drops all scenes of a subject that is no more. Those in use stay until their users
// have done.
func (m *Memory[S]) Forget(subject string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(func(k Key) bool { return k.Subject == subject })
}

// Close drops all scenes and remembers no more: Use is an error from now on. Scenes in use
// stay until their users have done.
func (m *Memory[S]) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.drop(func(Key) bool { return true })
}

func (m *Memory[S]) drop(these func(Key) bool) {
	for k, e := range m.entries {
		if !these(k) {
			continue
		}
		m.forget(e)
		m.free(e)
	}
}

// Count is how things stand.
func (m *Memory[S]) Count() Count {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.count
	c.Scenes = m.order.Len()
	return c
}
