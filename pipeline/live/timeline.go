package live

import (
	"sync"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/sinks"
)

// epochGap is what lies between two epochs on the feed's timeline.
const epochGap = time.Millisecond

// timeline lays the epochs of a session one after another, so that the decoder sees time go
// on: the feeder adds units, the watcher asks which epoch a frame belongs to.
type timeline struct {
	mu     sync.Mutex
	epochs []*epoch
	end    time.Duration // the greatest PTS on the feed
}

// epoch is a stretch of continuous time.
type epoch struct {
	id     int64 // its start, Unix milliseconds
	why    frames.Discontinuity
	from   time.Duration // where it begins on the feed
	wall   time.Time     // its beginning, by the best estimate so far
	came   time.Time     // likewise, by the least delayed arrival
	source frames.ClockSource
	err    time.Duration
}

// place puts a unit on the feed: its PTS there.
func (t *timeline) place(m frames.Moment, arrived time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	came := arrived.Add(-m.At)
	if m.New != "" {
		from := t.end + epochGap
		t.epochs = append(t.epochs, &epoch{id: m.Epoch, why: m.New, from: from, came: came})
	}
	e := t.epochs[len(t.epochs)-1]
	e.wall, e.source, e.err = m.Wall.Add(-m.At), m.Source, m.Error
	if came.Before(e.came) {
		e.came = came
	}
	pts := e.from + m.At
	t.end = max(t.end, pts)
	return pts
}

// at is the epoch of a frame, as it is known now. Those before it are forgotten.
func (t *timeline) at(pts time.Duration) epoch {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.epochs) > 1 && t.epochs[1].from <= pts {
		t.epochs = t.epochs[1:]
	}
	return *t.epochs[0]
}

// clock is how events name the source of their times.
func (e epoch) clock() sinks.Clock {
	if e.source == frames.RTCP {
		return sinks.ClockRTCP
	}
	return sinks.ClockArrival
}

// window says when a window was.
func (e epoch) window(w frames.Window) *window {
	return &window{Window: w, start: e.wall.Add(w.Start), end: e.wall.Add(w.End), clock: e.clock(), err: e.err, since: e.came.Add(w.End)}
}
