package ort

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/float16"
	"github.com/captiond/captiond/model/onnx"
)

// biased is a graph of one operator alone.
func biased(op string, kind onnx.Type, attributes ...onnx.Attribute) []byte {
	g := onnx.New("operator", 17)
	in := []string{g.Input("x", kind, -1, -1), g.Input("bias", kind, -1)}
	g.Output(g.Op("captiond."+op, in, attributes...), kind, -1, -1)
	return g.Bytes()
}

func quickGelu(z float64) float64 { return z / (1 + math.Exp(-1.702*z)) }

// TestBiased holds operators to their formulas in double precision: rows that fill no vector,
// of numbers close together from where all is passed on to where nothing is, and beyond.
func TestBiased(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	for name, c := range map[string]struct {
		formula    func(float64) float64
		attributes []onnx.Attribute
	}{
		"BiasGelu":      {func(z float64) float64 { return z / 2 * math.Erfc(-z/math.Sqrt2) }, nil},
		"BiasQuickGelu": {quickGelu, []onnx.Attribute{onnx.Float("alpha", 1.702)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, r, biased(name, onnx.Float32, c.attributes...))
			const rows, columns = 1234, 77
			x, bias := make([]float32, rows*columns), normal(1, columns)
			for i := range x {
				x[i] = float32(i-rows*columns/2) / 5000
			}
			copy(x, []float32{-1e30, 1e30, -88, 88, float32(math.Inf(1)), 0})
			out, err := s.Run(t.Context(), wrap(t, r, x, rows, columns), wrap(t, r, bias, columns))
			if err != nil {
				t.Fatal(err)
			}
			defer out[0].Close()
			for i, got := range out[0].Float32() {
				z := float64(x[i] + bias[i%columns])
				if want := c.formula(z); !(math.Abs(float64(got)-want) <= 3e-7*max(1, math.Abs(z))) && float64(got) != want {
					t.Fatalf("%v gives %v, want %v", z, got, want)
				}
			}
		})
	}
}

// TestBiasQuickGeluOfHalves goes through all finite numbers that float16 has.
func TestBiasQuickGeluOfHalves(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	s := newSession(t, r, biased("BiasQuickGelu", onnx.Float16, onnx.Float("alpha", 1.702)))
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
		want := float64(float16.Float32(float16.Of(float32(quickGelu(z)))))
		if off := math.Abs(float64(float16.Float32(got)) - want); off > math.Abs(want)/1000+1e-7 {
			t.Fatalf("%v with the bias %v gives %v, want %v", float16.Float32(x[i]), biases[i%8], float16.Float32(got), want)
		}
	}
	if shape := out[0].Shape(); !slices.Equal(shape, []int64{rows, 8}) {
		t.Errorf("shape is %v", shape)
	}
}

// norm is a graph of one operator alone: some inputs of rows, and vectors.
func norm(op string, rows, vectors, outputs int, attributes ...onnx.Attribute) []byte {
	g := onnx.New("operator", 17)
	var in []string
	for i := range rows {
		in = append(in, g.Input(fmt.Sprint("rows", i), onnx.Float32, -1, -1))
	}
	for i := range vectors {
		in = append(in, g.Input(fmt.Sprint("vector", i), onnx.Float32, -1))
	}
	for _, out := range g.Ops("captiond."+op, outputs, in, attributes...) {
		g.Output(out, onnx.Float32, -1, -1)
	}
	return g.Bytes()
}

// normalised is a row with mean 0 and variance 1, in double precision.
func normalised(row []float32, epsilon float64) []float64 {
	var mean, variance float64
	for _, v := range row {
		mean += float64(v) / float64(len(row))
	}
	for _, v := range row {
		variance += (float64(v) - mean) * (float64(v) - mean) / float64(len(row))
	}
	out := make([]float64, len(row))
	for i, v := range row {
		out[i] = (float64(v) - mean) / math.Sqrt(variance+epsilon)
	}
	return out
}

// TestNorms holds operators to their formulas, for rows that fill no vector and are far from
// zero.
func TestNorms(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	const rows, columns, epsilon = 301, 77, 1e-3
	x, y := normal(1, rows*columns), normal(2, rows*columns)
	bias, weight, shift := normal(3, columns), normal(4, columns), normal(5, columns)
	sums := make([]float32, len(x))
	for i := range x {
		x[i] += float32(i / columns) // by row
		sums[i] = x[i] + y[i] + bias[i%columns]
	}
	vector := func(v []float32) model.Value { return wrap(t, r, v, columns) }
	matrix := func(v []float32) model.Value { return wrap(t, r, v, rows, columns) }
	check := func(name string, out []model.Value, of []float32) {
		for i, got := range out[0].Float32() {
			want := normalised(of[i/columns*columns:][:columns], epsilon)[i%columns]*float64(weight[i%columns]) + float64(shift[i%columns])
			if !(math.Abs(float64(got)-want) < 5e-4) { // numbers about 300 have steps of 3e-5
				t.Fatalf("%s: %d is %v, want %v", name, i, got, want)
			}
		}
	}
	plain := newSession(t, r, norm("LayerNorm", 1, 2, 1, onnx.Float("epsilon", epsilon)))
	check("LayerNorm", run(t, plain, matrix(x), vector(weight), vector(shift)), x)
	adds := newSession(t, r, norm("AddNorm", 2, 3, 2, onnx.Float("epsilon", epsilon)))
	out := run(t, adds, matrix(x), matrix(y), vector(bias), vector(weight), vector(shift))
	check("AddNorm", out, sums)
	if !slices.Equal(out[1].Float32(), sums) {
		t.Error("AddNorm: sums are not those of x, y and bias")
	}
	if _, err := adds.Run(t.Context(), matrix(x), matrix(y), vector(bias), vector(weight), wrap(t, r, make([]float32, 1), 1)); err == nil || !strings.Contains(err.Error(), "as long as rows") {
		t.Errorf("a short vector: error %v", err)
	}
}

// run runs a session whose outputs are closed when the test ends.
func run(t *testing.T, s model.Session, in ...model.Value) []model.Value {
	t.Helper()
	out, err := s.Run(t.Context(), in...)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range out {
		t.Cleanup(v.Close)
	}
	return out
}

func TestBiasedRefuse(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	s := newSession(t, r, biased("BiasGelu", onnx.Float32))
	if _, err := s.Run(t.Context(), wrap(t, r, make([]float32, 16), 1, 16), wrap(t, r, make([]float32, 8), 8)); err == nil || !strings.Contains(err.Error(), "a bias for each column") {
		t.Errorf("error %v", err)
	}
	refuses(t, r, biased("BiasQuickGelu", onnx.Float32), "alpha")
}
