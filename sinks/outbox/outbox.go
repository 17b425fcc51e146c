// Package outbox keeps events on the disk until a broker has them. An event that Publish has
// returned for survives kill -9, and power loss where the disk keeps its word; Run delivers
// them in order, oldest first, for as long as it takes. Ids make a delivery that is repeated
// the same delivery.
//
// The folder holds segments, each a file of records that is only appended to and deleted when
// all of it has been delivered; every start begins a new one, so that a torn end is never
// written to. A record is its length (4 bytes, big-endian), the CRC-32C of what follows (4),
// the time of its acceptance in Unix milliseconds (8), and the event's JSON. What does not
// have its checksum is not delivered, and counted.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/captiond/captiond/sinks"
)

// Options say where an outbox is and how much it may hold. Zero values stand for what each
// line says.
type Options struct {
	Dir      string
	MaxBytes int64         // 1 GiB; beyond it the oldest segment is dropped, and a gap tells
	MaxAge   time.Duration // 24 h; what waited longer is dropped, and a gap tells
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

// Outbox is an open folder. Publish may be called by any number of goroutines, Run by one.
type Outbox struct {
	o    Options
	lock *os.File
	more chan struct{} // something has been accepted

	mu       sync.Mutex
	segments []*segment // ascending; the last one is written to where file is not nil
	file     *os.File
	batch    *batch // gathers records while another is written
	writing  bool
	idle     *sync.Cond // not writing
	closed   bool
	empty    bool // all that was accepted has been delivered
	stats    Stats

	head head // owned by Run
}

// Stats is how things stand.
type Stats struct {
	Bytes     int64     // on the disk
	Oldest    time.Time // acceptance of the first event that waits; zero for none
	Delivered int64
	Dropped   int64 // beyond the limits
	Corrupt   int64 // records that could not be read
	Away      bool  // the last delivery failed
}

// A segment is a file of records.
type segment struct {
	number int64
	size   int64 // of it that is safe
}

// A batch is the records that one fsync makes safe.
type batch struct {
	data []byte
	done chan struct{}
	err  error
}

// ErrLocked says that another process uses the folder.
var ErrLocked = errors.New("another captiond uses the folder")

// errClosed is returned for what comes after Close.
var errClosed = errors.New("the outbox is closed")

// maxEvent is the largest event that is accepted, in bytes: a broker takes 1 MiB.
const maxEvent = 512 << 10

// Open opens or makes a folder, for one process at a time.
func Open(options Options) (_ *Outbox, err error) {
	o := &Outbox{o: options.withDefaults(), more: make(chan struct{}, 1)}
	o.idle = sync.NewCond(&o.mu)
	if err := os.MkdirAll(o.o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	if o.lock, err = lock(filepath.Join(o.o.Dir, "lock")); err != nil {
		return nil, fmt.Errorf("open outbox %s: %w", o.o.Dir, err)
	}
	if err := errors.Join(o.list(), o.loadHead()); err != nil {
		return nil, errors.Join(fmt.Errorf("open outbox %s: %w", o.o.Dir, err), o.lock.Close())
	}
	return o, nil
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

const suffix = ".segment"

// list finds the segments that earlier processes left.
func (o *Outbox) list() error {
	entries, err := os.ReadDir(o.o.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		number, err := strconv.ParseInt(strings.TrimSuffix(e.Name(), suffix), 10, 64)
		if err != nil || !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		o.segments = append(o.segments, &segment{number, info.Size()})
		o.stats.Bytes += info.Size()
	}
	slices.SortFunc(o.segments, func(a, b *segment) int { return int(a.number - b.number) })
	return nil
}

func (o *Outbox) path(number int64) string {
	return filepath.Join(o.o.Dir, fmt.Sprintf("%012d%s", number, suffix))
}

// Publish accepts a sealed event: it returns when the event is on the disk. Callers at the
// same time share one fsync. A full disk is an error, and no longer one when there is room.
func (o *Outbox) Publish(_ context.Context, e sinks.Event) error {
	record, err := o.encode(e)
	if err != nil {
		return fmt.Errorf("accept %s of %s: %w", e.Kind(), e.Head().Source, err)
	}
	if err := o.accept(record); err != nil {
		return fmt.Errorf("accept %s of %s: %w", e.Kind(), e.Head().Source, err)
	}
	return nil
}

func (o *Outbox) encode(e sinks.Event) ([]byte, error) {
	if _, err := sinks.Subject(o.o.Prefix, e); err != nil {
		return nil, err
	}
	data, err := sinks.Encode(e)
	if err != nil {
		return nil, err
	}
	if len(data) > maxEvent {
		return nil, fmt.Errorf("it has %d bytes, %d at most", len(data), maxEvent)
	}
	return appendRecord(nil, time.Now(), data), nil
}

// accept joins the batch that gathers, or writes one.
func (o *Outbox) accept(record []byte) error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return errClosed
	}
	if o.batch == nil {
		o.batch = &batch{done: make(chan struct{})}
	}
	b := o.batch
	b.data = append(b.data, record...)
	if o.writing {
		o.mu.Unlock()
		<-b.done
		return b.err
	}
	o.writing, o.empty = true, false
	for o.batch != nil {
		next := o.batch
		o.batch = nil
		o.mu.Unlock()
		next.err = o.write(next.data)
		close(next.done)
		o.mu.Lock()
	}
	o.writing = false
	o.idle.Broadcast()
	o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return b.err
}

// write makes records safe at the end of the last segment. After a failure nobody knows what
// the disk holds beyond what was safe before: the next write begins another segment.
func (o *Outbox) write(data []byte) error {
	s, err := o.room(int64(len(data)))
	if err != nil {
		return err
	}
	_, err = o.file.WriteAt(data, s.size)
	if err == nil {
		err = o.file.Sync()
	}
	if err != nil {
		_ = o.file.Truncate(s.size) // gives the space back; what stays would be repeated, not wrong
		return errors.Join(err, o.endSegment())
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	s.size += int64(len(data))
	o.stats.Bytes += int64(len(data))
	return nil
}

// room is the segment that the next records go to.
func (o *Outbox) room(n int64) (*segment, error) {
	if o.file != nil && o.last().size > 0 && o.last().size+n > o.o.Segment {
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

func (o *Outbox) last() *segment {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.segments[len(o.segments)-1]
}

func (o *Outbox) beginSegment() error {
	o.mu.Lock()
	number := o.head.Segment // the number of one that is gone is not used again
	if n := len(o.segments); n > 0 {
		number = max(number, o.segments[n-1].number)
	}
	number++
	o.mu.Unlock()
	f, err := os.OpenFile(o.path(number), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := syncDir(o.o.Dir); err != nil {
		return errors.Join(err, f.Close(), os.Remove(o.path(number)))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.file = f
	o.segments = append(o.segments, &segment{number: number})
	return nil
}

func (o *Outbox) endSegment() error {
	o.mu.Lock()
	f := o.file
	o.file = nil
	o.mu.Unlock()
	return f.Close()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Stats is how things stand. It may be called at any time.
func (o *Outbox) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stats
}

// Wait waits until all that was accepted has been delivered, at most for a while.
func (o *Outbox) Wait(ctx context.Context, most time.Duration) {
	limited, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for t := time.NewTicker(20 * time.Millisecond); ; {
		o.mu.Lock()
		empty := o.empty
		o.mu.Unlock()
		if empty {
			t.Stop()
			return
		}
		select {
		case <-t.C:
		case <-limited.Done():
			t.Stop()
			return
		}
	}
}

// Close lets go of the folder. It is called when Run has returned; what was accepted waits
// there for the next process.
func (o *Outbox) Close(context.Context) error {
	o.mu.Lock()
	o.closed = true
	for o.writing {
		o.idle.Wait()
	}
	f := o.file
	o.file = nil
	o.mu.Unlock()
	var err error
	if f != nil {
		err = f.Close()
	}
	return errors.Join(err, o.head.closeFile(), o.lock.Close())
}
