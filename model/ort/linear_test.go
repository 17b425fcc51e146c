package ort

import (
	"math"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/cpu"

	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/onnx"
)

// instructions are those that products of 8 bits are made of.
type instructions struct {
	name string
	amx  int64
	here bool
	why  string // it is refused where it is not
}

func instructionSets() []instructions {
	vnni, amx := cpu.X86.HasAVX512VNNI, "no AMX"
	if !vnni {
		amx = "this CPU has no AVX-512"
	}
	return []instructions{{"vnni", 0, vnni, "this CPU has no AVX-512"}, {"amx", 1, graph.AMX(), amx}}
}

func (i instructions) attribute() onnx.Attribute { return onnx.Int("amx", i.amx) }

// layer is a linear layer of K inputs and N outputs, whose weights are integers of 8 bits.
type layer struct {
	K, N        int
	weights     []int8 // [N, K]
	scale, bias []float32
}

func newLayer(k, n int) layer {
	l := layer{K: k, N: n, weights: make([]int8, n*k), scale: make([]float32, n), bias: normal(9, n)}
	for i := range l.weights {
		l.weights[i] = int8((i*37+i/k*11)%255 - 127)
	}
	for i := range l.scale {
		l.scale[i] = float32(i%7+1) / 127 / float32(k)
	}
	return l
}

// graph is that of the operator alone, with or without the bias.
func (l layer) graph(op string, biased bool, attributes ...onnx.Attribute) []byte {
	g := onnx.New("operator", 17)
	panels, groups := (l.N+63)/64, (l.K+63)/64*16
	packed, offset, scale := make([]byte, panels*groups*256), make([]int32, panels*64), make([]float32, panels*64)
	for o := range l.N {
		for k := range l.K {
			w := l.weights[o*l.K+k]
			packed[((o/64*groups+k/4)*64+o%64)*4+k%4] = byte(w)
			offset[o] -= 128 * int32(w)
		}
		scale[o] = l.scale[o]
	}
	g.Raw("weights", onnx.Int8, []int64{int64(panels), int64(groups), 64, 4}, packed)
	g.Raw("offset", onnx.Int32, []int64{int64(len(offset))}, littleEndian(offset))
	g.Raw("scale", onnx.Float32, []int64{int64(len(scale))}, littleEndian(scale))
	in := []string{g.Input("x", onnx.Float32, -1, -1), "weights", "offset", "scale"}
	if biased {
		g.Raw("bias", onnx.Float32, []int64{int64(l.N)}, littleEndian(l.bias))
		in = append(in, "bias")
	}
	g.Output(g.Op("captiond."+op, in, append(attributes, onnx.Int("outputs", int64(l.N)))...), onnx.Float32, -1, -1)
	return g.Bytes()
}

// multiplied is a row in 8 bits with its own scale, by the weights, as float64.
func (l layer) multiplied(row []float32) []float64 {
	most := 0.0
	for _, v := range row {
		most = max(most, math.Abs(float64(v)))
	}
	out := make([]float64, l.N)
	for o := range out {
		sum := 0.0
		for k, v := range row {
			if most > 0 {
				sum += math.RoundToEven(float64(v*(127/float32(most)))) * float64(l.weights[o*l.K+k])
			}
		}
		out[o] = sum * most / 127 * float64(l.scale[o])
	}
	return out
}

// TestLinear8 holds the operators to exact sums of integers, for sizes that fill no group, panel,
// tile or part, rows of zeros, and with each activation.
func TestLinear8(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	for _, p := range instructionSets() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			if !p.here {
				refuses(t, r, newLayer(1, 1).graph("Linear8", true, p.attribute()), p.why)
				return
			}
			testLinear8(t, r, p)
		})
	}
}

func testLinear8(t *testing.T, r *Runtime, p instructions) {
	alpha := onnx.Float("alpha", 1.702)
	none := func(z float64) float64 { return z }
	for name, c := range map[string]struct {
		rows, K, N int
		op         string
		attributes []onnx.Attribute
		biased     bool
		formula    func(float64) float64
	}{
		"one":        {1, 1, 1, "Linear8", nil, true, none},
		"odd":        {7, 67, 101, "Linear8", nil, true, none},
		"no bias":    {13, 30, 70, "Linear8", nil, false, none},
		"high":       {555, 96, 128, "Linear8", nil, false, none},
		"gelu":       {25, 64, 128, "Linear8Gelu", nil, true, func(z float64) float64 { return z / 2 * math.Erfc(-z/math.Sqrt2) }},
		"quick gelu": {6, 100, 65, "Linear8QuickGelu", []onnx.Attribute{alpha}, true, quickGelu},
		"a frame":    {197, 768, 192, "Linear8", nil, true, none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLayer(c.K, c.N)
			x := normal(3, c.rows*c.K)
			clear(x[:c.K/2])
			clear(x[(c.rows-1)*c.K:])
			s := newSession(t, r, l.graph(c.op, c.biased, append(c.attributes, p.attribute())...))
			got := run(t, s, wrap(t, r, x, int64(c.rows), int64(c.K)))[0].Float32()
			for row := range c.rows {
				for o, z := range l.multiplied(x[row*c.K:][:c.K]) {
					if c.biased {
						z += float64(l.bias[o])
					}
					if want, v := c.formula(z), float64(got[row*c.N+o]); !(math.Abs(v-want) < 1e-6*max(1, math.Abs(z))) {
						t.Fatalf("row %d, output %d is %v, want %v", row, o, v, want)
					}
				}
			}
		})
	}
}

