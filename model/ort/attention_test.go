package ort

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sys/cpu"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/onnx"
)

// attention is a graph of the operator alone.
func attention(attributes ...onnx.Attribute) []byte {
	g := onnx.New("operator", 17)
	in := []string{g.Input("q", onnx.Float32, -1, -1, -1), g.Input("k", onnx.Float32, -1, -1, -1), g.Input("v", onnx.Float32, -1, -1, -1)}
	g.Output(g.Op("captiond.Attention", in, attributes...), onnx.Float32, -1, -1, -1)
	return g.Bytes()
}

// attended is what a query of a head sees, in double precision. Rows are width apart.
func attended(q, k, v []float32, d, width int) []float64 {
	sum, total := make([]float64, d), 0.0
	for at := 0; at < len(k); at += width {
		score := 0.0
		for i := range d {
			score += float64(q[i]) * float64(k[at+i])
		}
		weight := math.Exp(score / math.Sqrt(float64(d)))
		total += weight
		for i := range d {
			sum[i] += weight * float64(v[at+i])
		}
	}
	for i := range sum {
		sum[i] /= total
	}
	return sum
}

// TestAttention holds the operator to its formula, with queries that look at few tokens and
// such that look at all, for sizes that fill no vector, tile, stretch or block.
func TestAttention(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	for _, a := range arithmetics() {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			if !a.here {
				refuses(t, r, attention(onnx.Int("heads", 1), onnx.Int("integers", a.integers)), "this CPU has no AVX-512")
				return
			}
			a.test(t, r)
		})
	}
}

// arithmetic is that of the operator, how far it may be off, of values with a deviation of 1, and
// whether this CPU has it.
type arithmetic struct {
	name       string
	integers   int64
	rms, worst float64
	here       bool
}

func arithmetics() []arithmetic {
	x := cpu.X86
	vectors := x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL
	return []arithmetic{
		{"float32", 0, 6e-7, 1e-5, vectors},
		// Values have 511 levels and reach four deviations, so that a token alone is off by a
		// 250th deviation at most.
		{"integers", 1, 0.003, 0.02, vectors && x.HasAVX512VNNI},
	}
}

func (a arithmetic) test(t *testing.T, r *Runtime) {
	for name, c := range map[string]struct{ n, tokens, heads, d int }{
		"one": {1, 1, 1, 1}, "small": {2, 3, 2, 5}, "a frame": {2, 197, 3, 64}, "narrow": {1, 300, 3, 16},
		"odd": {1, 131, 2, 37}, "six frames": {1, 1182, 2, 64}, "the longest head": {1, 261, 1, 256}, "80": {3, 50, 2, 80},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, r, attention(onnx.Int("heads", int64(c.heads)), onnx.Int("integers", a.integers)))
			width, size := c.heads*c.d, c.tokens*c.heads*c.d
			q, k, v := normal(1, c.n*size), normal(2, c.n*size), normal(3, c.n*size)
			for i := range q {
				q[i] *= float32(i / width % 5) // a query of zeros looks at all alike
			}
			shape := []int64{int64(c.n), int64(c.tokens), int64(width)}
			out, err := s.Run(t.Context(), wrap(t, r, q, shape...), wrap(t, r, k, shape...), wrap(t, r, v, shape...))
			if err != nil {
				t.Fatal(err)
			}
			defer out[0].Close()
			square, worst := 0.0, 0.0
			for at := 0; at < c.n*size; at += c.d {
				from := at/size*size + at%width
				end := at/size*size + size
				for i, want := range attended(q[at:], k[from:end], v[from:end], c.d, width) {
					off := math.Abs(float64(out[0].Float32()[at+i]) - want)
					square, worst = square+off*off, max(worst, off)
				}
			}
			if rms := math.Sqrt(square / float64(c.n*size)); !(rms < a.rms) || !(worst < a.worst) {
				t.Errorf("off by %.3g, at worst by %.3g, of values with deviation 1", rms, worst)
			}
		})
	}
}

func TestAttentionRefuses(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	if !arithmetics()[0].here {
		return
	}
	refuses(t, r, attention(onnx.Int("integers", 0)), "heads")
	s := newSession(t, r, attention(onnx.Int("heads", 2), onnx.Int("integers", 0)))
	for name, shapes := range map[string][2][]int64{
		"odd width": {{1, 1, 3}, {1, 1, 3}}, "other tokens": {{1, 2, 4}, {1, 3, 4}}, "a long head": {{1, 1, 514}, {1, 1, 514}},
	} {
		var in []model.Value
		for _, shape := range [][]int64{shapes[0], shapes[1], shapes[1]} {
			in = append(in, wrap(t, r, make([]float32, shape[0]*shape[1]*shape[2]), shape...))
		}
		if _, err := s.Run(t.Context(), in...); err == nil || !strings.Contains(err.Error(), "d of at most 256") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func refuses(t *testing.T, r *Runtime, graph []byte, why string) {
	t.Helper()
	if _, err := r.NewSession(model.Graph{ONNX: graph}); err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("error %v, want %q", err, why)
	}
}

func normal(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 0))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func littleEndian[T int32 | float32](values []T) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, values)
	if err != nil {
		panic(err)
	}
	return b
}
