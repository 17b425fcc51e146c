package live

import (
	"context"
	"fmt"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/sinks"
)

// A stretch without frames is a gap where it is longer than both.
const (
	leastGap = 2 * time.Second
	gapSteps = 5 // times the usual time between two frames
)

// watch follows what is seen of a session: it finds epochs, gaps and cuts, tells the speaker
// which frames are to be looked at, and which windows are complete.
type watch struct {
	*session
	stream  Stream
	sampler frames.Sampler
	stretch int // from barrier to barrier
	factor  int // by which strides are stretched
	now     epoch
	last    time.Duration // of the frame on screen, in its epoch
	step    time.Duration // usual time between frames, smoothed
	skipped int64         // damaged frames so far
	dropped int64         // units that gaps have told of
	counted int64         // units that are counted
	sketch  *frames.Sketch
	began   time.Time
	good    time.Duration // for how long frames have been seen
}

func newWatch(s *session, stream Stream) *watch {
	w := &watch{session: s, stream: stream, factor: 1}
	w.sampler = frames.Sampler{Length: s.Window, Every: s.Every, Samples: s.samples()}
	return w
}

// run follows the stream until it is drained.
func (w *watch) run(ctx context.Context) error {
	for {
		seen, err := w.stream.Next()
		switch {
		case err != nil:
			return fmt.Errorf("decode camera: %w", err)
		case seen.Drained:
			w.barrier(w.last)
			return nil
		case seen.Image != nil:
			err = w.picture(seen)
		default:
			err = w.frame(ctx, seen)
		}
		if err != nil {
			return err
		}
	}
}

// frame is told that a frame came on screen.
func (w *watch) frame(ctx context.Context, seen frames.Seen) error {
	w.alive()
	w.stats.frames.Add(1)
	e := w.timeline.at(seen.PTS)
	at := seen.PTS - e.from
	switch {
	case e.id != w.now.id:
		w.begin(ctx, e)
	case w.began.IsZero():
		w.began = time.Now()
	case at-w.last > max(leastGap, gapSteps*w.step):
		w.gap(at, seen.Skipped)
	default:
		w.step += (at - w.last - w.step) / 8
	}
	w.stats.skipped.Add(seen.Skipped - w.skipped)
	if dropped := w.backlog.lost(); dropped > w.counted {
		w.stats.droppedUnits.Add(dropped - w.counted)
		w.counted = dropped
	}
	w.now, w.last, w.skipped, w.good = e, at, seen.Skipped, time.Since(w.began)
	w.past, w.seen, w.left = e.id, at, time.Now()
	w.stats.frame(e)
	if err := w.stretchStrides(); err != nil {
		return err
	}
	w.complete(w.sampler.Frame(at))
	return nil
}

// begin starts an epoch.
func (w *watch) begin(ctx context.Context, e epoch) {
	w.barrier(w.last)
	w.now, w.epoch, w.step, w.sketch = e, e.id, 0, nil
	if w.began.IsZero() {
		w.began = time.Now()
	}
	if w.past != 0 {
		w.missing(e)
		w.notice(e.id, &sinks.Reset{Reason: reasonOf(e.why), PreviousEpoch: w.past})
	}
	if !w.attendant.live {
		w.attendant.live = true
		w.Log.Info("camera live", "source", w.Source)
		w.teller.status(ctx, sinks.StateLive, "")
	}
}

// missing tells what was not seen between two epochs, on the timeline of the one that ended.
func (w *watch) missing(e epoch) {
	lost := time.Since(w.left)
	if e.why != frames.Started || lost <= 0 {
		return
	}
	w.stats.gaps.Add(1)
	w.notice(w.past, &sinks.Gap{Start: sinks.SecondsOf(w.seen), End: sinks.SecondsOf(w.seen + lost), Reason: sinks.GapDisconnected})
}

func reasonOf(d frames.Discontinuity) sinks.ResetReason {
	switch d {
	case frames.Jumped:
		return sinks.ResetJump
	case frames.Stepped:
		return sinks.ResetClock
	}
	return sinks.ResetReconnect
}

// gap ends a stretch at the last frame, because the next came too late.
func (w *watch) gap(at time.Duration, skipped int64) {
	w.barrier(w.last)
	w.sketch = nil
	reason, lost := sinks.GapStalled, int64(0)
	switch dropped := w.backlog.lost(); {
	case dropped > w.dropped:
		reason, lost, w.dropped = sinks.GapOverload, dropped-w.dropped, dropped
	case skipped > w.skipped:
		reason, lost = sinks.GapDecode, skipped-w.skipped
	}
	w.stats.gaps.Add(1)
	w.notice(w.now.id, &sinks.Gap{Start: sinks.SecondsOf(w.last), End: sinks.SecondsOf(at), Reason: reason, FramesLost: lost})
}

// picture is given the frame that leaves the screen, which was there at an instant.
func (w *watch) picture(seen frames.Seen) error {
	at := seen.PTS - w.now.from
	cover(seen.Image, w.Masks)
	w.Screen.show(seen.Image, w.now.wall.Add(at))
	sketch, err := w.Eye.Sketch(seen.Image)
	if err != nil {
		return fmt.Errorf("look at picture: %w", err)
	}
	before := w.sketch
	w.sketch = &sketch
	if before != nil && sketch.Cut(*before) {
		return w.cut(at)
	}
	w.stats.sampled.Add(1)
	w.inbox.put(letter{stretch: w.stretch, epoch: w.now.id,
		sample: &sample{pts: at, wall: w.now.wall.Add(at), clock: w.now.clock(), err: w.now.err, image: seen.Image, sketch: sketch}})
	return nil
}

// cut begins a stretch with the frame on screen, which shows something else. It is looked at
// when the stretch's first instant has come, as at the beginning of an epoch.
func (w *watch) cut(at time.Duration) error {
	w.barrier(at)
	w.stats.cuts.Add(1)
	w.notice(w.now.id, &sinks.Cut{Start: sinks.SecondsOf(at)})
	w.sampler.Frame(at)
	return w.grid(at)
}

// grid asks for the frames of a stretch that begins at a time.
func (w *watch) grid(at time.Duration) error {
	part := w.part() * time.Duration(w.factor)
	return w.stream.Grid(w.now.from+at+part/2, part)
}

// stretchStrides follows the load.
func (w *watch) stretchStrides() error {
	factor := w.Load.Stretch()
	if factor == w.factor {
		return nil
	}
	before := w.Every * time.Duration(w.factor)
	w.factor, w.sampler.Every = factor, w.Every*time.Duration(factor)
	w.stats.stride.Store(int64(w.sampler.Every))
	w.notice(w.now.id, &sinks.Degraded{Reason: "overload", StrideBefore: sinks.SecondsOf(before), StrideNow: sinks.SecondsOf(w.sampler.Every)})
	w.Log.Warn("strides changed with the load", "source", w.Source, "before", before, "now", w.sampler.Every)
	return w.grid(w.last)
}

// barrier ends the stretch.
func (w *watch) barrier(at time.Duration) {
	w.complete(w.sampler.Barrier(at))
	w.stretch++
}

// complete tells of a window, if there is one.
func (w *watch) complete(s frames.Step) {
	if s.Window != nil {
		w.inbox.put(letter{stretch: w.stretch, epoch: w.now.id, window: w.now.window(*s.Window)})
	}
}

func (w *watch) notice(epoch int64, e sinks.Event) {
	w.inbox.put(letter{stretch: w.stretch, epoch: epoch, notice: e})
}