// TestLinear8OfNoNumber has a row with an infinite number, which is not finite in what comes out,
// as it would not be otherwise; the others are what they are without it.
func TestLinear8OfNoNumber(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	for _, p := range instructionSets() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			if p.here { // TestLinear8 has what is said where it is not
				testLinear8OfNoNumber(t, r, p)
			}
		})
	}
}

func testLinear8OfNoNumber(t *testing.T, r *Runtime, p instructions) {
	s := newSession(t, r, newLayer(20, 5).graph("Linear8", true, p.attribute()))
	x := normal(3, 3*20)
	good := slices.Clone(run(t, s, wrap(t, r, x, 3, 20))[0].Float32())
	x[25] = float32(math.Inf(-1))
	bad := run(t, s, wrap(t, r, x, 3, 20))[0].Float32()
	for i, v := range bad {
		if row := i / 5; row == 1 && !math.IsNaN(float64(v)) || row != 1 && v != good[i] {
			t.Errorf("row %d: %v, and %v without", row, v, good[i])
		}
	}
	if _, err := s.Run(t.Context(), wrap(t, r, normal(3, 2*90), 2, 90)); err == nil || !strings.Contains(err.Error(), "Linear8: inputs are not shaped") {
		t.Errorf("another number of inputs: error %v", err)
	}
}

// linear is a graph of a layer in float32 alone.
func linear(op string, weights, bias []float32, attributes ...onnx.Attribute) []byte {
	g := onnx.New("operator", 17)
	outputs := int64(len(bias))
	g.Raw("weights", onnx.Float32, []int64{outputs, int64(len(weights)) / outputs}, littleEndian(weights))
	g.Raw("bias", onnx.Float32, []int64{outputs}, littleEndian(bias))
	in := []string{g.Input("x", onnx.Float32, -1, -1), "weights", "bias"}
	g.Output(g.Op("captiond."+op, in, append(attributes, onnx.Int("mapped", 0))...), onnx.Float32, -1, -1)
	return g.Bytes()
}

// TestLinear holds the operators to their formulas in double precision, for sizes that fill no
// panel, tile or part, more inputs than are multiplied at a time, and with each activation.
func TestLinear(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	for name, c := range map[string]struct {
		rows, K, N int
		op         string
		attributes []onnx.Attribute
		formula    func(float64) float64
	}{
		"one":        {1, 1, 1, "Linear", nil, func(z float64) float64 { return z }},
		"odd":        {103, 67, 101, "Linear", nil, func(z float64) float64 { return z }},
		"deep":       {13, 1601, 64, "Linear", nil, func(z float64) float64 { return z }},
		"high":       {555, 96, 128, "Linear", nil, func(z float64) float64 { return z }},
		"gelu":       {5, 64, 128, "LinearGelu", nil, func(z float64) float64 { return z / 2 * math.Erfc(-z/math.Sqrt2) }},
		"quick gelu": {98, 800, 65, "LinearQuickGelu", []onnx.Attribute{onnx.Float("alpha", 1.702)}, quickGelu},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			weights, bias, x := normal(1, c.N*c.K), normal(2, c.N), normal(3, c.rows*c.K)
			g := linear(c.op, weights, bias, c.attributes...)
			if !arithmetics()[0].here {
				refuses(t, r, g, "this CPU has no AVX-512")
				return
			}
			got := run(t, newSession(t, r, g), wrap(t, r, x, int64(c.rows), int64(c.K)))[0].Float32()
			for i, v := range got {
				row, o := i/c.N, i%c.N
				z, size := float64(bias[o]), 1.0
				for k := range c.K {
					product := float64(x[row*c.K+k]) * float64(weights[o*c.K+k])
					z, size = z+product, size+math.Abs(product)
				}
				if want := c.formula(z); !(math.Abs(float64(v)-want) < 1e-6*size) {
					t.Fatalf("row %d, output %d is %v, want %v", row, o, v, want)
				}
			}
		})
	}
}

func TestLinearRefuses(t *testing.T) {
	t.Parallel()
	if !arithmetics()[0].here {
		return
	}
	r := open(t, Options{Device: "cpu"})
	g := onnx.New("operator", 17)
	in := []string{g.Input("x", onnx.Float32, -1, -1), g.Input("weights", onnx.Float32, -1, -1)}
	g.Output(g.Op("captiond.Linear", in, onnx.Int("mapped", 0)), onnx.Float32, -1, -1)
	refuses(t, r, g.Bytes(), "weights are no constant")
	s := newSession(t, r, linear("Linear", normal(1, 6), normal(2, 2)))
	if _, err := s.Run(t.Context(), wrap(t, r, normal(3, 8), 2, 4)); err == nil || !strings.Contains(err.Error(), "Linear: inputs are not shaped") {
		t.Errorf("another number of inputs: error %v", err)
	}
}
