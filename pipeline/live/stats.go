package live

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/captiond/captiond/sinks"
)

// Stats counts what happens to a camera, over all its sessions. The zero value is ready.
type Stats struct {
	units, lostPackets, frames, sampled, encoded, still   atomic.Int64
	begun, generated, published, unsaid                   atomic.Int64
	droppedSamples, droppedWindows, droppedUnits, skipped atomic.Int64
	gaps, cuts                                            atomic.Int64
	reconnects, ignoredClocks, waiting, stride, windowsIn atomic.Int64

	mu      sync.Mutex
	state   sinks.State
	detail  string
	epoch   int64
	clock   sinks.Clock
	err     time.Duration
	last    time.Time
	events  map[sinks.Kind]int64
	latency func(time.Duration)
}

// Count is a snapshot of Stats.
type Count struct {
	Units, LostPackets             int64 // access units received; RTP packets that were not
	Frames                         int64 // decoded
	Sampled, Encoded, Still        int64 // looked at; of these encoded for each model; and too like the last one to be
	Windows, Begun, Generated      int64 // complete; of these given to the model; texts
	Published, Unsaid              int64 // events made safe, and lost
	DroppedSamples, DroppedWindows int64 // because the model was busy
	DroppedUnits, Skipped          int64 // because the decoder was; and frames that were damaged
	Gaps, Cuts, Reconnects         int64
	IgnoredClocks                  int64 // camera times that were not plausible, this session
	Waiting                        int64 // letters in the inbox
	Stride                         time.Duration
	State                          sinks.State
	Detail                         string
	Epoch                          int64
	Clock                          sinks.Clock
	ClockError                     time.Duration
	LastFrame                      time.Time // when it was decoded; zero for none
	Events                         map[sinks.Kind]int64
}

// OnLatency sets what is told of each caption: the time from the end of its window to its
// being safe. It is set before Run.
func (s *Stats) OnLatency(observe func(time.Duration)) { s.latency = observe }

// Count is how things stand. It may be called at any time, by any goroutine.
func (s *Stats) Count() Count {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := make(map[sinks.Kind]int64, len(s.events))
	for k, n := range s.events {
		events[k] = n
	}
	return Count{
		Units: s.units.Load(), LostPackets: s.lostPackets.Load(), Frames: s.frames.Load(),
		Sampled: s.sampled.Load(), Encoded: s.encoded.Load(), Still: s.still.Load(),
		Windows: s.windowsIn.Load(), Begun: s.begun.Load(), Generated: s.generated.Load(),
		Published: s.published.Load(), Unsaid: s.unsaid.Load(),
		DroppedSamples: s.droppedSamples.Load(), DroppedWindows: s.droppedWindows.Load(),
		DroppedUnits: s.droppedUnits.Load(), Skipped: s.skipped.Load(),
		Gaps: s.gaps.Load(), Cuts: s.cuts.Load(), Reconnects: s.reconnects.Load(),
		IgnoredClocks: s.ignoredClocks.Load(), Waiting: s.waiting.Load(), Stride: time.Duration(s.stride.Load()),
		State: s.state, Detail: s.detail, Epoch: s.epoch, Clock: s.clock, ClockError: s.err, LastFrame: s.last,
		Events: events,
	}
}

func (s *Stats) setState(state sinks.State, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.detail = state, detail
}

func (s *Stats) frame(e epoch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch, s.clock, s.err, s.last = e.id, e.clock(), e.err, time.Now()
}

// said counts an event that is safe.
func (s *Stats) said(e sinks.Event) {
	s.published.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.events == nil {
		s.events = make(map[sinks.Kind]int64)
	}
	s.events[e.Kind()]++
}
