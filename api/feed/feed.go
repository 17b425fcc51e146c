// Package feed gives the stream's events to any number of clients as they come. One reader
// of the stream serves them all; each client has a bounded ring of its own, whose bytes are
// shared, and a client that does not keep up loses the oldest and is told which. Nothing
// that a client does slows the reader or another client.
//
// A client that was here before says up to which number it has what it wanted: it gets what
// the stream still holds of the rest, then what comes, each once and in order.
package feed

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/sinks"
)

// Stream is where events are kept; sinks/nats.Client is one. It is used by several
// goroutines at once.
type Stream interface {
	// Read yields records in order, each once, until ctx ends, and waits for what is to
	// come. It goes on after an error.
	Read(ctx context.Context, from sinks.From, subjects ...string) iter.Seq2[sinks.Record, error]
	// Replay yields what is held from a number on, up to the last there is. An error
	// without a record ends it.
	Replay(ctx context.Context, seq uint64, subjects ...string) iter.Seq2[sinks.Record, error]
	// Extent is what the stream holds now.
	Extent(ctx context.Context) (sinks.Extent, error)
}

// Options of a feed. Zero values stand for what each line says.
type Options struct {
	Prefix    string        // of the stream's subjects: captiond
	Clients   int           // at once: 1,000
	PerCaller int           // of them, with one name: 256
	Behind    int           // events that wait for a client: 256
	Overflows int           // gaps until a client is cut: 3
	Quiet     time.Duration // after which a client hears that there was nothing: 15 s
	Retry     time.Duration // between attempts to find the stream: 1 s
	Logger    *slog.Logger  // none
}

func (o Options) withDefaults() Options {
	o.Prefix = cmp.Or(o.Prefix, "captiond")
	o.Clients = cmp.Or(o.Clients, 1000)
	o.PerCaller = cmp.Or(o.PerCaller, 256)
	o.Behind = cmp.Or(o.Behind, 256)
	o.Overflows = cmp.Or(o.Overflows, 3)
	o.Quiet = cmp.Or(o.Quiet, 15*time.Second)
	o.Retry = cmp.Or(o.Retry, time.Second)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	return o
}

// Feed is the reader and its clients. Run it once.
type Feed struct {
	stream Stream
	o      Options
	begun  chan struct{} // closed when last is known
	ended  chan struct{} // closed when Run has returned

	mu      sync.Mutex
	last    uint64         // the number that the reader has come to
	recent  ring           // what it read last: all after floor
	floor   uint64         // a client that has all up to here can join
	here    map[string]int // clients of each caller
	clients map[*client]struct{}
	stats   Stats
}

// Stats are counts since the start, but for Clients.
type Stats struct {
	Clients int   // there now
	Dropped int64 // events that a client lost because it was slow
	Cut     int64 // clients that were sent away for it
}

// New is a feed of s that has no clients yet.
func New(s Stream, o Options) *Feed {
	f := &Feed{stream: s, o: o.withDefaults(), begun: make(chan struct{}), ended: make(chan struct{}),
		here: map[string]int{}, clients: map[*client]struct{}{}}
	f.recent = newRing(f.o.Behind)
	return f
}

// Run reads the stream, from what is new at its start, until ctx ends. Then every client is
// sent away, with ErrEnded.
func (f *Feed) Run(ctx context.Context) {
	defer close(f.ended)
	last, ok := f.start(ctx)
	if !ok {
		return
	}
	for r, err := range f.stream.Read(ctx, sinks.From{Seq: last + 1}) {
		if err != nil {
			f.o.Logger.Debug("an event is left out of the feed", "err", err)
		}
		f.publish(r)
	}
}

// start finds the end of the stream, however long that takes.
func (f *Feed) start(ctx context.Context) (uint64, bool) {
	for {
		extent, err := f.stream.Extent(ctx)
		if err == nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.last, f.floor = extent.Last, extent.Last
			close(f.begun)
			return extent.Last, true
		}
		if ctx.Err() != nil {
			return 0, false
		}
		f.o.Logger.Warn("the feed cannot read the stream: trying again", "err", err, "in", f.o.Retry)
		select {
		case <-time.After(f.o.Retry):
		case <-ctx.Done():
			return 0, false
		}
	}
}

// publish hands a record to everyone who wants it. It never waits for a client.
func (f *Feed) publish(r sinks.Record) {
	item := itemOf(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Seq <= f.last { // the stream was made anew
		f.recent, f.floor = newRing(f.o.Behind), r.Seq-1
		for c := range f.clients {
			c.has = 0
		}
	}
	f.last = r.Seq
	if item == nil {
		return
	}
	if old := f.recent.push(item); old != nil {
		f.floor = old.Seq
	}
	for c := range f.clients {
		f.stats.Dropped += c.offer(item)
	}
}

// ErrEnded is a feed whose Run has returned.
var ErrEnded = errors.New("the feed has ended")

// ErrSlow is a client that was behind too often.
var ErrSlow = errors.New("the client does not keep up")

// Stats are the counts now.
func (f *Feed) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	for _, n := range f.here {
		s.Clients += n
	}
	return s
}

// admit takes a client in, or says that there are too many.
func (f *Feed) admit(caller string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := 0
	for _, n := range f.here {
		all += n
	}
	switch {
	case f.here[caller] >= f.o.PerCaller:
		return api.Later(429, f.o.Quiet, "you follow the events as often as one may: close a connection first")
	case all >= f.o.Clients:
		return api.Later(503, f.o.Quiet, "this daemon has as many readers of events as it serves: try again later")
	}
	f.here[caller]++
	return nil
}

func (f *Feed) leave(caller string, c *client) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.clients, c)
	if f.here[caller]--; f.here[caller] == 0 {
		delete(f.here, caller)
	}
}

// join makes c one of those to whom new events go, and gives it what came since number has,
// or nothing unless it resumes. It does nothing, and says so, where the feed does not
// remember that far back.
func (f *Feed) join(c *client, has uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !c.want.Resume {
		has = f.last
	}
	if has < f.floor {
		return false
	}
	c.has = has
	for i := range f.recent.all() {
		c.offer(i)
	}
	f.clients[c] = struct{}{}
	return true
}
