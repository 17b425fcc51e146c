package ort

import (
	"fmt"
	"testing"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/onnx"
)

// cache is a step's shape without its arithmetic: n keys and values of `elements` floats
// each go in and out.
func cache(n int, elements int64) []byte {
	g := onnx.New("cache", 17)
	for i := range n {
		x := g.Input(string(rune('a'+i)), onnx.Float32, elements)
		g.Output(g.Op("Neg", []string{x}), onnx.Float32, elements)
	}
	return g.Bytes()
}

// BenchmarkRun is the price of a run beside its arithmetic: of git-base's twelve text keys
// and values after 20 tokens, and of its image keys and values of six frames.
func BenchmarkRun(b *testing.B) {
	for name, elements := range map[string]int64{"text": 12 * 20 * 64, "image": 12 * 1182 * 64} {
		b.Run(name, func(b *testing.B) {
			r, err := Open(b.Context(), library(b), Options{Device: "cpu", Threads: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			s, err := r.NewSession(model.Graph{ONNX: cache(12, elements)})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			x, err := r.Wrap(make([]float32, elements), elements)
			if err != nil {
				b.Fatal(err)
			}
			defer x.Close()
			in := make([]model.Value, 12)
			for i := range in {
				in[i] = x
			}
			b.ReportAllocs()
			for b.Loop() {
				out, err := s.Run(b.Context(), in...)
				if err != nil {
					b.Fatal(err)
				}
				for _, v := range out {
					v.Close()
				}
			}
		})
	}
}

// BenchmarkLinear is a linear layer with one frame of git-base, and with six, in float32 and in 8
// bits by all instructions that are here, with one thread.
func BenchmarkLinear(b *testing.B) {
	r, err := Open(b.Context(), library(b), Options{Device: "cpu", Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for _, c := range []struct{ rows, in, out int }{{197, 768, 768}, {197, 768, 3072}, {197, 3072, 768}, {1182, 768, 768}} {
		graphs := map[string][]byte{}
		if arithmetics()[0].here {
			graphs["float32"] = linear("Linear", normal(1, c.out*c.in), normal(2, c.out))
		}
		for _, i := range instructionSets() {
			if i.here {
				graphs[i.name] = newLayer(c.in, c.out).graph("Linear8", true, i.attribute())
			}
		}
		for name, g := range graphs {
			b.Run(fmt.Sprintf("%s/%dx%dx%d", name, c.rows, c.in, c.out), func(b *testing.B) {
				benchmarkLinear(b, r, g, c.rows, c.in, c.out)
			})
		}
	}
}

func benchmarkLinear(b *testing.B, r *Runtime, graph []byte, rows, in, out int) {
	s, err := r.NewSession(model.Graph{ONNX: graph})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	x, err := r.Wrap(normal(3, rows*in), int64(rows), int64(in))
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	for b.Loop() {
		out, err := s.Run(b.Context(), x)
		if err != nil {
			b.Fatal(err)
		}
		out[0].Close()
	}
	b.ReportMetric(2e-9*float64(rows*in*out)*float64(b.N)/b.Elapsed().Seconds(), "GOP/s")
}
