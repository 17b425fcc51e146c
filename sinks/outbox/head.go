package outbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	headFile    = "delivered.json"
	headFileNew = headFile + ".new"
	// saveEvery is how many deliveries may be repeated after a crash.
	saveEvery = 64
	// giveUp is how often a disk may fail to read a segment before its rest is lost.
	giveUp = 10
)

// position is a place in the segments.
type position struct {
	Segment int64 `json:"segment"` // number
	Offset  int64 `json:"offset"`
}

// numberBits is what an offset needs.
const numberBits = 32

// number is another for every position.
func (p position) number() int64 { return p.Segment<<numberBits | p.Offset }

// head is how far the events have been delivered: all before the position are, or their loss
// is to be told. Its file is replaced as a whole, and is JSON with its CRC-32C on a line of
// its own.
type head struct {
	position
	Losses []*loss `json:"losses,omitempty"`
}

// loadHead reads how far an earlier process came. A file that cannot be read costs repeated
// deliveries.
func (o *Outbox) loadHead() {
	data, err := os.ReadFile(filepath.Join(o.o.Dir, headFile))
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err == nil {
		o.head, err = parseHead(string(data))
	}
	if err != nil {
		o.o.Logger.Warn("outbox forgot how far it was: events are delivered again", "err", err)
	}
}

func parseHead(data string) (h head, err error) {
	text, sum, _ := strings.Cut(data, "\n")
	if sum != headSum([]byte(text)) {
		return head{}, errCorrupt
	}
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		return head{}, err
	}
	return h, nil
}

func headSum(text []byte) string { return fmt.Sprintf("%08x\n", checksum(nil, text)) }

// save writes how far the delivery is, if it went on. Where it cannot, the next time may do.
func (o *Outbox) save() {
	if o.changed == 0 {
		return
	}
	if err := o.head.write(o.o.Dir); err != nil {
		o.o.Logger.Warn("outbox cannot note how far it is: events may be delivered again", "err", err)
		return
	}
	o.changed = 0
}

func (h *head) write(dir string) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	name := filepath.Join(dir, headFileNew)
	if err := writeSynced(name, append(append(text, '\n'), headSum(text)...)); err != nil {
		return err
	}
	if err := os.Rename(name, filepath.Join(dir, headFile)); err != nil {
		return err
	}
	return syncDir(dir)
}

func writeSynced(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// move brings the head to the first event that waits, and deletes the segments before it,
// after their losses are noted.
func (o *Outbox) move() {
	at, oldest := o.place, time.Time{}
	if len(o.window) > 0 {
		at, oldest = o.window[0].at, o.window[0].accepted
	}
	if o.head.position != at {
		o.head.position = at
		o.changed = max(o.changed, 1)
	}
	o.mu.Lock()
	done := 0
	for done < len(o.segments) && o.segments[done].number < at.Segment {
		done++
	}
	gone := o.segments[:done]
	o.segments = o.segments[done:]
	if !oldest.IsZero() || o.idle() {
		o.stats.Oldest = oldest
	}
	o.mu.Unlock()
	if done > 0 || o.changed >= saveEvery {
		o.save()
	}
	for _, s := range gone {
		o.remove(s.number)
	}
}

// idle says whether nothing waits; the caller has the lock.
func (o *Outbox) idle() bool {
	for _, s := range o.segments {
		if s.waiting > 0 {
			return false
		}
	}
	return true
}

func (o *Outbox) remove(number int64) {
	if err := os.Remove(o.path(number)); err != nil {
		o.o.Logger.Warn("outbox cannot delete a segment", "err", err)
	}
}

// reader is the segment that is read.
type reader struct {
	file     *os.File
	number   int64
	failures int
	end      bool // there was nothing more to read
}

func (p *progress) closeFile() error {
	f := p.reader.file
	p.reader.file = nil
	if f == nil {
		return nil
	}
	return f.Close()
}

// read is the record at the place, or the next one that can be read, and where it is.
func (o *Outbox) read() (record, position, error) {
	for {
		s, ok := o.segmentAt()
		o.reader.end = !ok
		if !ok {
			return record{}, position{}, errEnd
		}
		rec, skipped, err := o.readFrom(s)
		if skipped > 0 && !s.holes[o.place.Offset] {
			o.corrupt(s.number, o.place.Offset, skipped)
		}
		o.place.Offset += skipped
		at := o.place
		switch {
		case err == nil:
			o.place.Offset += rec.size
			return rec, at, nil
		case !errors.Is(err, errEnd):
			return record{}, at, err
		case s.open:
			o.reader.end = true
			return record{}, at, errEnd
		}
		o.place = position{Segment: s.number + 1}
	}
}

// segmentAt is how the segment at the place stands, or the first after it.
func (o *Outbox) segmentAt() (segment, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.segments {
		if s.number > o.place.Segment {
			o.place = position{Segment: s.number}
		}
		if s.number == o.place.Segment {
			return *s, true
		}
	}
	return segment{}, false
}

// readFrom reads on in a segment. Its error is errEnd, or one of the disk's that may pass;
// what does not pass takes the rest of the segment with it.
func (o *Outbox) readFrom(s segment) (record, int64, error) {
	err := o.openFile(s.number)
	if err == nil {
		var rec record
		var skipped int64
		if rec, skipped, err = nextRecord(o.reader.file, o.place.Offset, s.size); err == nil {
			o.reader.failures = 0
			return rec, skipped, nil
		}
	}
	rest := max(s.size-o.place.Offset, 0)
	switch {
	case errors.Is(err, errEnd), errors.Is(err, errTorn), errors.Is(err, errCorrupt):
		return record{}, rest, errEnd
	case errors.Is(err, os.ErrNotExist), o.reader.failures >= giveUp:
		o.o.Logger.Error("outbox cannot read a segment", "segment", s.number, "err", err)
		o.reader.failures = 0
		return record{}, rest, errEnd
	}
	o.reader.failures++
	return record{}, 0, err
}

func (o *Outbox) openFile(number int64) (err error) {
	if o.reader.file != nil && o.reader.number == number {
		return nil
	}
	_ = o.closeFile() // it was read only
	f, err := os.Open(o.path(number))
	if err != nil {
		return err
	}
	o.reader.file, o.reader.number = f, number
	return nil
}
