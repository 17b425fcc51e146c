package outbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/captiond/captiond/sinks"
)

// A refused event does not stop the rest: a gap stands in its place, before what follows it.
func TestRefused(t *testing.T) {
	t.Parallel()
	box := open(t, Options{Dir: t.TempDir()})
	for i := range 4 {
		put(t, box, caption("a", i), caption("b", i))
	}
	b := &broker{refuses: caption("a", 1).ID}
	drainAll(t, box, b)
	var got []string
	for _, e := range b.events {
		switch e := e.(type) {
		case *sinks.Caption:
			got = append(got, fmt.Sprint(e.Source, e.Seq))
		case *sinks.Gap:
			got = append(got, fmt.Sprintf("%s gap %s %d %v-%v", e.Source, e.Reason, e.FramesLost, e.Start, e.End))
		}
	}
	of := func(source string) []string {
		return slices.DeleteFunc(slices.Clone(got), func(s string) bool { return !strings.HasPrefix(s, source) })
	}
	if want := []string{"a0", "a gap outbox 1 1-2", "a2", "a3"}; !slices.Equal(of("a"), want) {
		t.Errorf("%q, want %q", of("a"), want)
	}
	if want := []string{"b0", "b1", "b2", "b3"}; !slices.Equal(of("b"), want) {
		t.Errorf("%q, want %q", of("b"), want)
	}
	if s := box.Stats(); s.Refused != 1 || s.Delivered != 7 || s.Waiting != 0 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	shut(t, box)
}

// stuck is a broker that one source's events do not reach.
type stuck struct {
	broker
	source string
}

func (s *stuck) Publish(ctx context.Context, e sinks.Event) error {
	if e.Head().Source == s.source {
		return errAway
	}
	return s.broker.Publish(ctx, e)
}

// What follows a refused event waits for the gap, though the gap waits for others' events.
func TestRefusedBehindOthers(t *testing.T) {
	t.Parallel()
	box := open(t, Options{Dir: t.TempDir()})
	put(t, box, caption("z", 0), caption("a", 0), caption("a", 1))
	b := &stuck{broker{refuses: caption("a", 0).ID}, "z"}
	for range 5 {
		if _, err := box.round(t.Context(), b); !errors.Is(err, errAway) {
			t.Error(err)
		}
	}
	for _, e := range b.events {
		t.Errorf("delivered too early: %+v", e)
	}
	drainAll(t, box, &b.broker)
	var got []string
	for _, e := range b.events {
		got = append(got, e.Head().Source+" "+string(e.Kind()))
	}
	if want := []string{"z caption", "a gap", "a caption"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	shut(t, box)
}

// What only a later version can read is a gap too; what is no event at all is passed over.
func TestUnknownEvents(t *testing.T) {
	t.Parallel()
	var data []byte
	for _, event := range []string{`{"schema":"captiond.caption.v9","source":"s","epoch":7,"seq":0}`, `no event`, `{"schema":"captiond.cut.v1","source":"a.b"}`} {
		data = appendRecord(data, time.Now(), []byte(event))
	}
	last, err := sinks.Encode(caption("s", 3))
	if err != nil {
		t.Fatal(err)
	}
	got, stats := recovered(t, t.TempDir(), appendRecord(data, time.Now(), last))
	gap, is := got[0].(*sinks.Gap)
	if !is || gap.Source != "s" || gap.Epoch != 7 || gap.FramesLost != 1 || gap.Seq != -(1<<numberBits)-1 {
		t.Errorf("%+v", got[0])
	}
	if got[len(got)-1].Head().ID != caption("s", 3).ID || stats.Refused != 3 {
		t.Errorf("%d events, %+v", len(got), stats)
	}
}

// meeting lets the publishes of two sources end only when both are under way.
type meeting struct {
	broker
	both sync.WaitGroup
}

func (m *meeting) Publish(ctx context.Context, e sinks.Event) error {
	if e.Head().Seq == 0 {
		m.both.Done()
		m.both.Wait()
	}
	return m.broker.Publish(ctx, e)
}

func TestSourcesSideBySide(t *testing.T) {
	t.Parallel()
	box := open(t, Options{Dir: t.TempDir()})
	for i := range 3 {
		put(t, box, caption("a", i), caption("b", i))
	}
	m := new(meeting)
	m.both.Add(2)
	if _, err := box.round(t.Context(), m); err != nil {
		t.Error(err)
	}
	checkOrder(t, m.events, 2, 3)
	shut(t, box)
}

// deaf stores what it is given, says that it did not, and knows no id again: as a server that
// goes away for hours before its answer arrives.
type deaf struct{ broker }

func (d *deaf) Publish(ctx context.Context, e sinks.Event) error {
	if !d.away {
		d.ids = nil
		return errors.Join(d.broker.Publish(ctx, e), errAway)
	}
	return errAway
}

func (d *deaf) Held(ctx context.Context, subject string, since time.Time) (map[string]bool, error) {
	_, err := d.broker.Held(ctx, subject, since)
	held := map[string]bool{}
	for _, e := range d.events {
		if s, err := sinks.Subject("captiond", e); err != nil {
			return nil, err
		} else if s == subject {
			held[e.Head().ID] = true
		}
	}
	return held, err
}

// A broker that is asked what it holds is asked again after each failure: the event of which
// no answer came is among what it holds now.
func TestHeldSinceTheFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := open(t, Options{Dir: t.TempDir()})
		put(t, box, caption("s", 0), caption("s", 1), caption("s", 2))
		time.Sleep(2 * time.Hour)
		d := new(deaf)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := box.Run(ctx, d); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		checkOrder(t, d.events, 1, 3)
		if s := box.Stats(); s.Waiting != 0 || s.Delivered != 3 {
			t.Errorf("%+v", s)
		}
		shut(t, box)
	})
}

