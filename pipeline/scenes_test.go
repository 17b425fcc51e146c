package pipeline

import (
	"context"
	"errors"
	"image"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/captiond/captiond/frames"
)

// A shot is what a reel shows from a time on: a picture, how far it is on the way to another,
// and its light.
type shot struct {
	from          time.Duration
	picture, next byte
	mix           byte // in parts of 255
	light         byte // levels that are added
}

// A reel is a clip of shots.
type reel struct {
	*scripted
	shots []shot
	asked int
}

func (r *reel) Show(ctx context.Context, at []time.Duration) iter.Seq2[frames.Sample, error] {
	r.asked += len(at)
	return func(yield func(frames.Sample, error) bool) {
		for s, err := range r.scripted.Show(ctx, at) {
			if err == nil {
				now := r.shots[0]
				for _, shot := range r.shots {
					if shot.from <= s.PTS {
						now = shot
					}
				}
				s.Image = image.NewRGBA(image.Rect(0, 0, 1, 1))
				copy(s.Image.Pix, []byte{now.picture, now.next, now.mix, now.light})
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

// drawer is an eye that sees blocks of any grey for each picture of a reel.
type drawer struct{ fail error }

func (d drawer) Sketch(img *image.RGBA) (frames.Sketch, error) {
	a, b, mix, light := blocks(img.Pix[0]), blocks(img.Pix[1]), int(img.Pix[2]), int(img.Pix[3])
	s := frames.Sketch{RGB: make([]uint8, 3*frames.SketchWidth*frames.SketchHeight)}
	for i := range s.RGB {
		cell := i / 3
		block := cell/frames.SketchWidth/8*8 + cell%frames.SketchWidth/8
		s.RGB[i] = uint8((a[block]*(255-mix)+b[block]*mix)/255 + light)
	}
	return s, d.fail
}

// blocks are the greys of a picture, around a middle of its own.
func blocks(picture byte) (b [64]int) {
	r := rand.New(rand.NewPCG(uint64(picture), 3))
	for i := range b {
		b[i] = int(picture)%6*30 + r.IntN(60)
	}
	return b
}

// scenes are shots of pictures 1, 2 and so on, cut at these times.
func scenes(cuts ...time.Duration) []shot {
	shots := []shot{{picture: 1}}
	for i, at := range cuts {
		shots = append(shots, shot{from: at, picture: byte(i + 2)})
	}
	return shots
}

func TestScenes(t *testing.T) {
	t.Parallel()
	const ms, s = time.Millisecond, time.Second
	var dissolve []shot
	for i := range 51 {
		dissolve = append(dissolve, shot{from: 4*s + time.Duration(i)*40*ms, picture: 1, next: 2, mix: byte(5 * i)})
	}
	uneven := steady(3, 1)
	uneven.pts, uneven.end = []time.Duration{0, 70 * ms, 3001 * ms, 9333 * ms, 9340 * ms, 9350 * ms}, 12*s
	for _, tt := range []struct {
		name    string
		clip    *scripted
		shots   []shot
		stretch frames.Window
		want    []time.Duration // where scenes end
	}{
		{"one", steady(250, 25), scenes(), frames.Window{End: 10 * s}, []time.Duration{10 * s}},
		{"three", steady(250, 25), scenes(3160*ms, 6480*ms), frames.Window{End: 10 * s}, []time.Duration{3160 * ms, 6480 * ms, 10 * s}},
		{"240 a second", steady(2400, 240), scenes(3*s + 24*s/240), frames.Window{End: 10 * s}, []time.Duration{3100 * ms, 10 * s}},
		{"few frames, at any time", uneven, scenes(3001*ms, 9340*ms), frames.Window{End: 12 * s}, []time.Duration{3001 * ms, 9340 * ms, 12 * s}},
		{"at the instants that are looked at", steady(250, 25), scenes(2*s, 4*s), frames.Window{End: 10 * s}, []time.Duration{2 * s, 4 * s, 10 * s}},
		{"a second each", steady(100, 25), scenes(1*s, 2*s, 3*s), frames.Window{End: 4 * s}, []time.Duration{1 * s, 2 * s, 3 * s, 4 * s}},
		{"short one joins the one before", steady(250, 25), scenes(4*s, 4960*ms), frames.Window{End: 10 * s}, []time.Duration{4960 * ms, 10 * s}},
		{"short ones join the one before", steady(250, 25), scenes(4*s, 4200*ms, 4400*ms, 4600*ms), frames.Window{End: 10 * s}, []time.Duration{4600 * ms, 10 * s}},
		{"short at the start", steady(250, 25), scenes(400*ms, 800*ms), frames.Window{End: 10 * s}, []time.Duration{10 * s}},
		{"short at the end", steady(250, 25), scenes(5*s, 9080*ms), frames.Window{End: 10 * s}, []time.Duration{5 * s, 10 * s}},
		{"flash", steady(250, 25), []shot{{picture: 1}, {from: 5 * s, picture: 2}, {from: 5600 * ms, picture: 1}}, frames.Window{End: 10 * s}, []time.Duration{10 * s}},
		{"other light", steady(250, 25), []shot{{picture: 1}, {from: 5 * s, picture: 1, light: 50}}, frames.Window{End: 10 * s}, []time.Duration{10 * s}},
		{"dissolve", steady(250, 25), append(scenes(), dissolve...), frames.Window{End: 10 * s}, []time.Duration{10 * s}},
		{"part", steady(250, 25), scenes(1*s, 5*s, 9*s), frames.Window{Start: 2 * s, End: 8 * s}, []time.Duration{5 * s, 8 * s}},
		{"empty", steady(250, 25), scenes(), frames.Window{}, []time.Duration{0}},
		{"a single frame", steady(1, 25), scenes(), frames.Window{End: 40 * ms}, []time.Duration{40 * ms}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Scenes(t.Context(), &reel{scripted: tt.clip, shots: tt.shots}, drawer{}, tt.stretch)
			if err != nil || !slices.Equal(ends(t, tt.stretch, got), tt.want) {
				t.Errorf("scenes %v, %v; want ends %v", got, err, tt.want)
			}
		})
	}
}

// ends are those of the windows, which are to cover the stretch.
func ends(t *testing.T, stretch frames.Window, ws []frames.Window) (at []time.Duration) {
	t.Helper()
	from := stretch.Start
	for _, w := range ws {
		if w.Start != from {
			t.Errorf("window %v begins elsewhere than at %v", w, from)
		}
		from = w.End
		at = append(at, w.End)
	}
	if from != stretch.End {
		t.Errorf("the last window ends at %v, want %v", from, stretch.End)
	}
	return at
}

// TestScenesAnywhere cuts clips of any rate at any of their frames, a second apart and more.
func TestScenesAnywhere(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 9))
		rate := 1 + r.IntN(120)
		clip := steady(20*rate, time.Duration(rate))
		var cuts []time.Duration
		for n := rate + r.IntN(8*rate); n < 19*rate; n += rate + r.IntN(4*rate) {
			cuts = append(cuts, clip.pts[n])
		}
		whole := frames.Window{End: clip.end}
		got, err := Scenes(t.Context(), &reel{scripted: clip, shots: scenes(cuts...)}, drawer{}, whole)
		if err != nil || !slices.Equal(ends(t, whole, got), append(cuts, clip.end)) {
			t.Errorf("%d frames a second, cut at %v: %v, %v", rate, cuts, got, err)
		}
	}
}

