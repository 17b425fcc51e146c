package main

import (
	"bufio"
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"image"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/captiond/captiond/demo/film"
	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/frames/ffmpeg"
	"github.com/captiond/captiond/frames/wire"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/pixels"
)

// side is the edge in pixels of what the demo model sees.
const side = 64

// eye is the image transform of the demo model, without its normalisation.
type eye struct{ *pixels.Processor }

func newEye() (eye, error) {
	p, err := pixels.New(pixels.Transform{
		Resize: pixels.ShortestEdge, Edge: side, Filter: pixels.Bilinear, CropWidth: side, CropHeight: side, Scale: 1.0 / 255,
	})
	return eye{p}, err
}

// see is a picture as the model sees it, [side][side][3].
func (e eye) see(img *image.RGBA) []byte {
	small := e.Resample(img, model.View{})
	out := make([]byte, 0, 3*side*side)
	for i := 0; i < len(small.Pix); i += 4 {
		out = append(out, small.Pix[i:i+3]...)
	}
	return out
}

// filmed is a scene that has been through H.264: frame i is shown from i/Rate s on.
type filmed struct {
	Seed   uint64
	Rate   int
	Frames [][]byte

	scene *world.Scene
}

// scene is the scene that training sees for a seed.
func scene(seed uint64) *world.Scene { return world.New(seed, world.Options{Vary: true}) }

func runPool(args []string) error {
	a := newArguments("pool")
	a.files()
	_ = a.Parse(args) // exits itself
	e, err := newEye()
	if err != nil {
		return err
	}
	file, err := os.Create(a.out)
	if err != nil {
		return err
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	enc := gob.NewEncoder(w)
	rng := rand.New(rand.NewPCG(a.seed, 0x9001))
	for range a.n {
		f, err := shoot(rng, e)
		if err == nil {
			err = enc.Encode(f)
		}
		if err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return file.Close()
}

// shoot films a scene and decodes it.
func shoot(rng *rand.Rand, e eye) (*filmed, error) {
	how := film.Any(rng)
	f := &filmed{Seed: rng.Uint64(), Rate: how.Rate}
	s := scene(f.Seed)
	data := new(buffer)
	if _, err := film.Write(data, how, s); err != nil {
		return nil, err
	}
	return f, f.decode(e, data.data, film.Frames(s, how.Rate))
}

func (f *filmed) decode(e eye, data []byte, n int) error {
	clip, err := ffmpeg.Open(bytes.NewReader(data), int64(len(data)), ffmpeg.Limits{MaxPixels: 1 << 22, Threads: 1})
	if err != nil {
		return err
	}
	defer clip.Close()
	instants := make([]time.Duration, n)
	for i := range instants {
		instants[i] = film.Time(i, f.Rate) + time.Millisecond
	}
	return clip.Show(instants, func(p wire.Picture) error {
		shown := e.see(rgba(p))
		for range p.Count {
			f.Frames = append(f.Frames, shown)
		}
		return nil
	})
}

// rgba gives a decoded picture the fourth sample that Go's pictures have.
func rgba(p wire.Picture) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i := range p.Width * p.Height {
		copy(img.Pix[4*i:], p.Pixels[3*i:3*i+3])
	}
	return img
}

// readPool reads what runPool wrote.
func readPool(name string) ([]*filmed, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	dec := gob.NewDecoder(bufio.NewReaderSize(file, 1<<20))
	var pool []*filmed
	for {
		f := new(filmed)
		err := dec.Decode(f)
		if errors.Is(err, io.EOF) {
			return pool, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read pool: %w", err)
		}
		f.scene = scene(f.Seed)
		pool = append(pool, f)
	}
}