// An answer about what is held since a time is none about the time before.
func TestHeldSince(t *testing.T) {
	t.Parallel()
	box := open(t, Options{Dir: t.TempDir()})
	b, now := new(broker), time.Now()
	for i, test := range []struct {
		ago   time.Duration
		asked int
	}{{2 * time.Hour, 1}, {time.Hour, 1}, {3 * time.Hour, 2}, {2 * time.Hour, 2}} {
		if _, err := box.has(t.Context(), b, caption("s", i), now.Add(-test.ago)); err != nil || b.asked != test.asked {
			t.Errorf("%d: asked %d times, want %d; %v", i, b.asked, test.asked, err)
		}
	}
	shut(t, box)
}

// A gap that was told without an answer is told again as it was, and what has been lost since
// is another gap.
func TestGapWithoutAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := open(t, Options{Dir: t.TempDir(), MaxAge: time.Hour})
		d := new(deaf)
		const n = 100
		for i := range n {
			put(t, box, caption("s", i))
			time.Sleep(time.Minute)
		}
		for range 3 * 60 { // told in the first round, then away for hours while more are dropped
			_, err := box.round(t.Context(), d)
			if !errors.Is(err, errAway) {
				t.Fatal(err)
			}
			box.held, d.away = nil, true
			time.Sleep(time.Minute)
		}
		d.away = false
		for box.Stats().Waiting > 0 || len(box.head.Losses) > 0 {
			_, _ = box.round(t.Context(), d)
			box.held = nil
		}
		shut(t, box)
		lost, ids := int64(0), map[string]bool{}
		for _, e := range d.events {
			gap, is := e.(*sinks.Gap)
			if !is || ids[gap.ID] {
				t.Fatalf("%+v", e)
			}
			ids[gap.ID] = true
			if gap.Start != sinks.Seconds(lost*1000) || gap.End != gap.Start+sinks.Seconds(gap.FramesLost*1000) {
				t.Errorf("after %d: %+v", lost, gap)
			}
			lost += gap.FramesLost
		}
		if lost != n || len(d.events) != 2 {
			t.Errorf("%d gaps tell of %d events, want 2 of %d", len(d.events), lost, n)
		}
	})
}

