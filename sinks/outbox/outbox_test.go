package outbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/captiond/captiond/sinks"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(child())
	}
	goleak.VerifyTestMain(m)
}

func caption(source string, n int) *sinks.Caption {
	at := sinks.Seconds(n * 1000)
	c := &sinks.Caption{
		Header: sinks.Header{Source: source, Epoch: 7, Seq: int64(n)},
		Span:   sinks.Span{Start: at, End: at + 1000, Frames: []sinks.Seconds{at}, Clock: sinks.ClockNone},
		Speech: sinks.Speech{Text: fmt.Sprint("text ", n), Model: "m@0"},
	}
	sinks.Seal(c)
	return c
}

// broker keeps what it is given, and knows an id again as JetStream does; it is away while it
// says so, and refuses some.
type broker struct {
	mu      sync.Mutex
	away    bool
	events  []sinks.Event
	ids     map[string]bool
	again   int // deliveries of an id that it has
	asked   int
	refuses string      // the id of an event that it will never take
	full    func(n int) // told after each event
}

var errAway = errors.New("the broker is away")

func (b *broker) Publish(ctx context.Context, e sinks.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case b.away:
		return errAway
	case b.refuses != "" && e.Head().ID == b.refuses, !sinks.ValidName(e.Head().Source):
		return &sinks.RefusedError{Err: errors.New("too large")}
	case b.ids[e.Head().ID]:
		b.again++
		return nil
	case b.ids == nil:
		b.ids = make(map[string]bool)
	}
	b.ids[e.Head().ID] = true
	b.events = append(b.events, e)
	if b.full != nil {
		b.full(len(b.events))
	}
	return nil
}

func (b *broker) Held(context.Context, string, time.Time) (map[string]bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away {
		return nil, errAway
	}
	b.asked++
	return maps.Clone(b.ids), nil
}

func (b *broker) is(away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = away
}

