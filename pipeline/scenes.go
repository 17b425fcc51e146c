package pipeline

import (
	"context"
	"fmt"
	"image"
	"iter"
	"time"

	"github.com/captiond/captiond/frames"
)

// Eye makes sketches, by which pictures are compared; frames/opencv implements it.
type Eye interface {
	Sketch(img *image.RGBA) (frames.Sketch, error)
}

// The rules of Scenes.
const (
	// glance is the time between the instants at which a clip is searched for cuts. It is
	// under minScene: what it cannot see would not be a scene.
	glance = 500 * time.Millisecond
	// mostGlances bounds the work for a clip that claims to be absurdly long: beyond six
	// days it is looked at less often.
	mostGlances = 1 << 20
	// minScene is the shortest scene: a shorter one joins the one before.
	minScene = time.Second
	// parts is into how many a stretch that holds a cut is divided to find it. More would
	// decode no less: a stretch is decoded from the key frame before it.
	parts = 16
	// exact is how near two instants are that have no other frame between them.
	exact = time.Millisecond
)

// Scenes cuts a stretch of a clip into its scenes, in order and without gaps: a window ends
// where the picture is cut, at the PTS of the first frame of the next scene. A scene is one
// window, however long it is. One under a second joins the one before it, or the one after
// where it is the first; where the picture after it is that of before, as after a flash,
// there is no cut at all. Gradual changes are no cuts.
//
// The clip is decoded once from end to end, and again around each cut from the key frame
// before it; Show is called from one goroutine at a time. Memory and work are bounded
// whatever duration the clip claims.
func Scenes(ctx context.Context, clip Clip, eye Eye, stretch frames.Window) ([]frames.Window, error) {
	s := search{clip: clip, eye: eye}
	found := script{starts: []time.Duration{stretch.Start}}
	var last *view
	for at := range batches(glances(stretch), showBatch) {
		views, err := s.look(ctx, at)
		if err != nil {
			return nil, err
		}
		for _, v := range views {
			if last != nil {
				if err := s.cuts(ctx, *last, v, found.cut); err != nil {
					return nil, err
				}
			}
			last = &v
		}
	}
	return found.windows(stretch.End), nil
}

// glances are the instants at which a stretch is searched.
func glances(stretch frames.Window) iter.Seq[time.Duration] {
	step := max(glance, (stretch.End-stretch.Start)/mostGlances+1)
	return func(yield func(time.Duration) bool) {
		for at := stretch.Start; at < stretch.End && yield(at) && stretch.End-at > step; at += step {
		}
	}
}

// A view is a frame as it was on screen.
type view struct {
	sketch frames.Sketch
	pts    time.Duration
	until  time.Duration // the last instant at which it was seen
}

func (v view) cutFrom(before view) bool { return v.sketch.Cut(before.sketch) }

// search looks for the frames at which a clip is cut.
type search struct {
	clip Clip
	eye  Eye
}

// look returns what is on screen at the ascending instants.
func (s search) look(ctx context.Context, at []time.Duration) ([]view, error) {
	views := make([]view, 0, len(at))
	for shown, err := range ahead(ctx, s.clip.Show, at) {
		if err != nil {
			return nil, err
		}
		sketch, err := s.eye.Sketch(shown.Image)
		if err != nil {
			return nil, fmt.Errorf("look at frame at %v: %w", shown.PTS, err)
		}
		views = append(views, view{sketch, shown.PTS, at[shown.First+shown.Count-1]})
	}
	return views, nil
}

// cuts tells of each cut between two views, in order, with the frames before and after it.
func (s search) cuts(ctx context.Context, from, to view, tell func(before, after view)) error {
	for to.cutFrom(from) {
		before, after, found, err := s.narrow(ctx, from, to)
		if err != nil || !found {
			return err
		}
		tell(before, after)
		from = after
	}
	return nil
}

// narrow finds the first cut between two views that differ like one: two frames, one after
// the other, that do so themselves. A gradual change has none.
func (s search) narrow(ctx context.Context, from, to view) (before, after view, found bool, err error) {
	for to.pts-from.until > exact {
		views, err := s.look(ctx, between(from.until, to.pts))
		if err != nil {
			return from, to, false, err
		}
		if from, to, found = firstCut(from, append(views, to)); !found {
			return from, to, false, nil
		}
	}
	return from, to, true, nil
}

// between are the instants that divide a stretch into equal parts.
func between(from, to time.Duration) []time.Duration {
	at := make([]time.Duration, parts-1)
	for i := range at {
		at[i] = from + (to-from)/parts*time.Duration(i+1)
	}
	return at
}

// firstCut is the first of the views that is cut from the one before it.
func firstCut(before view, views []view) (from, to view, found bool) {
	for _, v := range views {
		if v.cutFrom(before) {
			return before, v, true
		}
		before = v
	}
	return before, before, false
}

// A script is the list of scenes, as their cuts become known.
type script struct {
	starts []time.Duration // of the scenes; the first is the stretch's own
	before frames.Sketch   // the picture before the last of them
}

// cut begins a scene and decides, now that it is known, on the one before.
func (s *script) cut(before, after view) {
	last := len(s.starts) - 1
	switch length := after.pts - s.starts[last]; {
	case length >= minScene:
		s.starts, s.before = append(s.starts, after.pts), before.sketch
	case last == 0 || length <= 0:
		// the first scene goes on
	case after.sketch.Cut(s.before):
		s.starts[last] = after.pts
	default:
		s.starts = s.starts[:last]
	}
}

// windows are the scenes of a stretch that ends there.
func (s *script) windows(end time.Duration) []frames.Window {
	if last := len(s.starts) - 1; last > 0 && end-s.starts[last] < minScene {
		s.starts = s.starts[:last]
	}
	scenes := make([]frames.Window, len(s.starts))
	for i, start := range s.starts {
		scenes[i].Start = start
		if i > 0 {
			scenes[i-1].End = start
		}
	}
	scenes[len(scenes)-1].End = end
	return scenes
}
