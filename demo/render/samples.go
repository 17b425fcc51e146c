package main

import (
	"bufio"
	"encoding/json"
	"image"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/captiond/captiond/demo/film"
	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/frames"
)

// window is the number of frames in a window of the demo model.
const window = 6

// sample is a window or a single picture with all that is true of it: a line of JSON, then
// the pictures' bytes [frames][side][side][3].
type sample struct {
	Frames    int              `json:"frames"` // 6, or 1 for a single picture
	Caption   string           `json:"caption"`
	Questions []world.Question `json:"questions"`
	Objects   []object         `json:"objects"` // those of the caption, in its order
	pixels    []byte
}

// object is what the heads of the first phases learn.
type object struct {
	Colour int          `json:"colour"`
	Shape  int          `json:"shape"`
	Does   int          `json:"does"`
	Track  [][4]float64 `json:"track"` // for each frame: 1 if visible, x, y, radius in parts of the side
}

func runSamples(args []string) error {
	a := newArguments("samples")
	stills := a.Float64("stills", 0.125, "part of the samples that are single pictures")
	filmedPart := a.Float64("filmed", 0.35, "part of the samples that comes from the pool")
	name := a.String("pool", "", "file of scenes that have been through H.264")
	_ = a.Parse(args) // exits itself
	e, err := newEye()
	if err != nil {
		return err
	}
	var pool []*filmed
	if *name != "" {
		if pool, err = readPool(*name); err != nil {
			return err
		}
	}
	rng := rand.New(rand.NewPCG(a.seed, 0x5a3b1e5))
	w := bufio.NewWriterSize(os.Stdout, 1<<20)
	for {
		var p projector
		if len(pool) > 0 && rng.Float64() < *filmedPart {
			p = pool[rng.IntN(len(pool))].projector()
		} else {
			p = painted(rng, e)
		}
		if err := p.sample(rng, rng.Float64() < *stills).write(w); err != nil {
			return err
		}
	}
}

// projector shows a scene: the frame that is on screen at a time, and the time it is of.
type projector struct {
	scene *world.Scene
	show  func(t time.Duration) (pixels []byte, at time.Duration)
}

// projector shows the decoded film.
func (f *filmed) projector() projector {
	return projector{f.scene, func(t time.Duration) ([]byte, time.Duration) {
		i := min(int(t*time.Duration(f.Rate)/time.Second), len(f.Frames)-1)
		return f.Frames[i], film.Time(i, f.Rate)
	}}
}

// painted shows a new scene as it is drawn, at one of several sizes and rates.
func painted(rng *rand.Rand, e eye) projector {
	s, rate := scene(rng.Uint64()), 10+rng.IntN(21)
	edge := []int{64, 80, 96, 128, 160, 240}[rng.IntN(6)]
	img := image.NewRGBA(image.Rect(0, 0, edge, edge))
	return projector{s, func(t time.Duration) ([]byte, time.Duration) {
		t = film.Time(int(t*time.Duration(rate)/time.Second), rate)
		s.Draw(img, t)
		return e.see(img), t
	}}
}

// sample takes a window from anywhere inside the scene, or one picture: one whose pictures
// show all that is said of it.
func (p projector) sample(rng *rand.Rand, still bool) sample {
	for {
		if s := p.try(rng, still); s.fair() {
			return s
		}
	}
}

func (p projector) try(rng *rand.Rand, still bool) sample {
	length := p.scene.Duration
	if still {
		t := time.Duration(rng.Int64N(int64(length)))
		pixels, at := p.show(t)
		return newSample(p.scene, p.scene.Still(at), pixels, at)
	}
	w := stretch(rng, length)
	step := time.Duration(0)
	if rng.IntN(8) == 0 { // as a sampler that keeps fewer frames than the window has instants
		step = (w.End - w.Start) / time.Duration(3+rng.IntN(3))
	}
	var pixels []byte
	var times []time.Duration
	for _, t := range w.Instants(window) {
		if step > 0 {
			t = max(w.Start, t-(t-w.Start)%step)
		}
		shown, at := p.show(t)
		pixels, times = append(pixels, shown...), append(times, at)
	}
	return newSample(p.scene, p.scene.Truth(w.Start, w.End), pixels, times...)
}

// stretch is the whole scene, or half a second or more from anywhere in it.
func stretch(rng *rand.Rand, whole time.Duration) frames.Window {
	const least = 500 * time.Millisecond
	if rng.IntN(3) == 0 {
		return frames.Window{End: whole}
	}
	length := least + time.Duration(rng.Int64N(int64(whole-least)))
	from := time.Duration(rng.Int64N(int64(whole - length + 1)))
	return frames.Window{Start: from, End: from + length}
}

func newSample(s *world.Scene, t world.Truth, pixels []byte, times ...time.Duration) sample {
	out := sample{Frames: len(times), Caption: t.Caption, Questions: t.Questions, pixels: pixels}
	for _, o := range t.Objects {
		obj := object{Colour: int(o.Colour), Shape: int(o.Shape), Does: int(o.Does)}
		for _, at := range times {
			place, visible := o.At(float64(at) / float64(s.Duration))
			shows := 0.0
			if visible {
				shows = 1
			}
			obj.Track = append(obj.Track, [4]float64{shows, place.X, place.Y, place.Radius})
		}
		out.Objects = append(out.Objects, obj)
	}
	return out
}

// fair says whether the pictures show what appears and disappears: it may do so before the
// first of them or after the last.
func (s sample) fair() bool {
	for _, o := range s.Objects {
		first, last := o.Track[0][0], o.Track[len(o.Track)-1][0]
		turns := o.Does == int(world.Appears) || o.Does == int(world.Disappears)
		if turns == (first == last) {
			return false
		}
	}
	return true
}

func (s sample) write(w io.Writer) error {
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return err
	}
	_, err = w.Write(s.pixels)
	return err
}
