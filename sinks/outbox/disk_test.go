package outbox

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/sinktest"
)

// disk is one that can be told to fail.
type disk struct {
	failures
	syncs atomic.Int64
	held  chan struct{} // each fsync takes one, where there is one
}

type failures struct{ create, write, sync, truncate error }

func (d *disk) open(name string) (file, error) {
	if d.create != nil {
		return nil, d.create
	}
	f, err := createFile(name)
	return &diskFile{f, d}, err
}

type diskFile struct {
	file
	d *disk
}

// WriteAt writes half before it fails.
func (f *diskFile) WriteAt(b []byte, at int64) (int, error) {
	if f.d.write == nil {
		return f.file.WriteAt(b, at)
	}
	n, _ := f.file.WriteAt(b[:len(b)/2], at)
	return n, f.d.write
}

func (f *diskFile) Sync() error {
	f.d.syncs.Add(1)
	if f.d.held != nil {
		<-f.d.held
	}
	return errors.Join(f.d.sync, f.file.Sync())
}

func (f *diskFile) Truncate(size int64) error {
	if f.d.truncate != nil {
		return f.d.truncate
	}
	return f.file.Truncate(size)
}

func openOn(t *testing.T, o Options, d *disk) *Outbox {
	t.Helper()
	box := open(t, o)
	box.create = d.open
	return box
}

// drainAll delivers all that there is.
func drainAll(t *testing.T, box *Outbox, b *broker) {
	t.Helper()
	for {
		if ok, err := box.round(t.Context(), b); err != nil {
			t.Fatal(err)
		} else if !ok {
			return
		}
	}
}

func segments(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// What could not be written is not accepted and leaves nothing behind, whatever failed; when
// the disk works again the outbox does, and delivers what it accepted, and that only.
func TestDiskFails(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]failures{
		"create":             {create: syscall.ENOSPC},
		"write":              {write: syscall.ENOSPC},
		"write and truncate": {write: syscall.EIO, truncate: syscall.EIO},
		"sync":               {sync: syscall.EIO},
	} {
		for _, before := range []int{0, 2} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				diskFails(t, fails, before)
			})
		}
	}
}

func diskFails(t *testing.T, fails failures, before int) {
	t.Helper()
	o := Options{Dir: t.TempDir()}
	if fails.create != nil {
		o.Segment = 1 // so that each event needs a file
	}
	d := new(disk)
	box := openOn(t, o, d)
	for i := range before {
		put(t, box, caption("s", i))
	}
	d.failures = fails
	for range 5 {
		err := box.Publish(t.Context(), caption("s", before))
		if refused := new(sinks.RefusedError); !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EIO) || errors.As(err, &refused) {
			t.Fatal(err)
		}
	}
	if got := segments(t, o.Dir); len(got) > max(before, 1) {
		t.Errorf("failures left %q", got)
	}
	d.failures = failures{}
	put(t, box, caption("s", before), caption("s", before+1))
	shut(t, box)
	box = open(t, o)
	b := new(broker)
	drainAll(t, box, b)
	checkOrder(t, b.events, 1, before+2)
	if s := box.Stats(); b.again != 0 || s.Corrupt != 0 {
		t.Errorf("%d again, %+v", b.again, s)
	}
	shut(t, box)
}

// After an fsync that failed, nothing is written to that file any more.
func TestSegmentAfterFailedSync(t *testing.T) {
	t.Parallel()
	d := new(disk)
	o := Options{Dir: t.TempDir()}
	box := openOn(t, o, d)
	put(t, box, caption("s", 0))
	d.sync = syscall.EIO
	if err := box.Publish(t.Context(), caption("s", 1)); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	d.sync = nil
	put(t, box, caption("s", 1))
	if got := segments(t, o.Dir); len(got) != 2 {
		t.Errorf("%q", got)
	}
	shut(t, box)
}

// A file that a later start finds under the next number does not stop the outbox.
func TestNumberTaken(t *testing.T) {
	t.Parallel()
	box := open(t, Options{Dir: t.TempDir()})
	if err := os.Mkdir(box.path(1), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := box.Publish(t.Context(), caption("s", 0)); !errors.Is(err, os.ErrExist) {
		t.Error(err)
	}
	put(t, box, caption("s", 0))
	shut(t, box)
}

// Callers that wait for an fsync share the next one.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{held: make(chan struct{})}
		box := openOn(t, Options{Dir: t.TempDir()}, d)
		var publishing sync.WaitGroup
		for i := range 20 {
			publishing.Go(func() { put(t, box, caption("s", i)) })
			synctest.Wait() // the first one is writing
		}
		if w := box.Stats().Waiting; w != 0 {
			t.Errorf("%d events are accepted before their fsync", w)
		}
		close(d.held)
		publishing.Wait()
		if n := d.syncs.Load(); n != 2 || box.Stats().Waiting != 20 {
			t.Errorf("%d fsyncs, %+v", n, box.Stats())
		}
		shut(t, box)
	})
}

// The same event again returns when the first is safe, and is not accepted a second time,
// after a restart neither; once it is delivered nobody remembers it.
func TestAcceptedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{held: make(chan struct{})}
		o := Options{Dir: t.TempDir()}
		box := openOn(t, o, d)
		var publishing sync.WaitGroup
		for range 5 {
			publishing.Go(func() { put(t, box, caption("s", 0)) })
		}
		synctest.Wait()
		close(d.held)
		publishing.Wait()
		shut(t, box)
		box = open(t, o)
		put(t, box, caption("s", 0), caption("s", 1))
		b := new(broker)
		drainAll(t, box, b)
		checkOrder(t, b.events, 1, 2)
		if b.again != 0 || d.syncs.Load() != 1 || len(box.ids) != 0 {
			t.Errorf("%d again, %d fsyncs, %d ids", b.again, d.syncs.Load(), len(box.ids))
		}
		shut(t, box)
	})
}

// All who wait for a write that fails are told.
func TestAllAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{held: make(chan struct{}), failures: failures{sync: syscall.EIO}}
		box := openOn(t, Options{Dir: t.TempDir()}, d)
		var told atomic.Int64
		var publishing sync.WaitGroup
		for i := range 12 {
			publishing.Go(func() {
				if errors.Is(box.Publish(t.Context(), caption("s", i/2)), syscall.EIO) {
					told.Add(1)
				}
			})
		}
		synctest.Wait()
		close(d.held)
		publishing.Wait()
		if told.Load() != 12 || len(box.ids) != 0 {
			t.Errorf("%d of 12 were told, %d ids", told.Load(), len(box.ids))
		}
		shut(t, box)
	})
}

func TestSink(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(t *testing.T) (sinks.Sink, func() []string) {
		o := Options{Dir: t.TempDir()}
		box, b := open(t, o), new(broker)
		return box, func() []string {
			if box.closed {
				box = open(t, o)
				defer shut(t, box)
			}
			drainAll(t, box, b)
			return sinktest.Texts(b.events)
		}
	})
}
