//go:build cgo

package bench

import (
	"cmp"
	"context"
	"image"
	"os"
	"runtime"
	"testing"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/ort"
	"github.com/captiond/captiond/model/pixels"
	"github.com/captiond/captiond/model/synthetic"
)

// BenchmarkStages times each stage at full size with random weights, to hold one commit
// against another:
//
//	go test -run xxx -bench "Stages/^base$" -count 6 ./model/bench > new
//	benchstat old new
//
// Names are shape, precision, stage; products and memory are what the stages' speed is held
// against.
func BenchmarkStages(b *testing.B) {
	for _, shape := range Shapes() {
		b.Run(shape.Name, func(b *testing.B) {
			folder := b.TempDir()
			if err := synthetic.Write(folder, shape.Checkpoint, 1); err != nil {
				b.Fatal(err)
			}
			for _, p := range []graph.Precision{graph.Float32, graph.Int8} {
				b.Run(p.String(), func(b *testing.B) { benchmarkStages(b, shape, folder, p) })
			}
		})
	}
}

// benchmarkStages times one model.
func benchmarkStages(b *testing.B, shape Shape, folder string, p graph.Precision) {
	rt, err := ort.Open(b.Context(), cmp.Or(os.Getenv(ort.LibraryVariable), "../../lib/libonnxruntime.so.1"), ort.Options{Device: "cpu"})
	if err != nil {
		b.Fatal(err)
	}
	s := &subject{plan: Plan{
		Runtime: rt, Precision: p, Prompt: shape.Prompt, Frames: shape.Frames, Tokens: 20, Rounds: 1, Labels: true, Readers: runtime.NumCPU(),
		Open: func() (*model.Model, error) {
			c, err := checkpoint.Load(folder)
			if err != nil {
				return nil, err
			}
			return model.Open(rt, c, model.Options{Precision: p})
		},
	}}
	b.Cleanup(func() {
		if err := cmp.Or(s.close(), rt.Close()); err != nil {
			b.Error(err)
		}
	})
	if err := s.prepare(b.Context()); err != nil {
		b.Fatal(err)
	}
	s.stages(b)
}

// stages times each of them with the results of those before.
func (s *subject) stages(b *testing.B) {
	ctx, c := context.Background(), s.clip
	features, prefix, _, err := c.caption(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer prefix.Close()
	b.Run("preprocess", func(b *testing.B) { preprocess(b, c.model.Side()) })
	for _, stage := range []struct {
		name string
		work func() error
	}{
		{"encode", func() error { _, err := c.model.EncodeAll(ctx, c.pictures, model.View{}); return err }},
		{"prefix", func() error {
			p, err := c.model.Begin(ctx, features)
			if err == nil {
				p.Close()
			}
			return err
		}},
		{"step", func() error { return c.generate(ctx, prefix, c.first) }}, // of 20 tokens
		{"labels", func() error { _, err := c.model.Classify(ctx, prefix, "", c.many); return err }},
		{"products", func() error { _, err := s.products.time(ctx); return err }}, // as many as of the clip
		{"memory", func() error { _, sum := s.memory.time(); s.read += sum; return nil }},
	} {
		b.Run(stage.name, func(b *testing.B) {
			for b.Loop() {
				if err := stage.work(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// preprocess counts the red, green and blue samples of a source picture of 1080p.
func preprocess(b *testing.B, side int) {
	p, err := pixels.New(pixels.Microsoft(side))
	if err != nil {
		b.Fatal(err)
	}
	img := image.NewRGBA(image.Rect(0, 0, 1920, 1080))
	for i := range img.Pix {
		img.Pix[i] = byte(i * i >> 8)
	}
	dst := make([]float32, 3*side*side)
	b.SetBytes(3 * 1920 * 1080)
	for b.Loop() {
		p.Apply(dst, img, pixels.View{})
	}
}
