package outbox

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A segment is a file of records.
type segment struct {
	number  int64
	size    int64          // of it that is safe
	waiting int            // records that are not delivered
	open    bool           // it is written to
	holes   map[int64]bool // offsets of what was found to be no record, and counted
}

// file is a segment that is written to.
type file interface {
	io.WriterAt
	Sync() error
	Truncate(size int64) error
	Close() error
}

func createFile(name string) (file, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

const suffix = ".segment"

func (o *Outbox) path(number int64) string {
	return filepath.Join(o.o.Dir, fmt.Sprintf("%012d%s", number, suffix))
}

// list is the segments that earlier processes left, in order.
func (o *Outbox) list() (segments []*segment, err error) {
	entries, err := os.ReadDir(o.o.Dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, is := strings.CutSuffix(e.Name(), suffix)
		number, err := strconv.ParseInt(name, 10, 64)
		if !is || err != nil || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		segments = append(segments, &segment{number: number, size: info.Size()})
	}
	slices.SortFunc(segments, func(a, b *segment) int { return cmp.Compare(a.number, b.number) })
	return segments, nil
}

// write makes a batch safe at the end of the segment. What a failed write left is cut off
// before anything else is written. After a failed fsync nobody knows what the disk holds: the
// next batch begins another segment.
func (o *Outbox) write(b *batch) error {
	s, err := o.room(int64(len(b.data)))
	if err != nil {
		return err
	}
	if _, err := o.file.WriteAt(b.data, s.size); err != nil {
		if o.file.Truncate(s.size) == nil {
			return err
		}
		return errors.Join(err, o.endSegment())
	}
	if err := o.file.Sync(); err != nil {
		_ = o.file.Truncate(s.size) // what stays may be delivered, though nobody was promised it
		return errors.Join(err, o.endSegment())
	}
	o.keep(s, b)
	return nil
}

// keep notes that a batch is safe.
func (o *Outbox) keep(s *segment, b *batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.size += int64(len(b.data))
	s.waiting += len(b.ids)
	for _, i := range b.ids {
		o.ids[i] = nil
	}
	if o.stats.Oldest.IsZero() {
		o.stats.Oldest = b.begun
	}
}

// room is the segment that the next n bytes go to.
func (o *Outbox) room(n int64) (*segment, error) {
	if s := o.last(); s != nil && s.size > 0 && s.size+n > o.o.Segment {
		if err := o.endSegment(); err != nil {
			return nil, err
		}
	}
	if o.file == nil {
		if err := o.beginSegment(); err != nil {
			return nil, err
		}
	}
	return o.last(), nil
}

// last is the segment that is written to, if there is one. Its size is changed only by who
// has the turn.
func (o *Outbox) last() *segment {
	if o.file == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.segments[len(o.segments)-1]
}

// beginSegment creates a file under a number that was never used: the ids of gaps rest on it.
func (o *Outbox) beginSegment() error {
	number := o.next
	o.next++
	f, err := o.create(o.path(number))
	if err != nil {
		return err
	}
	if err := syncDir(o.o.Dir); err != nil {
		return errors.Join(err, f.Close(), os.Remove(o.path(number)))
	}
	o.file = f
	o.mu.Lock()
	defer o.mu.Unlock()
	o.segments = append(o.segments, &segment{number: number, open: true})
	return nil
}

// endSegment closes the file. One that nothing was written to is not left behind.
func (o *Outbox) endSegment() error {
	f := o.file
	o.file = nil
	o.mu.Lock()
	n := len(o.segments) - 1
	s := o.segments[n]
	s.open = false
	if s.size == 0 {
		o.segments = o.segments[:n]
	}
	o.mu.Unlock()
	if s.size == 0 {
		return errors.Join(f.Close(), os.Remove(o.path(s.number)))
	}
	return f.Close()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
