//go:build cgo

package model_test

import (
	"math"
	"testing"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/graph"
)

// TestActivations holds every activation that a checkpoint may name against its formula
// in transformers' activations.py.
func TestActivations(t *testing.T) {
	t.Parallel()
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	tanh := func(x float64) float64 {
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}
	formulas := map[string]func(float64) float64{
		"gelu":              func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) },
		"quick_gelu":        func(x float64) float64 { return x * sigmoid(1.702*x) },
		"gelu_new":          tanh,
		"gelu_pytorch_tanh": tanh,
		"relu":              func(x float64) float64 { return max(x, 0) },
		"silu":              func(x float64) float64 { return x * sigmoid(x) },
	}
	var xs []float32
	for x := float32(-6); x <= 6; x += 0.125 {
		xs = append(xs, x)
	}
	for _, name := range checkpoint.Activations() {
		formula, ok := formulas[name]
		if !ok {
			t.Errorf("%s has no formula here", name)
			continue
		}
		b, err := graph.Activation(name)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]float32, len(xs))
		for i, x := range xs {
			want[i] = float32(formula(float64(x)))
		}
		near(t, name, runOne(t, b, xs), want, 2e-6)
	}
}

// runOne runs a graph with one vector as input and one as output.
func runOne(t *testing.T, b []byte, xs []float32) []float32 {
	t.Helper()
	s, err := runtime.NewSession(model.Graph{ONNX: b})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x, err := runtime.Wrap(xs, int64(len(xs)))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	out, err := s.Run(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	return append([]float32(nil), out[0].Float32()...)
}
