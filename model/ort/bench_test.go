package ort

import (
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