// TestScenesOfAbsurdLength has clips that claim to last for centuries.
func TestScenesOfAbsurdLength(t *testing.T) {
	t.Parallel()
	for _, end := range []time.Duration{math.MaxInt64, 1000 * time.Hour} {
		clip := &reel{scripted: steady(8, 1), shots: scenes(2 * time.Second)}
		clip.end = end
		got, err := Scenes(t.Context(), clip, drawer{}, frames.Window{End: end})
		if err != nil || len(got) > 2 {
			t.Errorf("scenes %v, %v", got, err)
		}
		if clip.asked > mostGlances+1000 {
			t.Errorf("%d instants were asked for", clip.asked)
		}
	}
}

func TestScenesThatBreakOff(t *testing.T) {
	t.Parallel()
	whole := frames.Window{End: 10 * time.Second}
	broken := steady(250, 25)
	broken.err, broken.breakAt = errBroken, 200
	if _, err := Scenes(t.Context(), &reel{scripted: broken, shots: scenes()}, drawer{}, whole); !errors.Is(err, errBroken) {
		t.Errorf("a broken clip: %v", err)
	}
	if _, err := Scenes(t.Context(), &reel{scripted: steady(250, 25), shots: scenes()}, drawer{errBroken}, whole); !errors.Is(err, errBroken) {
		t.Errorf("a blind eye: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Scenes(ctx, &reel{scripted: steady(250, 25), shots: scenes()}, drawer{}, whole); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled search: %v", err)
	}
}