// copyOf is the folder as a kill would leave it.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// Killed at any time while it drops events, the outbox has each of them afterwards or tells
// of its loss.
func TestKilledWhileDropping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := Options{Dir: t.TempDir(), MaxBytes: 8 << 10, Segment: 1 << 10}
		box := open(t, o)
		const n = 150
		for i := range n {
			put(t, box, caption("s", i))
			if i%3 == 0 {
				if _, err := box.round(t.Context(), &broker{away: true}); !errors.Is(err, errAway) {
					t.Fatal(err)
				}
				checkNothingUntold(t, Options{Dir: copyOf(t, o.Dir)}, i+1)
			}
		}
		if s := box.Stats(); s.Dropped == 0 || s.Bytes > o.MaxBytes+o.Segment {
			t.Errorf("%+v", s)
		}
		shut(t, box)
	})
}

func checkNothingUntold(t *testing.T, o Options, n int) {
	t.Helper()
	box, b := open(t, o), new(broker)
	drainAll(t, box, b)
	shut(t, box)
	lost := int64(0)
	events := b.events
	if gap, is := events[0].(*sinks.Gap); is {
		lost, events = gap.FramesLost, events[1:]
	}
	if len(events)+int(lost) != n || len(events) > 0 && events[0].Head().Seq != lost {
		t.Fatalf("%d lost, %d delivered, want %d", lost, len(events), n)
	}
}

// Killed in mid-drain, the outbox repeats deliveries under the ids that they had, in order.
func TestKilledInMidDrain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	box := open(t, Options{Dir: dir, Segment: 2 << 10})
	const n = 300
	for i := range n {
		put(t, box, caption("s", i))
	}
	b := new(broker)
	for range 3 {
		if _, err := box.round(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	other := open(t, Options{Dir: copyOf(t, dir)})
	drainAll(t, other, b)
	shut(t, other)
	shut(t, box)
	checkOrder(t, b.events, 1, n)
	if b.again > saveEvery+windowSize || len(b.events) != n {
		t.Errorf("%d deliveries repeated", b.again)
	}
}

// The pauses between tries grow to longPause, and a broker that never answers is given up on.
func TestPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := open(t, Options{Dir: t.TempDir()})
		put(t, box, caption("s", 0))
		var tries []time.Duration
		began := time.Now()
		to := scripted(func(ctx context.Context) error {
			tries = append(tries, time.Since(began))
			if len(tries) == 8 {
				<-ctx.Done()
				return ctx.Err()
			}
			return errAway
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_ = box.Run(ctx, to)
		shut(t, box)
		for i, want := range []float64{0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3, 11.3, 46.3, 51.3, 56.3} {
			if i >= len(tries) || tries[i].Seconds() != want {
				t.Fatalf("tried at %v; try %d should be at %v s", tries, i, want)
			}
		}
	})
}

type scripted func(context.Context) error

func (s scripted) Publish(ctx context.Context, _ sinks.Event) error { return s(ctx) }

func (s scripted) Held(context.Context, string, time.Time) (map[string]bool, error) { return nil, nil }

// Wait returns when the last event is delivered, or when it has waited long enough.
func TestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := open(t, Options{Dir: t.TempDir()})
		put(t, box, caption("s", 0))
		began := time.Now()
		box.Wait(t.Context(), time.Minute)
		if d := time.Since(began); d != time.Minute {
			t.Errorf("waited %v for nobody", d)
		}
		b := new(broker)
		drainAll(t, box, b)
		began = time.Now()
		box.Wait(t.Context(), time.Minute)
		if d := time.Since(began); d != 0 || !box.Stats().Oldest.IsZero() {
			t.Errorf("waited %v for nothing", d)
		}
		shut(t, box)
	})
}

// Losses of many epochs do not grow without end.
func TestManyLosses(t *testing.T) {
	t.Parallel()
	box := open(t, Options{Dir: t.TempDir()})
	for i := range maxLosses + 10 {
		h := &sinks.Header{Source: "s", Epoch: int64(i)}
		box.lose(&entry{head: h, event: &sinks.Cut{Header: *h}, at: position{1, int64(i)}})
	}
	seqs := map[int64]bool{}
	for _, l := range box.head.Losses {
		seqs[l.gap().Seq] = true
	}
	if got := slices.Sorted(maps.Keys(seqs)); len(got) != maxLosses || got[len(got)-1] >= 0 {
		t.Errorf("%d gaps", len(got))
	}
	shut(t, box)
}
