package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"iter"
	"slices"
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
	// mostWaiting is how many bytes of pixels wait for others that share a run with them.
	mostWaiting = 128 << 20
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
			if j.last(l.n) && !flush() {
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
			g.windows = append(g.windows, ws...)
			if !g.gather(ctx, ahead(ctx, clip.Show, instants(ws, v.Samples)), yield) {
				return
			}
		}
		err := g.encode(ctx)
		if g.handOn(yield) && err != nil {
			yield(look{}, err)
		}
	}
}

// A gatherer fills windows with the frames that arrive for their instants.
type gatherer struct {
	voice   Voice
	windows []numbered
	shown   []*seen // at the instants answered and not yet handed on
	last    *seen   // it may be on screen in the next batch as well
	waiting []*seen // to be encoded
	bytes   int     // of their pixels
}

// seen is a frame.
type seen struct {
	pts      time.Duration
	image    *image.RGBA     // until it is encoded
	features *model.Features // from then on
	at       time.Time       // when it was decoded last
}

// gather yields the windows that frames make complete, as long as they are wanted. An error comes
// after those that were complete before it, and is the last.
func (g *gatherer) gather(ctx context.Context, shown iter.Seq2[frames.Sample, error], yield func(look, error) bool) bool {
	for s, err := range shown {
		if err == nil {
			err = g.add(ctx, s)
		} else if ctx.Err() == nil {
			err = cmp.Or(g.encode(ctx), err)
		}
		if !g.handOn(yield) {
			return false
		}
		if err != nil {
			yield(look{}, err)
			return false
		}
	}
	return true
}

// add notes the frame for each of its instants, and has it encoded, unless it is the one before
// it, when that is due.
func (g *gatherer) add(ctx context.Context, s frames.Sample) error {
	if g.last == nil || g.last.pts != s.PTS {
		g.last = &seen{pts: s.PTS, image: s.Image}
		g.waiting, g.bytes = append(g.waiting, g.last), g.bytes+len(s.Image.Pix)
	}
	g.last.at = time.Now()
	for range s.Count {
		g.shown = append(g.shown, g.last)
	}
	if !g.due() {
		return nil
	}
	return g.encode(ctx)
}

// due says that as many frames wait as go through the encoder together, or that a group of
// windows, which are talked about at once, has all its frames.
func (g *gatherer) due() bool {
	if len(g.waiting) >= g.voice.Pictures || g.bytes >= mostWaiting {
		return true
	}
	shown := min(len(g.shown)/g.voice.Samples, len(g.windows))
	return slices.ContainsFunc(g.windows[:shown], func(w numbered) bool { return g.voice.last(w.n) })
}

// encode encodes the frames that wait: together, or where that fails one after the other, so
// that those before the one that fails are.
func (g *gatherer) encode(ctx context.Context) error {
	if len(g.waiting) == 0 {
		return nil
	}
	waiting := g.waiting
	g.waiting, g.bytes = nil, 0
	if err := g.run(ctx, waiting); err == nil || len(waiting) == 1 {
		return err
	}
	for i := range waiting {
		if err := g.run(ctx, waiting[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (g *gatherer) run(ctx context.Context, some []*seen) error {
	imgs := make([]*image.RGBA, len(some))
	for i, s := range some {
		imgs[i] = s.image
	}
	features, err := g.voice.EncodeAll(ctx, imgs, g.voice.View)
	if err != nil {
		return fmt.Errorf("encode frame at %v: %w", some[0].pts, err)
	}
	for i, s := range some {
		s.image, s.features = nil, features[i]
	}
	return nil
}

// handOn yields the windows that have all their frames encoded, as long as they are wanted.
func (g *gatherer) handOn(yield func(look, error) bool) bool {
	n := g.voice.Samples
	for len(g.shown) >= n && len(g.windows) > 0 && g.shown[n-1].features != nil {
		l := look{numbered: g.windows[0], complete: g.shown[n-1].at}
		for _, s := range g.shown[:n] {
			l.features, l.pts = append(l.features, s.features), append(l.pts, s.pts)
		}
		g.windows, g.shown = g.windows[1:], g.shown[n:]
		if !yield(l, nil) {
			return false
		}
	}
	return true
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
