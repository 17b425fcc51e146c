package ort

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/float16"
	"github.com/captiond/captiond/model/onnx"
)

// biasQuickGelu is a graph of the operator alone.
func biasQuickGelu(attributes ...onnx.Attribute) []byte {
	g := onnx.New("operator", 17)
	in := []string{g.Input("x", onnx.Float16, -1, -1), g.Input("bias", onnx.Float16, -1)}
	g.Output(g.Op("captiond.BiasQuickGelu", in, attributes...), onnx.Float16, -1, -1)
	return g.Bytes()
}

// TestBiasQuickGelu holds the operator to its formula in double precision, over all finite
// numbers that float16 has.
func TestBiasQuickGelu(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	s := newSession(t, r, biasQuickGelu(onnx.Float("alpha", 1.702)))
	biases := []float32{0, 0, 0.5, -0.25, 3, -7, 1e-6, 100}
	var x, bias []uint16
	for h := range 1 << 16 {
		if h&0x7c00 != 0x7c00 {
			x = append(x, uint16(h))
		}
	}
	for _, b := range biases {
		bias = append(bias, float16.Of(b))
	}
	rows := int64(len(x) / len(bias))
	out, err := s.Run(t.Context(), wrap(t, r, x, rows, 8), wrap(t, r, bias, 8))
	if err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	for i, got := range out[0].Half() {
		z := float64(float16.Float32(x[i]) + float16.Float32(bias[i%8]))
		want := float64(float16.Float32(float16.Of(float32(z / (1 + math.Exp(-1.702*z))))))
		if off := math.Abs(float64(float16.Float32(got)) - want); off > math.Abs(want)/1000+1e-7 {
			t.Fatalf("%v with the bias %v gives %v, want %v", float16.Float32(x[i]), biases[i%8], float16.Float32(got), want)
		}
	}
	if shape := out[0].Shape(); !slices.Equal(shape, []int64{rows, 8}) {
		t.Errorf("shape is %v", shape)
	}
}

func TestBiasQuickGeluRefuses(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	s := newSession(t, r, biasQuickGelu(onnx.Float("alpha", 1)))
	for name, shape := range map[string][]int64{"other columns": {1, 16}, "odd columns": {2, 4}} {
		bias := min(shape[1], 8)
		if _, err := s.Run(t.Context(), wrap(t, r, make([]uint16, shape[0]*shape[1]), shape...), wrap(t, r, make([]uint16, bias), bias)); err == nil || !strings.Contains(err.Error(), "a multiple of eight") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := r.NewSession(model.Graph{ONNX: biasQuickGelu()}); err == nil || !strings.Contains(err.Error(), "alpha") {
		t.Errorf("without alpha: error %v", err)
	}
}
