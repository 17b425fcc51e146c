package live

import (
	"context"
	"image"
	"sync"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/sinks"
)

// The bounds of an inbox. Pictures are large: one of 1080p takes 8 MB.
const (
	inboxSamples = 4
	inboxWindows = 2
	inboxNotices = 64
)

// A letter is what the speaker is told: one of sample, window and notice.
type letter struct {
	stretch int // from barrier to barrier, counted
	epoch   int64
	sample  *sample
	window  *window
	notice  sinks.Event
}

// A sample is a frame to be looked at.
type sample struct {
	pts    time.Duration // in its epoch
	wall   time.Time
	clock  sinks.Clock
	err    time.Duration // of the clock
	image  *image.RGBA
	sketch frames.Sketch
}

// A window is one that is complete.
type window struct {
	frames.Window
	start, end time.Time // by the clock
	clock      sinks.Clock
	err        time.Duration // of the clock
	since      time.Time     // when what ends it arrived
}

// inbox holds what the speaker has still to do, in order. Where it is full the oldest of a
// kind goes: the newest frames win.
type inbox struct {
	mu      sync.Mutex
	letters []letter
	closed  bool
	more    chan struct{}
	stats   *Stats
	load    *Load
}

func newInbox(stats *Stats, load *Load) *inbox {
	return &inbox{more: make(chan struct{}, 1), stats: stats, load: load}
}

// put never blocks.
func (b *inbox) put(l letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case l.sample != nil:
		if b.bound(inboxSamples, func(l letter) bool { return l.sample != nil }) {
			b.stats.droppedSamples.Add(1)
		}
	case l.window != nil:
		b.load.offered()
		if b.bound(inboxWindows, func(l letter) bool { return l.window != nil }) {
			b.stats.droppedWindows.Add(1)
			b.load.skipped()
		}
	default:
		b.bound(inboxNotices, func(l letter) bool { return l.notice != nil })
	}
	b.letters = append(b.letters, l)
	b.signal()
}

// bound makes room for one more of a kind.
func (b *inbox) bound(most int, kind func(letter) bool) bool {
	oldest, n := -1, 0
	for i, l := range b.letters {
		if kind(l) {
			if n++; oldest < 0 {
				oldest = i
			}
		}
	}
	if n < most {
		return false
	}
	b.letters = append(b.letters[:oldest], b.letters[oldest+1:]...)
	return true
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.signal()
}

func (b *inbox) signal() {
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// take waits for the next letter. It is not ok when none will come.
func (b *inbox) take(ctx context.Context) (letter, bool) {
	for {
		l, ok, closed := b.next()
		if ok || closed {
			return l, ok
		}
		select {
		case <-b.more:
		case <-ctx.Done():
			return letter{}, false
		}
	}
}

func (b *inbox) next() (l letter, ok, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.letters) == 0 {
		return l, false, b.closed
	}
	l = b.letters[0]
	b.letters = b.letters[1:]
	b.stats.waiting.Store(int64(len(b.letters)))
	return l, true, false
}
