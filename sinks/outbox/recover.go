package outbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"

	"github.com/captiond/captiond/sinks"
)

// restore finds what earlier processes left: the segments that are not delivered, the ids in
// them, and what of them cannot be read.
func (o *Outbox) restore() error {
	segments, err := o.list()
	if err != nil {
		return err
	}
	o.next = o.head.Segment + 1
	for _, s := range segments {
		o.next = max(o.next, s.number+1)
		if s.number < o.head.Segment {
			o.remove(s.number) // it was delivered
			continue
		}
		o.segments = append(o.segments, s)
		if err := o.scan(s); err != nil {
			o.o.Logger.Error("outbox cannot read a segment", "segment", s.number, "err", err)
		}
	}
	o.place = o.head.position
	return nil
}

// scan reads a segment from where it is not delivered, and cuts off what follows its last
// record.
func (o *Outbox) scan(s *segment) error {
	f, err := os.Open(o.path(s.number))
	if err != nil {
		return err
	}
	defer f.Close()
	at := int64(0)
	if s.number == o.head.Segment {
		at = o.head.Offset
	}
	for at < s.size {
		rec, skipped, err := nextRecord(f, at, s.size)
		switch {
		case err == nil:
			o.meet(s, at, skipped, rec)
		case errors.Is(err, errTorn), errors.Is(err, errCorrupt):
			o.cut(s, at, err)
		default:
			return err
		}
		at += skipped + rec.size
	}
	return nil
}

// meet notes a record that waits, and what before it is none.
func (o *Outbox) meet(s *segment, at, skipped int64, rec record) {
	if skipped > 0 {
		if s.holes == nil {
			s.holes = make(map[int64]bool)
		}
		s.holes[at] = true
		o.corrupt(s.number, at, skipped)
	}
	s.waiting++
	if i, err := idIn(rec.event); err == nil {
		o.ids[i] = nil
	}
	if o.stats.Oldest.IsZero() {
		o.stats.Oldest = rec.accepted
	}
}

// cut ends a segment behind its last record. The torn end that a kill leaves was promised to
// nobody; anything else is damage.
func (o *Outbox) cut(s *segment, at int64, why error) {
	if errors.Is(why, errTorn) {
		o.o.Logger.Info("outbox cuts off an event that was not written to its end", "segment", s.number, "offset", at, "bytes", s.size-at)
	} else {
		o.corrupt(s.number, at, s.size-at)
	}
	s.size = at
	if err := os.Truncate(o.path(s.number), at); err != nil {
		o.o.Logger.Warn("outbox cannot cut a segment", "err", err)
	}
}

// corrupt counts a stretch of a segment that cannot be read.
func (o *Outbox) corrupt(number, at, bytes int64) {
	o.o.Logger.Error("outbox has lost events: a part of it cannot be read", "segment", number, "offset", at, "bytes", bytes)
	o.count(func(s *Stats) { s.Corrupt++ })
}

// idIn is the id in an event's JSON. Encode puts it second, where it is found without reading
// all of some million events at the start.
func idIn(event []byte) (id, error) {
	const before = `","id":"`
	schema, rest, _ := bytes.Cut(event, []byte(before))
	if bytes.HasPrefix(schema, []byte(`{"schema":"captiond.`)) && !bytes.ContainsAny(schema[2:], `{\`) && len(rest) > 32 && rest[32] == '"' {
		return idOf(&sinks.Header{ID: string(rest[:32])})
	}
	return idOf(headOf(event))
}

// headOf is the header of an event's JSON, as far as it can be read: of kinds that only a
// later version knows, too.
func headOf(event []byte) *sinks.Header {
	h := new(sinks.Header)
	if json.Unmarshal(event, h) != nil {
		return new(sinks.Header)
	}
	return h
}
