package outbox

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/captiond/captiond/sinks"
)

// maxLosses is how many losses are remembered; beyond it the oldest is forgotten.
const maxLosses = 4096

// A loss is what was dropped of an epoch of a source, until a gap has told of it. It grows
// until the broker is there to be told; what is dropped after that is another loss.
type loss struct {
	Source string        `json:"source"`
	Epoch  int64         `json:"epoch"`
	Number int64         `json:"number"` // of the position of the first event dropped
	Events int64         `json:"events"`
	Start  sinks.Seconds `json:"start"` // of the captions, answers and gaps among them
	End    sinks.Seconds `json:"end"`
	Timed  bool          `json:"timed,omitempty"` // there were some
	Told   time.Time     `json:"told,omitzero"`   // when the broker was first told, with an answer or not
}

// gap is how a loss is told. Producers number the gaps of an epoch from 0; its running number
// is -(position of the first event dropped)-1, which is nobody's else.
func (l *loss) gap() *sinks.Gap {
	g := &sinks.Gap{
		Header: sinks.Header{Source: l.Source, Epoch: l.Epoch, Seq: -l.Number - 1},
		Start:  l.Start, End: l.End, Reason: sinks.GapOutbox, FramesLost: l.Events,
	}
	sinks.Seal(g)
	return g
}

// shrink drops what is beyond the limits: the oldest segments, and single events that are too
// old.
func (o *Outbox) shrink() error {
	before := o.Stats().Dropped
	err := o.dropLarge()
	if err == nil {
		err = o.dropOld()
	}
	dropped := o.Stats().Dropped - before
	if dropped == 0 {
		return err
	}
	o.move()
	if time.Since(o.warned) > time.Minute {
		o.warned = time.Now()
		o.o.Logger.Error("outbox is beyond its limits: the oldest events are dropped", "events", dropped, "dropped_so_far", before+dropped)
	}
	return err
}

// dropLarge drops whole segments, and never the one that is written to.
func (o *Outbox) dropLarge() error {
	for {
		first, large := o.tooLarge()
		if !large {
			return nil
		}
		for {
			if err := o.fill(1); err != nil {
				return err
			}
			if len(o.window) == 0 || o.window[0].at.Segment > first {
				break
			}
			o.drop()
		}
		o.move()
	}
}

// tooLarge is the first segment, and whether it has to go.
func (o *Outbox) tooLarge() (int64, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	bytes := int64(0)
	for _, s := range o.segments {
		bytes += s.size
	}
	if bytes <= o.o.MaxBytes || o.segments[0].open {
		return 0, false
	}
	return o.segments[0].number, true
}

func (o *Outbox) dropOld() error {
	for {
		if err := o.fill(1); err != nil {
			return err
		}
		if len(o.window) == 0 || time.Since(o.window[0].accepted) <= o.o.MaxAge {
			return nil
		}
		o.drop()
	}
}

// drop gives the first event of the window up.
func (o *Outbox) drop() {
	if e := o.window[0]; e.done {
		o.count(func(s *Stats) { s.Delivered++ })
	} else {
		o.count(func(s *Stats) { s.Dropped++ })
		o.lose(e)
	}
	o.pop()
}

// lose remembers what is lost with an event. Of one without a header nothing can be said.
func (o *Outbox) lose(e *entry) {
	if !sinks.ValidName(e.head.Source) {
		return
	}
	l := o.lossOf(e)
	l.Events++
	switch e := e.event.(type) {
	case *sinks.Caption:
		l.cover(e.Start, e.End)
	case *sinks.Answer:
		l.cover(e.Start, e.End)
	case *sinks.Gap:
		l.cover(e.Start, e.End)
	}
}

// lossOf is the loss that an event adds to: one that the broker was not told of.
func (o *Outbox) lossOf(e *entry) *loss {
	for _, l := range o.head.Losses {
		if l.Source == e.head.Source && l.Epoch == e.head.Epoch && l.Told.IsZero() {
			return l
		}
	}
	if len(o.head.Losses) >= maxLosses {
		o.o.Logger.Error("outbox forgets a gap: too many wait", "source", o.head.Losses[0].Source, "events", o.head.Losses[0].Events)
		o.head.Losses = o.head.Losses[1:]
	}
	l := &loss{Source: e.head.Source, Epoch: e.head.Epoch, Number: e.at.number()}
	o.head.Losses = append(o.head.Losses, l)
	return l
}

// cover extends the stretch that is lost.
func (l *loss) cover(start, end sinks.Seconds) {
	if !l.Timed {
		l.Start, l.End, l.Timed = start, end, true
	}
	l.Start, l.End = min(l.Start, start), max(l.End, end)
}

// tell publishes a gap for each loss.
func (o *Outbox) tell(ctx context.Context, to Broker) error {
	for len(o.head.Losses) > 0 {
		if err := o.tellOf(ctx, to, o.head.Losses[0]); err != nil {
			return err
		}
		o.head.Losses = slices.Delete(o.head.Losses, 0, 1)
		o.changed++
		o.save()
	}
	return nil
}

// tellOf publishes one gap. From the first try on the loss stays as it is, on the disk too:
// nobody knows whether that try arrived, and the same id must say the same. So that a broker
// that is away does not end each loss at its first event, it is asked something else before.
func (o *Outbox) tellOf(ctx context.Context, to Broker, l *loss) error {
	gap := l.gap()
	after := l.Told
	if after.IsZero() {
		after = time.Now()
	}
	has, err := o.has(ctx, to, gap, after)
	if err != nil || has {
		return err
	}
	if l.Told.IsZero() {
		l.Told = after
		o.changed++
		o.save()
	}
	err = publish(ctx, to, gap)
	if refused := new(sinks.RefusedError); errors.As(err, &refused) {
		o.o.Logger.Error("outbox cannot tell of a gap", "source", l.Source, "events", l.Events, "err", err)
		return nil
	}
	return err
}
