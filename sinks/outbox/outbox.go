// Package outbox keeps events on the disk until a broker has them. An event that Publish has
// returned for survives kill -9, and power loss where the disk keeps its word; Run delivers
// them oldest first, those of a source in order, for as long as it takes. Ids make a delivery
// that is repeated the same delivery.
//
// The folder holds segments, each a file of records that is only appended to and deleted when
// all of it has been delivered; every start begins a new one. A record is its length (4 bytes,
// big-endian), the CRC-32C of the length and of what follows (4), the time of its acceptance
// in Unix milliseconds (8), and the event's JSON. What does not have its checksum is passed
// over and counted, and what comes after it is found again. How far the delivery is stands in
// a file of its own; that it lags costs deliveries that are repeated.
package outbox

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/captiond/captiond/sinks"
)

// Options say where an outbox is and how much it may hold. Zero values stand for what each
// line says.
type Options struct {
	Dir      string
	MaxBytes int64         // 1 GiB; beyond it Run drops the oldest segments, and gaps tell
	MaxAge   time.Duration // 24 h; what waited longer Run drops, and gaps tell
	Segment  int64         // bytes at which a segment is full: 8 MiB
	Prefix   string        // of the subjects: captiond
	Logger   *slog.Logger  // none
}

func (o Options) withDefaults() Options {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 1 << 30
	}
	if o.MaxAge <= 0 {
		o.MaxAge = 24 * time.Hour
	}
	if o.Segment <= 0 {
		o.Segment = min(8<<20, max(o.MaxBytes/8, 1))
	}
	if o.Prefix == "" {
		o.Prefix = "captiond"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Outbox is an open folder. Publish and Stats may be called by any number of goroutines, Run
// by one.
type Outbox struct {
	o      Options
	lock   *os.File
	create func(name string) (file, error)
	more   chan struct{} // something has been accepted

	turn chan struct{} // held by who writes: it guards the two below
	file file          // the last segment, or nil
	next int64         // number of the next one

	mu       sync.Mutex
	segments []*segment    // ascending
	ids      map[id]*batch // of what waits; nil for what is safe already
	batch    *batch        // gathers records while another is written
	closed   bool
	stats    Stats // without what the segments tell

	progress // owned by Run
}

// Stats is how things stand. Counts begin with Open.
type Stats struct {
	Bytes     int64     // on the disk
	Waiting   int       // events that are not delivered
	Oldest    time.Time // acceptance of the first of them; zero for none
	Delivered int64
	Dropped   int64 // beyond the limits
	Refused   int64 // dropped because the broker will never take them
	Corrupt   int64 // stretches and records that could not be read
	Away      bool  // the last delivery failed
}

// id is an event's.
type id [16]byte

// idOf is the id of a sealed event.
func idOf(h *sinks.Header) (i id, err error) {
	if n, err := hex.Decode(i[:], []byte(h.ID[:min(len(h.ID), 2*len(i))])); err != nil || 2*n != len(h.ID) || n != len(i) {
		return id{}, errors.New("it is not sealed")
	}
	return i, nil
}

// A batch is the records that one fsync makes safe.
type batch struct {
	begun time.Time
	ids   []id
	data  []byte
	done  chan struct{}
	err   error // once done
}

// ErrLocked says that another process uses the folder.
var ErrLocked = errors.New("another captiond uses the folder")

// errClosed is returned for what comes after Close.
var errClosed = errors.New("the outbox is closed")

// maxEvent is the largest event that is accepted, in bytes: a broker takes 1 MiB.
const maxEvent = 512 << 10

// Open opens or makes a folder, for one process at a time. What cannot be read of what it
// holds is logged and counted, and keeps nothing else from being delivered.
func Open(options Options) (*Outbox, error) {
	o := &Outbox{
		o: options.withDefaults(), create: createFile, more: make(chan struct{}, 1), turn: make(chan struct{}, 1),
		ids: make(map[id]*batch),
	}
	if err := o.open(); err != nil {
		return nil, fmt.Errorf("open outbox %s: %w", o.o.Dir, err)
	}
	return o, nil
}

func (o *Outbox) open() (err error) {
	if err := os.MkdirAll(o.o.Dir, 0o700); err != nil {
		return err
	}
	if o.lock, err = lock(filepath.Join(o.o.Dir, "lock")); err != nil {
		return err
	}
	o.loadHead()
	if err := o.restore(); err != nil {
		return errors.Join(err, o.lock.Close())
	}
	return nil
}

func lock(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, err
	}
	return f, nil
}

