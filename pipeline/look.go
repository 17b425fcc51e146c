package pipeline

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
)

// Clip is a video whose pictures can be asked for; frames/worker implements it. Show
// yields the frames on screen at the ascending instants, each distinct frame once, and
// may be called again when its sequence has ended.
type Clip interface {
	Info() frames.Info
	Show(ctx context.Context, instants []time.Duration) iter.Seq2[frames.Sample, error]
}

const (
	// showBatch is how many windows are asked for at once: enough that the decoder
	// runs forward undisturbed, few enough that absurd durations cost no memory.
	showBatch = 256
	// readAhead is how many decoded frames wait for the encoder.
	readAhead = 2
)

// A look is a window and what was on screen at each of its instants.
type look struct {
	numbered // the last, where it stands for several
	features []*model.Features
	pts      []time.Duration
	complete time.Time // when the last of its frames was decoded
}

// still says that one and the same frame was on screen all the time.
func (l look) still() bool { return l.pts[0] == l.pts[len(l.pts)-1] }

// looks yields the windows with their frames' features, in order. Consecutive windows
// that show one and the same single frame are one, so that windows never outnumber
// frames. What was complete before an error is yielded before it.
func looks(ctx context.Context, v Voice, clip Clip, windows iter.Seq[numbered]) iter.Seq2[look, error] {
	return func(yield func(look, error) bool) {
		var held *look // a still one, which the next may prolong
		for l, err := range each(ctx, v, clip, windows) {
			if err == nil && held != nil && l.still() && held.pts[0] == l.pts[0] {
				held.End, held.n = l.End, l.n
				continue
			}
			if held != nil && !yield(*held, nil) {
				return
			}
			held = nil
			if err == nil && l.still() {
				held = &l
				continue
			}
			if !yield(l, err) || err != nil {
				return
			}
		}
		if held != nil {
			yield(*held, nil)
		}
	}
}

// groups are the looks at the rest of the windows, those together that are captioned side by
// side. What was complete before an error is yielded before it.
func (j Job) groups(ctx context.Context, clip Clip, windows iter.Seq[frames.Window]) iter.Seq2[[]look, error] {
	return func(yield func([]look, error) bool) {
		var group []look
		flush := func() bool {
			full := group
			group = nil
			return len(full) == 0 || yield(full, nil)
		}
		for l, err := range looks(ctx, j.Voice, clip, j.rest(windows)) {
			if err != nil {
				if flush() {
					yield(nil, err)
				}
				return
			}
			if len(group) > 0 && j.group(l.n) != j.group(group[0].n) && !flush() {
				return
			}
			group = append(group, l)
			if j.group(l.n+1) == l.n+1 && !flush() {
				return
			}
		}
		flush()
	}
}

// each is looks before windows are joined.
func each(ctx context.Context, v Voice, clip Clip, windows iter.Seq[numbered]) iter.Seq2[look, error] {
	return func(yield func(look, error) bool) {
		g := gatherer{voice: v}
		for ws := range batches(windows, showBatch) {
			g.begin(ws)
			for s, err := range ahead(ctx, clip.Show, instants(ws, v.Samples)) {
				if err == nil {
					err = g.add(ctx, s)
				}
				if err != nil {
					yield(look{}, err)
					return
				}
				for l := range g.complete() {
					if !yield(l, nil) {
						return
					}
				}
			}
		}
	}
}

// A gatherer fills windows with the frames that arrive for their instants.
type gatherer struct {
	voice    Voice
	windows  []numbered
	features []*model.Features // for the instants answered and not yet handed on
	pts      []time.Duration
	decoded  time.Time
	last     *seen
}

// seen is the frame encoded last: it may be on screen in the next batch as well.
type seen struct {
	pts      time.Duration
	features *model.Features
}

func (g *gatherer) begin(ws []numbered) { g.windows = ws }

// add encodes the frame, unless it is the one before it, and notes it for each of its
// instants.
func (g *gatherer) add(ctx context.Context, s frames.Sample) error {
	g.decoded = time.Now()
	if g.last == nil || g.last.pts != s.PTS {
		f, err := g.voice.Encode(ctx, s.Image, g.voice.View)
		if err != nil {
			return fmt.Errorf("encode frame at %v: %w", s.PTS, err)
		}
		g.last = &seen{s.PTS, f}
	}
	for range s.Count {
		g.features = append(g.features, g.last.features)
		g.pts = append(g.pts, s.PTS)
	}
	return nil
}

// complete hands on the windows that have all their frames.
func (g *gatherer) complete() iter.Seq[look] {
	return func(yield func(look) bool) {
		n := g.voice.Samples
		for len(g.pts) >= n && len(g.windows) > 0 {
			l := look{numbered: g.windows[0], features: g.features[:n:n], pts: g.pts[:n:n], complete: g.decoded}
			g.windows, g.features, g.pts = g.windows[1:], g.features[n:], g.pts[n:]
			if !yield(l) {
				return
			}
		}
	}
}

func instants(ws []numbered, n int) []time.Duration {
	at := make([]time.Duration, 0, len(ws)*n)
	for _, w := range ws {
		at = append(at, w.Instants(n)...)
	}
	return at
}

// batches cuts a sequence into slices of at most n.
func batches[T any](seq iter.Seq[T], n int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		batch := make([]T, 0, n)
		for v := range seq {
			if batch = append(batch, v); len(batch) < n {
				continue
			}
			if !yield(batch) {
				return
			}
			batch = make([]T, 0, n)
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}
