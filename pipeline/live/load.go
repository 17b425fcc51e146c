package live

import (
	"sync"
	"time"

	"github.com/captiond/captiond/pipeline"
)

// The rules of a Load.
const (
	loadEvery   = 5 * time.Second // between two judgements
	tooMany     = 0.05            // part of the windows that may be skipped
	roomToSpare = 0.7             // of the time, that strides half as long may take
	calmBefore  = 3               // judgements before strides are halved again
	mostStretch = 64
)

// Load gives cameras their turns at the model, first come first served, and judges whether
// the machine keeps up. While it does not, all strides are stretched by one factor, so that no
// camera starves; when there is room again it goes back. It may be used by any number of
// goroutines.
type Load struct {
	turns chan struct{}

	mu      sync.Mutex
	stretch int           // factor of all strides, a power of two
	busy    time.Duration // of all turns since the last judgement
	judged  time.Time
	windows int // offered since
	missed  int // of these
	calm    int // judgements in a row that found room

	talks    queue[pipeline.Talk, pipeline.Said]
	pictures queue[picture, sight]
}

// NewLoad allows so many turns at once.
func NewLoad(turns int) *Load {
	l := &Load{turns: make(chan struct{}, max(turns, 1)), stretch: 1, judged: time.Now()}
	l.talks = queue[pipeline.Talk, pipeline.Said]{
		load: l, do: pipeline.Discuss,
		room:  func(t pipeline.Talk) int { return max(t.Together, 1) },
		alike: func(a, b pipeline.Talk) bool { return a.Captioner == b.Captioner },
	}
	l.pictures = queue[picture, sight]{
		load: l, do: sights,
		room:  func(p picture) int { return max(p.Pictures, 1) },
		alike: func(a, b picture) bool { return a.Captioner == b.Captioner && a.View == b.View },
	}
	return l
}

// Stretch is the factor by which strides are longer than asked for.
func (l *Load) Stretch() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.judge(time.Now())
	return l.stretch
}

// turn uses a turn that was taken, and gives it back.
func (l *Load) turn(work func()) {
	begun := time.Now()
	defer func() {
		<-l.turns
		l.mu.Lock()
		defer l.mu.Unlock()
		l.busy += time.Since(begun)
	}()
	work()
}

func (l *Load) offered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.windows++
}

func (l *Load) skipped() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.missed++
}

// judge changes the stretch, when it is time to.
func (l *Load) judge(now time.Time) {
	elapsed := now.Sub(l.judged)
	if elapsed < loadEvery {
		return
	}
	room := float64(l.busy) < roomToSpare/2*float64(elapsed)*float64(cap(l.turns))
	switch {
	case float64(l.missed) > tooMany*float64(l.windows):
		l.stretch, l.calm = min(2*l.stretch, mostStretch), 0
	case room && l.missed == 0:
		if l.calm++; l.calm >= calmBefore {
			l.stretch, l.calm = max(l.stretch/2, 1), 0
		}
	default:
		l.calm = 0
	}
	l.judged, l.busy, l.windows, l.missed = now, 0, 0, 0
}