func open(t *testing.T, o Options) *Outbox {
	t.Helper()
	box, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func shut(t *testing.T, box *Outbox) {
	t.Helper()
	if err := box.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func put(t *testing.T, box *Outbox, events ...sinks.Event) {
	t.Helper()
	for _, e := range events {
		if err := box.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// drain delivers until the broker has n events.
func drain(t *testing.T, box *Outbox, b *broker, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b.mu.Lock()
	b.full = func(have int) {
		if have >= n {
			cancel()
		}
	}
	b.mu.Unlock()
	if err := box.Run(ctx, b); !errors.Is(err, context.Canceled) {
		t.Fatalf("drained %d of %d: %v", len(b.events), n, err)
	}
}

// checkOrder sees that each source's captions are all there, once, in order.
func checkOrder(t *testing.T, events []sinks.Event, sources, each int) {
	t.Helper()
	next := map[string]int64{}
	for _, e := range events {
		h := e.Head()
		if h.Seq != next[h.Source] {
			t.Errorf("%s: event %d after %d", h.Source, h.Seq, next[h.Source]-1)
		}
		next[h.Source] = h.Seq + 1
	}
	for source, n := range next {
		if n != int64(each) {
			t.Errorf("%s: %d of %d", source, n, each)
		}
	}
	if len(next) != sources {
		t.Errorf("%d sources of %d", len(next), sources)
	}
}

func TestManyPublishers(t *testing.T) {
	t.Parallel()
	box := open(t, Options{Dir: t.TempDir(), Segment: 8 << 10})
	defer shut(t, box)
	const sources, each = 8, 100
	var publishing sync.WaitGroup
	for s := range sources {
		publishing.Go(func() {
			for i := range each {
				if err := box.Publish(t.Context(), caption(fmt.Sprint("s", s), i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	b := new(broker)
	drain(t, box, b, sources*each)
	publishing.Wait()
	checkOrder(t, b.events, sources, each)
	if s := box.Stats(); s.Delivered != sources*each || s.Corrupt+s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
}

// What waits survives a restart, and so does how far the delivery was.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := new(broker)
	published := 0
	for delivered := range 5 {
		box := open(t, Options{Dir: dir, Segment: 1 << 10})
		for range 20 {
			put(t, box, caption("s", published))
			published++
		}
		drain(t, box, b, (delivered+1)*15)
		shut(t, box)
	}
	box := open(t, Options{Dir: dir})
	drain(t, box, b, published)
	shut(t, box)
	checkOrder(t, b.events, 1, published)
	if entries, err := filepath.Glob(filepath.Join(dir, "*"+suffix)); err != nil || len(entries) > 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

func TestBrokerAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := open(t, Options{Dir: t.TempDir(), Segment: 4 << 10})
		b := &broker{away: true}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- box.Run(ctx, b) }()
		const n = 200
		for i := range n {
			put(t, box, caption("s", i))
			time.Sleep(time.Minute)
		}
		if !box.Stats().Away || time.Since(box.Stats().Oldest) < 3*time.Hour {
			t.Errorf("%+v", box.Stats())
		}
		b.is(false)
		time.Sleep(10 * time.Second)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		shut(t, box)
		checkOrder(t, b.events, 1, n)
		if b.asked == 0 {
			t.Error("nobody asked what the subject holds of what waited for hours")
		}
	})
}

// What waited longer than the broker remembers, and is there, is not delivered again.
func TestHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := open(t, Options{Dir: t.TempDir()})
		put(t, box, caption("s", 0), caption("s", 1))
		time.Sleep(2 * time.Hour)
		b := &broker{ids: map[string]bool{caption("s", 0).ID: true}}
		var got []sinks.Event
		drain(t, box, b, 1)
		got = b.events
		if len(got) != 1 || got[0].Head().Seq != 1 {
			t.Errorf("%+v", got)
		}
		shut(t, box)
	})
}

// Beyond its limits the outbox drops the oldest, and a gap tells, after a restart as well.
func TestLimits(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"bytes": {MaxBytes: 16 << 10, Segment: 2 << 10},
		"age":   {MaxAge: 50 * time.Minute, Segment: 2 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o.Dir = t.TempDir()
				box := open(t, o)
				const n = 200
				for i := range n {
					put(t, box, caption("s", i))
					time.Sleep(30 * time.Second)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				if err := box.Run(ctx, &broker{away: true}); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				cancel()
				dropped := box.Stats().Dropped
				shut(t, box)
				box = open(t, o)
				b := new(broker)
				ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_ = box.Run(ctx, b)
				shut(t, box)
				checkLoss(t, b.events, n, dropped)
			})
		})
	}
}

func checkLoss(t *testing.T, events []sinks.Event, n int, dropped int64) {
	t.Helper()
	i := slices.IndexFunc(events, func(e sinks.Event) bool { return e.Kind() == sinks.KindGap })
	if i != 0 {
		t.Fatalf("the first of %d events is no gap", len(events))
	}
	gap := events[0].(*sinks.Gap)
	first := events[1].(*sinks.Caption)
	if gap.Reason != sinks.GapOutbox || gap.FramesLost < dropped || dropped == 0 || gap.FramesLost != first.Seq ||
		gap.Start != 0 || gap.End != first.Start || gap.Epoch != 7 || gap.Seq >= 0 {
		t.Errorf("gap %+v before %d, dropped %d", gap, first.Seq, dropped)
	}
	if last := events[len(events)-1].Head().Seq; last != int64(n-1) || len(events)-1 != n-int(gap.FramesLost) {
		t.Errorf("%d events to number %d", len(events), last)
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := open(t, Options{Dir: dir})
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
	shut(t, box)
	if err := box.Publish(t.Context(), caption("s", 1)); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
	shut(t, open(t, Options{Dir: dir}))
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	box := open(t, Options{Dir: t.TempDir()})
	defer shut(t, box)
	long := caption("s", 1)
	long.Text = string(make([]byte, maxEvent))
	for name, e := range map[string]sinks.Event{"no name": caption("a.b", 1), "too long": long} {
		if err := box.Publish(t.Context(), e); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
