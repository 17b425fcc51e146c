package live

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

// Connection is how a camera is reached.
type Connection interface {
	// Read plays the stream once and hands each unit to use, by one goroutine, from the first
	// key unit on. It returns an error whenever the stream ends, and ctx's when that does.
	Read(ctx context.Context, use func(frames.Unit) error) error
	// Attend makes attempts until ctx ends, with waits between them that neither give up nor
	// storm. Report is told why each attempt ended, and of the wait before the next.
	Attend(ctx context.Context, attempt func(context.Context) (good time.Duration, err error), report func(error, time.Duration)) error
	// State is the condition of a camera whose attempt ended with err.
	State(err error) sinks.State
}

// Stream is a decoder of one live stream. Feed, Grid and Drain are called by two goroutines,
// Next by one of them.
type Stream interface {
	Feed(u frames.Unit, pts time.Duration) error
	Grid(from, every time.Duration) error
	Drain() error
	Next() (frames.Seen, error)
}

// Decode opens a decoder for the time of use.
type Decode func(ctx context.Context, codec frames.Codec, use func(context.Context, Stream) error) error

// Question is a standing question about every window.
type Question struct{ Name, Text string }

// Gate keeps still pictures from the model. Where it is off every window is encoded, decoded
// and published.
type Gate struct {
	Enabled   bool
	Threshold float64 // of frames.Sketch.Change, from which on a frame is worth encoding
}

// Settings are what a camera is to be asked for.
type Settings struct {
	Source    string // its name
	Window    time.Duration
	Every     time.Duration // from one window to the next
	Masks     []Mask
	Questions []Question
	// Answers has the ring keep what the answer model made of the frames, where it is another
	// than the caption model, also without standing questions: more can be asked then.
	Answers   bool
	Gate      Gate
	Unchanged time.Duration // between heartbeats while nothing new is said; 0 for a minute
}

// Camera is a live source and what is done with it.
type Camera struct {
	Settings
	Connection      Connection
	Decode          Decode
	Eye             pipeline.Eye
	Caption, Answer pipeline.Voice // may be the same
	Ring            *Ring
	Load            *Load
	Screen          *Screen // shows its last picture; may be nil
	Tap             *Tap    // hands on its units; may be nil
	// Emit takes each event, sealed, in order, from one goroutine at a time. It returns when
	// the event is safe.
	Emit func(context.Context, sinks.Event) error
	Log  *slog.Logger
}

// Run attends to the camera until ctx ends or stop is closed, and waits for all that it
// started. After stop what has been seen is still spoken about; after ctx nothing is.
func Run(ctx context.Context, stop <-chan struct{}, c Camera, stats *Stats) error {
	return newAttendant(c, stats, (*model.Features).Distance).run(ctx, stop)
}

// attendant is a camera at work: what outlives its sessions.
type attendant struct {
	Camera
	stats   *Stats
	inbox   *inbox
	teller  *teller
	speaker *speaker
	epoch   int64         // the last one that began, in Unix milliseconds
	past    int64         // the epoch whose frames were seen last; 0 for none
	seen    time.Duration // PTS of the last frame seen in it
	left    time.Time     // when it was seen
	live    bool          // frames have been seen in this attempt
}

func newAttendant(c Camera, stats *Stats, apart func(before, after *model.Features) float64) *attendant {
	if c.Unchanged <= 0 {
		c.Unchanged = time.Minute
	}
	now := time.Now().UnixMilli()
	a := &attendant{Camera: c, stats: stats, inbox: newInbox(stats, c.Load), epoch: now}
	a.teller = newTeller(c, stats, now)
	stats.stride.Store(int64(c.Every))
	a.speaker = &speaker{Camera: a.Camera, stats: stats, inbox: a.inbox, teller: a.teller, apart: apart, stretch: -1}
	return a
}

func (a *attendant) run(ctx context.Context, stop <-chan struct{}) error {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	var working sync.WaitGroup
	working.Go(func() { a.speaker.run(ctx) })
	working.Go(func() {
		select {
		case <-stop:
			cancel()
		case <-reading.Done():
		}
	})
	a.teller.status(ctx, sinks.StateConnecting, "")
	err := a.Connection.Attend(reading, a.attempt, func(err error, wait time.Duration) { a.report(ctx, err, wait) })
	a.inbox.close()
	cancel()
	a.Tap.end(ErrStopped)
	working.Wait()
	a.teller.status(context.WithoutCancel(ctx), sinks.StateStopped, "")
	if ctx.Err() != nil {
		return err
	}
	return nil
}

// report tells why an attempt ended.
func (a *attendant) report(ctx context.Context, err error, wait time.Duration) {
	state := a.Connection.State(err)
	if state == sinks.StateConnecting && a.live {
		state = sinks.StateStalled // it was there, and is not now
	}
	a.live = false
	a.stats.reconnects.Add(1)
	a.Log.Warn("camera lost", "source", a.Source, "state", state, "err", err, "wait", wait.Round(time.Millisecond))
	a.teller.status(ctx, state, err.Error())
}

// samples is the number of instants at which a window is looked at: those of the model that
// looks at more.
func (c Camera) samples() int { return max(c.Caption.Samples, c.Answer.Samples, 1) }

// part is the time from one sample to the next.
func (c Camera) part() time.Duration {
	return max(c.Window/time.Duration(c.samples()), time.Millisecond)
}