// Publish accepts a sealed event: it returns when the event is on the disk, whether the broker
// is there or not. Callers at the same time share one fsync. An event that waits already is
// not accepted a second time. A full disk is an error, and no longer one when there is room;
// an event that is no good is a *sinks.RefusedError. The end of ctx does not interrupt what is
// being written.
func (o *Outbox) Publish(ctx context.Context, e sinks.Event) error {
	err := ctx.Err()
	if err == nil {
		err = o.accept(e)
	}
	if err != nil {
		return fmt.Errorf("accept %s of %s: %w", e.Kind(), e.Head().Source, err)
	}
	return nil
}

func (o *Outbox) accept(e sinks.Event) error {
	i, data, err := o.encode(e)
	if err != nil {
		return &sinks.RefusedError{Err: err}
	}
	b, err := o.join(i, data)
	if b == nil {
		return err
	}
	select {
	case <-b.done:
	case o.turn <- struct{}{}:
		o.commit(b)
		<-o.turn
	}
	<-b.done
	return b.err
}

func (o *Outbox) encode(e sinks.Event) (id, []byte, error) {
	i, err := idOf(e.Head())
	if err != nil {
		return i, nil, err
	}
	if _, err := sinks.Subject(o.o.Prefix, e); err != nil {
		return i, nil, err
	}
	data, err := sinks.Encode(e)
	if err == nil && len(data) > maxEvent {
		err = fmt.Errorf("it has %d bytes, %d at most", len(data), maxEvent)
	}
	return i, data, err
}

// join adds an event to the batch that gathers, and returns the batch that it is in: none
// where the event is safe already.
func (o *Outbox) join(i id, event []byte) (*batch, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil, errClosed
	}
	if b, known := o.ids[i]; known {
		return b, nil
	}
	now := time.Now()
	if o.batch == nil {
		o.batch = &batch{begun: now, done: make(chan struct{})}
	}
	b := o.batch
	b.data = appendRecord(b.data, now, event)
	b.ids = append(b.ids, i)
	o.ids[i] = b
	return b, nil
}

// commit writes a batch, unless someone else did. The caller has the turn.
func (o *Outbox) commit(b *batch) {
	o.mu.Lock()
	mine := b != nil && o.batch == b
	if mine {
		o.batch = nil
	}
	o.mu.Unlock()
	if !mine {
		return
	}
	if b.err = o.write(b); b.err != nil {
		o.forget(b)
	}
	close(b.done)
	select {
	case o.more <- struct{}{}:
	default:
	}
}

// forget notes that a batch is not safe.
func (o *Outbox) forget(b *batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, i := range b.ids {
		delete(o.ids, i)
	}
}

// Stats is how things stand.
func (o *Outbox) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.stats
	for _, segment := range o.segments {
		s.Bytes += segment.size
		s.Waiting += segment.waiting
	}
	return s
}

func (o *Outbox) count(change func(*Stats)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.stats)
}

// Wait waits until all that was accepted has been delivered, at most for a while.
func (o *Outbox) Wait(ctx context.Context, most time.Duration) {
	limited, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	for o.Stats().Waiting > 0 {
		select {
		case <-t.C:
		case <-limited.Done():
			return
		}
	}
}

// Close writes what is being accepted and lets go of the folder. It is called when Run has
// returned; what was accepted waits there for the next process.
func (o *Outbox) Close(context.Context) error {
	o.mu.Lock()
	again := o.closed
	o.closed = true
	b := o.batch
	o.mu.Unlock()
	if again {
		return nil
	}
	o.turn <- struct{}{}
	defer func() { <-o.turn }()
	o.commit(b)
	var err error
	if o.file != nil {
		err = o.endSegment()
	}
	return errors.Join(err, o.closeFile(), o.lock.Close())
}
