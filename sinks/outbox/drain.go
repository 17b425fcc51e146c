package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/captiond/captiond/sinks"
)

// Broker takes events away; *nats.Client implements it. Held are the ids that a subject holds
// of what was published since a time.
type Broker interface {
	Publish(ctx context.Context, e sinks.Event) error
	Held(ctx context.Context, subject string, since time.Time) (map[string]bool, error)
}

const (
	// trusted is how long a broker knows by itself that it has an id: an hour, with a margin.
	trusted = 50 * time.Minute
	// saveEvery is how many deliveries may be repeated after a crash.
	saveEvery   = 64
	firstPause  = 100 * time.Millisecond // after a failure
	longPause   = 5 * time.Second
	lookAround  = time.Second // with nothing to do
	heldMargin  = time.Minute
	headFile    = "delivered.json"
	headFileNew = headFile + ".new"
)

// head is how far the events have been delivered. It is written to a file now and then: what
// is delivered again after a crash has the same ids.
type head struct {
	Segment int64   `json:"segment"` // number of the one that is read
	Offset  int64   `json:"offset"`  // of the next record in it
	Losses  []*loss `json:"losses,omitempty"`

	file    *os.File // the segment
	unsaved int
	held    map[string]map[string]bool // ids by subject, for what waited long
}

func (h *head) closeFile() error {
	if h.file == nil {
		return nil
	}
	err := h.file.Close()
	h.file = nil
	return err
}

// loadHead reads how far an earlier process came. A file that cannot be read costs repeated
// deliveries.
func (o *Outbox) loadHead() error {
	data, err := os.ReadFile(filepath.Join(o.o.Dir, headFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, &o.head)
	}
	if err != nil {
		o.o.Logger.Warn("outbox forgot how far it was: events are delivered again", "err", err)
		o.head = head{}
	}
	return nil
}

func (o *Outbox) saveHead() error {
	data, err := json.Marshal(&o.head)
	if err != nil {
		return err
	}
	name := filepath.Join(o.o.Dir, headFileNew)
	if err := os.WriteFile(name, data, 0o600); err != nil {
		return err
	}
	o.head.unsaved = 0
	return os.Rename(name, filepath.Join(o.o.Dir, headFile))
}

// Run delivers events until ctx ends, oldest first, each until the broker has it. Its error
// is ctx's.
func (o *Outbox) Run(ctx context.Context, to Broker) error {
	pause := firstPause
	for ctx.Err() == nil {
		o.shrink()
		delivered, err := o.deliver(ctx, to)
		wait := time.Duration(0)
		switch {
		case err != nil:
			wait, pause = pause, min(2*pause, longPause)
		case !delivered:
			wait = lookAround
		default:
			pause = firstPause
		}
		o.note(ctx, err)
		if wait > 0 {
			o.rest(ctx, wait, err != nil)
		}
	}
	if err := o.saveHead(); err != nil {
		o.o.Logger.Warn("outbox cannot note how far it is", "err", err)
	}
	return context.Cause(ctx)
}

// note logs that deliveries fail, and that they succeed again.
func (o *Outbox) note(ctx context.Context, err error) {
	o.mu.Lock()
	away := o.stats.Away
	o.stats.Away = err != nil
	o.mu.Unlock()
	switch {
	case err != nil && !away && ctx.Err() == nil:
		o.o.Logger.Warn("events wait in the outbox", "err", err)
	case err == nil && away:
		o.o.Logger.Info("events leave the outbox again")
	}
}

// rest waits, after a failure for all of the time, else until something is accepted.
func (o *Outbox) rest(ctx context.Context, d time.Duration, failed bool) {
	if !failed && o.head.unsaved > 0 {
		_ = o.saveHead() // the next time may do
	}
	more := o.more
	if failed {
		more = nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-more:
	case <-ctx.Done():
	}
}

// deliver delivers one event, if one waits: a gap for what was lost before the rest.
func (o *Outbox) deliver(ctx context.Context, to Broker) (bool, error) {
	if len(o.head.Losses) > 0 {
		if err := to.Publish(ctx, o.head.Losses[0].gap()); err != nil {
			return false, err
		}
		o.head.Losses = o.head.Losses[1:]
		return true, o.saveHead()
	}
	rec, ok := o.next()
	if !ok {
		return false, nil
	}
	if err := o.send(ctx, to, rec); err != nil {
		return false, err
	}
	o.advance(rec.size)
	o.count(func(s *Stats) { s.Delivered++ })
	return true, nil
}

