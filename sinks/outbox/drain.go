package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/captiond/captiond/sinks"
)

// Broker takes events away; *nats.Client implements it. Both are called by several goroutines
// at a time. A *sinks.RefusedError of Publish drops the event; any other error is tried again
// until it passes. Held are the ids that a subject holds of what was published since a time.
type Broker interface {
	Publish(ctx context.Context, e sinks.Event) error
	Held(ctx context.Context, subject string, since time.Time) (map[string]bool, error)
}

const (
	// trusted is how long a broker knows by itself that it has an id: an hour, with a margin
	// that is longer than a round takes.
	trusted = 50 * time.Minute
	// windowSize is how many events are on their way at once, sources how many of them side
	// by side.
	windowSize, sources = 64, 8
	// roundTime is after how long a round looks at the limits again, publishTime and heldTime
	// how long the broker may take for one answer.
	roundTime, publishTime, heldTime = 10 * time.Second, 30 * time.Second, 2 * time.Minute

	firstPause = 100 * time.Millisecond // after a failure
	longPause  = 5 * time.Second
	lookAround = time.Second // with nothing to do
	heldMargin = time.Minute // that the broker's clock may be before ours
)

// progress is how far the delivery is. From head to place, what waits is in the window.
type progress struct {
	head   head
	window []*entry
	place  position // of the record to read next
	reader reader

	held    map[string]held // by subject, for what waited long
	changed int             // deliveries since the head was saved
	warned  time.Time       // that events are dropped
}

// An entry is a record on its way to the broker.
type entry struct {
	record
	at      position
	head    *sinks.Header
	event   sinks.Event
	done    bool
	refused error // why it will never be delivered
}

func newEntry(rec record, at position) *entry {
	event, err := sinks.Decode(rec.event)
	if err != nil { // a later version wrote it
		return &entry{record: rec, at: at, head: headOf(rec.event), refused: err}
	}
	return &entry{record: rec, at: at, head: event.Head(), event: event}
}

// held is what a subject held of what was published since a time.
type held struct {
	since time.Time
	ids   map[string]bool
}

// Run delivers events until ctx ends, oldest first, each until the broker has it. Its error
// is ctx's.
func (o *Outbox) Run(ctx context.Context, to Broker) error {
	pause := firstPause
	for ctx.Err() == nil {
		delivered, err := o.round(ctx, to)
		o.note(ctx, err)
		switch {
		case err != nil:
			o.held = nil // what was under way may have arrived
			o.rest(ctx, pause, nil)
			pause = min(2*pause, longPause)
		case !delivered:
			o.save()
			o.rest(ctx, lookAround, o.more)
		default:
			pause = firstPause
		}
	}
	o.save()
	return context.Cause(ctx)
}

// round delivers what the window holds, and says whether there was anything.
func (o *Outbox) round(ctx context.Context, to Broker) (bool, error) {
	if err := o.shrink(); err != nil {
		return false, err
	}
	if err := o.fill(windowSize); err != nil {
		return false, err
	}
	o.settle()
	if err := o.tell(ctx, to); err != nil {
		return false, err
	}
	if len(o.window) == 0 {
		return false, nil
	}
	err := o.deliver(ctx, to)
	o.settle()
	return true, err
}

// fill reads until n events are in the window, or all that there are.
func (o *Outbox) fill(n int) error {
	for len(o.window) < n {
		rec, at, err := o.read()
		if errors.Is(err, errEnd) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read outbox: %w", err)
		}
		o.window = append(o.window, newEntry(rec, at))
	}
	return nil
}

// deliver publishes the window, source beside source.
func (o *Outbox) deliver(ctx context.Context, to Broker) error {
	if err := o.passHeld(ctx, to); err != nil {
		return err
	}
	d := delivery{to: to, until: time.Now().Add(roundTime)}
	var group errgroup.Group
	group.SetLimit(sources)
	for _, row := range rows(o.window) {
		group.Go(func() error { return d.send(ctx, row) })
	}
	return group.Wait()
}

// delivery is one round's.
type delivery struct {
	to     Broker
	until  time.Time
	failed atomic.Bool // the broker is away: nothing else is begun
}

