package graph

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/captiond/captiond/model/onnx"
)

// inline gives every parameter, as bytes in the graph, whatever its size.
type inline struct{ elements func(name string) int64 }

func (w inline) Tensor(name string) Tensor {
	n := w.elements(name)
	return Tensor{Type: onnx.Float32, Dims: []int64{n}, Data: make([]byte, 4*n)}
}

func tiny() Sizes {
	return Sizes{
		Vision:   Tower{Hidden: 2, MLP: 2, Layers: 1, Heads: 1, Activation: "quick_gelu", Epsilon: 1e-5},
		Text:     Tower{Hidden: 2, MLP: 2, Layers: 3, Heads: 1, Activation: "gelu", Epsilon: 1e-12},
		Channels: 3, Patch: 1, Vocabulary: 2, TextPositions: 2,
	}
}

func (w inline) Floats(name string) ([]float32, error) { return make([]float32, w.elements(name)), nil }

// TestProblemsAreReportedTogether gives every parameter one element.
func TestProblemsAreReportedTogether(t *testing.T) {
	t.Parallel()
	one := inline{func(string) int64 { return 1 }}
	for name, build := range map[string]func(Sizes, Weights, Target) ([]byte, error){"encoder": Encoder, "prefix": Prefix, "step": Step} {
		s := tiny()
		s.Vision.Activation, s.Text.Activation = "mish", "mish"
		_, err := build(s, one, Target{})
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		if n := strings.Count(err.Error(), "has shape [1]"); n < 10 {
			t.Errorf("%s: %d shapes are reported", name, n)
		}
		if !strings.Contains(err.Error(), `activation "mish" is not known`) {
			t.Errorf("%s: the activation is not reported", name)
		}
	}
}

// TestInterfaces holds the inputs and outputs against what the callers count on: image
// and text keys and values of a layer side by side, layer after layer.
func TestInterfaces(t *testing.T) {
	t.Parallel()
	s := tiny()
	// Every parameter of tiny has a number of elements that follows from its name.
	w := inline{func(name string) int64 {
		switch {
		case strings.Contains(name, "patch_embedding"):
			return 6
		case strings.Contains(name, "embed") && !strings.Contains(name, "class") && !strings.Contains(name, "LayerNorm"):
			return 4
		case strings.HasSuffix(name, ".weight") && !strings.Contains(strings.ToLower(name), "norm") && !strings.Contains(name, "projection.1"):
			if !strings.Contains(name, "layrnorm") {
				return 4
			}
		}
		return 2
	}}
	for name, c := range map[string]struct {
		build       func(Sizes, Weights, Target) ([]byte, error)
		ins, outs   int
		first, last string
	}{
		"encoder": {Encoder, 2, 1, "pixels", "positions"},
		"prefix":  {Prefix, 2, 6, "features", "temporal"},
		"step":    {Step, 5 + 6 + 6, 1 + 6, "ids", "text_v2"},
	} {
		b, err := c.build(s, w, Target{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ins, outs, err := onnx.Names(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(ins) != c.ins || len(outs) != c.outs || ins[0] != c.first || ins[len(ins)-1] != c.last {
			t.Errorf("%s: inputs %v, outputs %v", name, ins, outs)
		}
		again, err := c.build(s, w, Target{})
		if err != nil || !slices.Equal(b, again) {
			t.Errorf("%s: the same checkpoint gives other bytes (%v)", name, err)
		}
	}
}

func TestHalfBytes(t *testing.T) {
	t.Parallel()
	if b := halfBytes([]float32{1, -2}); binary.LittleEndian.Uint16(b[2:]) != 0xc000 || len(b) != 4 {
		t.Errorf("%x", b)
	}
}
