package live

import (
	"context"
	"log/slog"
	"sync"

	"github.com/captiond/captiond/sinks"
)

// teller numbers, seals and emits the events of a camera. Statuses come from the goroutine
// that connects, all others from the one that speaks.
type teller struct {
	source string
	emit   func(context.Context, sinks.Event) error
	log    *slog.Logger
	stats  *Stats

	mu      sync.Mutex
	current int64           // the epoch of what belongs to none
	next    map[int64]int64 // running numbers by epoch
	state   sinks.State
	detail  string
	failing bool
	unsaid  int64        // events that could not be made safe
	lost    sinks.Header // of the first of them
}

func newTeller(c Camera, stats *Stats, epoch int64) *teller {
	return &teller{source: c.Source, emit: c.Emit, log: c.Log, stats: stats, current: epoch, next: make(map[int64]int64)}
}

// tell emits an event of an epoch. One that cannot be made safe is lost; when events are safe
// again a gap takes the place, and the number, of the first that was.
func (t *teller) tell(ctx context.Context, epoch int64, e sinks.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = max(t.current, epoch)
	number := t.number(epoch)
	if t.unsaid > 0 && t.say(ctx, t.lost, &sinks.Gap{Reason: sinks.GapOutbox, FramesLost: t.unsaid}) {
		t.unsaid = 0
	}
	h := sinks.Header{Source: t.source, Epoch: epoch, Seq: number}
	if t.say(ctx, h, e) {
		return
	}
	if t.unsaid == 0 {
		t.lost = h
	}
	t.unsaid++
	t.stats.unsaid.Add(1)
}

func (t *teller) say(ctx context.Context, h sinks.Header, e sinks.Event) bool {
	*e.Head() = h
	sinks.Seal(e)
	err := t.emit(ctx, e)
	if failing := err != nil; failing != t.failing {
		t.failing = failing
		if failing {
			t.log.Error("event lost", "source", t.source, "err", err)
		} else {
			t.log.Info("events are safe again", "source", t.source)
		}
	}
	if err == nil {
		t.stats.said(e)
	}
	return err == nil
}

// number is the next running number of an epoch. Old epochs are forgotten.
func (t *teller) number(epoch int64) int64 {
	n := t.next[epoch]
	t.next[epoch] = n + 1
	for old := range t.next {
		if len(t.next) > 8 && old < t.current && old != epoch {
			delete(t.next, old)
		}
	}
	return n
}

// status tells the camera's state, when it is another.
func (t *teller) status(ctx context.Context, s sinks.State, detail string) {
	t.mu.Lock()
	same := t.state == s && t.detail == detail
	t.state, t.detail = s, detail
	current := t.current
	t.mu.Unlock()
	t.stats.setState(s, detail)
	if !same {
		t.tell(ctx, current, &sinks.Status{State: s, Detail: detail})
	}
}