// rows are the events of each source that can be delivered now, in order: none that comes
// after one that was refused, since a gap is between them.
func rows(window []*entry) [][]*entry {
	row := make(map[string]int)
	var all [][]*entry
	for _, e := range window {
		i, known := row[e.head.Source]
		switch {
		case e.done, known && i < 0:
		case e.refused != nil:
			row[e.head.Source] = -1
		case !known:
			row[e.head.Source] = len(all)
			all = append(all, []*entry{e})
		default:
			all[i] = append(all[i], e)
		}
	}
	return all
}

// send publishes events of one source one after another.
func (d *delivery) send(ctx context.Context, row []*entry) error {
	for _, e := range row {
		if d.failed.Load() || time.Now().After(d.until) {
			return nil
		}
		err := publish(ctx, d.to, e.event)
		if refused := new(sinks.RefusedError); errors.As(err, &refused) {
			e.refused = err
			return nil
		}
		if err != nil {
			d.failed.Store(true)
			return err
		}
		e.done = true
	}
	return nil
}

func publish(ctx context.Context, to Broker, e sinks.Event) error {
	limited, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	return to.Publish(limited, e)
}

// passHeld passes over what waited so long that the broker may have it without knowing, and
// has it.
func (o *Outbox) passHeld(ctx context.Context, to Broker) error {
	for _, e := range o.window {
		if e.done || e.refused != nil || time.Since(e.accepted) < trusted {
			continue
		}
		has, err := o.has(ctx, to, e.event, e.accepted)
		if err != nil {
			return err
		}
		e.done = has
	}
	return nil
}

// has says whether the broker holds an event that it was given after a time, if at all.
func (o *Outbox) has(ctx context.Context, to Broker, e sinks.Event, after time.Time) (bool, error) {
	subject, err := sinks.Subject(o.o.Prefix, e)
	if err != nil {
		return false, nil
	}
	since := after.Add(-heldMargin)
	known, asked := o.held[subject]
	if !asked || since.Before(known.since) {
		limited, cancel := context.WithTimeout(ctx, heldTime)
		defer cancel()
		ids, err := to.Held(limited, subject, since)
		if err != nil {
			return false, fmt.Errorf("ask what %s holds: %w", subject, err)
		}
		if o.held == nil {
			o.held = make(map[string]held)
		}
		known = held{since, ids}
		o.held[subject] = known
	}
	return known.ids[e.Head().ID], nil
}

// settle takes what is delivered, or never will be, off the front of the window.
func (o *Outbox) settle() {
	for len(o.window) > 0 {
		switch e := o.window[0]; {
		case e.done:
			o.count(func(s *Stats) { s.Delivered++ })
		case e.refused != nil:
			o.o.Logger.Error("outbox drops an event that cannot be delivered", "source", e.head.Source, "id", e.head.ID, "err", e.refused)
			o.count(func(s *Stats) { s.Refused++ })
			o.lose(e)
		default:
			o.move()
			return
		}
		o.pop()
	}
	if len(o.held) > 0 && o.reader.end {
		o.held = nil
	}
	o.move()
}

// pop takes the first event out of the window.
func (o *Outbox) pop() {
	e := o.window[0]
	o.window = o.window[1:]
	o.changed++
	o.mu.Lock()
	defer o.mu.Unlock()
	if i, err := idOf(e.head); err == nil {
		delete(o.ids, i)
	}
	for _, s := range o.segments {
		if s.number == e.at.Segment {
			s.waiting--
		}
	}
}

// note logs that deliveries fail, and that they succeed again.
func (o *Outbox) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	o.mu.Lock()
	away := o.stats.Away
	o.stats.Away = err != nil
	o.mu.Unlock()
	switch {
	case err != nil && !away:
		o.o.Logger.Warn("events wait in the outbox", "err", err)
	case err == nil && away:
		o.o.Logger.Info("events leave the outbox again")
	}
}

// rest waits for a while, or until there is more.
func (o *Outbox) rest(ctx context.Context, d time.Duration, more <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-more:
	case <-ctx.Done():
	}
}