// send publishes an event, unless it waited so long that the broker may have it without
// knowing, and has it.
func (o *Outbox) send(ctx context.Context, to Broker, rec record) error {
	e, err := sinks.Decode(rec.event)
	if err != nil { // a later version wrote it
		o.o.Logger.Error("outbox holds what it cannot read", "err", err)
		o.count(func(s *Stats) { s.Corrupt++ })
		return nil
	}
	if time.Since(rec.accepted) < trusted {
		o.head.held = nil
		return to.Publish(ctx, e)
	}
	subject, err := sinks.Subject(o.o.Prefix, e)
	if err != nil {
		return err
	}
	held, known := o.head.held[subject]
	if !known {
		if held, err = to.Held(ctx, subject, rec.accepted.Add(-heldMargin)); err != nil {
			return fmt.Errorf("ask what %s holds: %w", subject, err)
		}
		if o.head.held == nil {
			o.head.held = make(map[string]map[string]bool)
		}
		o.head.held[subject] = held
	}
	if held[e.Head().ID] {
		return nil
	}
	return to.Publish(ctx, e)
}

// next reads the first record that waits.
func (o *Outbox) next() (record, bool) {
	for {
		s, more := o.current()
		if s.number == 0 {
			o.drained()
			return record{}, false
		}
		rec, err := o.read(s)
		switch {
		case err == nil:
			o.count(func(s *Stats) { s.Oldest = rec.accepted })
			return rec, true
		case errors.Is(err, errCorrupt):
			o.corrupt(err)
			o.advance(rec.size)
		case !more: // the end, for now
			o.drained()
			return record{}, false
		default:
			if s.size > o.head.Offset || !errors.Is(err, errEnd) {
				o.corrupt(err) // a torn end
			}
			o.remove()
		}
	}
}

// drained notes that nothing waits, unless something has just been accepted.
func (o *Outbox) drained() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stats.Oldest = time.Time{}
	n := len(o.segments)
	o.empty = !o.writing && (n == 0 || n == 1 && o.segments[0].number == o.head.Segment && o.segments[0].size == o.head.Offset)
}

// current is the segment that the head is in, and whether others follow or it is complete.
// Its number is 0 where there is none.
func (o *Outbox) current() (segment, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.segments) == 0 {
		return segment{}, false
	}
	first := *o.segments[0]
	if first.number != o.head.Segment {
		_ = o.head.closeFile()
		if o.head.Segment != 0 && first.number < o.head.Segment {
			// it was delivered, and could not be deleted
			first.size = 0
		}
		o.head.Offset, o.head.Segment = 0, first.number
	}
	return first, len(o.segments) > 1 || o.file == nil && !o.writing
}

func (o *Outbox) read(s segment) (record, error) {
	if o.head.file == nil {
		f, err := os.Open(o.path(s.number))
		if err != nil {
			return record{}, err
		}
		o.head.file = f
	}
	return readRecord(o.head.file, o.head.Offset, s.size)
}

// advance goes on to the next record.
func (o *Outbox) advance(size int64) {
	o.head.Offset += size
	if o.head.unsaved++; o.head.unsaved >= saveEvery {
		if err := o.saveHead(); err != nil {
			o.o.Logger.Warn("outbox cannot note how far it is", "err", err)
		}
	}
}

// remove deletes the first segment, which is done with.
func (o *Outbox) remove() {
	_ = o.head.closeFile()
	o.mu.Lock()
	s := o.segments[0]
	o.segments = o.segments[1:]
	o.stats.Bytes -= s.size
	o.mu.Unlock()
	if err := os.Remove(o.path(s.number)); err != nil {
		o.o.Logger.Warn("outbox cannot delete a segment", "err", err)
	}
}

func (o *Outbox) corrupt(err error) {
	o.o.Logger.Error("outbox has lost an event", "segment", o.head.Segment, "offset", o.head.Offset, "err", err)
	o.count(func(s *Stats) { s.Corrupt++ })
}

func (o *Outbox) count(change func(*Stats)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.stats)
}
