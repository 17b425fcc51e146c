package outbox

import (
	"time"

	"github.com/captiond/captiond/sinks"
)

// A loss is what was dropped of an epoch of a source, until a gap has told of it.
type loss struct {
	Source string        `json:"source"`
	Epoch  int64         `json:"epoch"`
	Number int64         `json:"number"` // where the first event dropped was: no two losses have the same
	Events int64         `json:"events"`
	Start  sinks.Seconds `json:"start"`
	End    sinks.Seconds `json:"end"`
	timed  bool
}

// gap is how a loss is told. Its running number is negative, so that it is nobody's else.
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
func (o *Outbox) shrink() {
	before := o.Stats().Dropped
	for o.tooLarge() {
		for {
			rec, err := o.peek()
			if err != nil {
				break
			}
			o.drop(rec)
		}
		o.remove()
	}
	for {
		rec, ok := o.next()
		if !ok || time.Since(rec.accepted) <= o.o.MaxAge {
			break
		}
		o.drop(rec)
	}
	if dropped := o.Stats().Dropped - before; dropped > 0 {
		o.o.Logger.Error("outbox is beyond its limits: the oldest events are dropped", "events", dropped)
		if err := o.saveHead(); err != nil {
			o.o.Logger.Warn("outbox cannot note how far it is", "err", err)
		}
	}
}

// tooLarge says whether a segment that is complete has to go.
func (o *Outbox) tooLarge() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stats.Bytes > o.o.MaxBytes && len(o.segments) > 1
}

// peek is the next record of the first segment.
func (o *Outbox) peek() (record, error) {
	s, _ := o.current()
	rec, err := o.read(s)
	for err == errCorrupt { //nolint:errorlint // readRecord's own
		o.corrupt(err)
		o.advance(rec.size)
		rec, err = o.read(s)
	}
	return rec, err
}

// drop passes over a record and remembers what is lost with it.
func (o *Outbox) drop(rec record) {
	defer o.advance(rec.size)
	o.count(func(s *Stats) { s.Dropped++ })
	e, err := sinks.Decode(rec.event)
	if err != nil {
		return
	}
	l := o.lossOf(e.Head())
	l.Events++
	switch e := e.(type) {
	case *sinks.Caption:
		l.cover(e.Start, e.End)
	case *sinks.Answer:
		l.cover(e.Start, e.End)
	case *sinks.Gap:
		l.cover(e.Start, e.End)
	}
}

// numberBits is what an offset needs.
const numberBits = 32

func (o *Outbox) lossOf(h *sinks.Header) *loss {
	for _, l := range o.head.Losses {
		if l.Source == h.Source && l.Epoch == h.Epoch {
			return l
		}
	}
	l := &loss{Source: h.Source, Epoch: h.Epoch, Number: o.head.Segment<<numberBits | o.head.Offset}
	o.head.Losses = append(o.head.Losses, l)
	return l
}

// cover extends the stretch that is lost.
func (l *loss) cover(start, end sinks.Seconds) {
	if !l.timed && l.End == 0 {
		l.Start, l.End = start, end
	}
	l.timed = true
	l.Start, l.End = min(l.Start, start), max(l.End, end)
}
