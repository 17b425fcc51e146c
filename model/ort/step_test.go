package ort

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/onnx"
)

// text is what a step is about: W windows of R rows, L new tokens, T with those before, S of the
// image, h heads of d numbers, and how many rows the past has.
type text struct{ W, R, L, T, S, h, d, past int }

func (x text) rows() int { return x.W * x.R }

// graph is that of the operator alone.
func (x text) graph() []byte {
	g := onnx.New("operator", 17)
	in := make([]string, 0, 9)
	for _, name := range []string{"q", "k", "v", "mask", "parents", "image_k", "image_v", "past_k", "past_v"} {
		if name == "parents" {
			in = append(in, g.Input(name, onnx.Int64, -1))
			continue
		}
		in = append(in, g.Input(name, onnx.Float32, -1, -1, -1, -1))
	}
	out := g.Ops("captiond.StepAttention", 3, in)
	g.Output(out[0], onnx.Float32, -1, -1)
	g.Output(out[1], onnx.Float32, -1, -1, -1, -1)
	g.Output(out[2], onnx.Float32, -1, -1, -1, -1)
	return g.Bytes()
}

// step holds what the operator is given.
type step struct {
	text
	q, k, v, mask, imageK, imageV, pastK, pastV []float32
	parents                                     []int64
}

func newStep(x text) step {
	tokens, image, past := x.rows()*x.L*x.h*x.d, x.W*x.h*x.S*x.d, x.past*x.h*(x.T-x.L)*x.d
	s := step{
		text: x, q: normal(1, tokens), k: normal(2, tokens), v: normal(3, tokens), mask: make([]float32, x.rows()*x.L*x.T),
		imageK: normal(4, image), imageV: normal(5, image), pastK: normal(6, past), pastV: normal(7, past), parents: make([]int64, x.rows()),
	}
	for i := range s.mask {
		if i%3 == 1 && i%x.T != x.T-1 {
			s.mask[i] = float32(math.Inf(-1))
		}
	}
	for i := range s.parents {
		s.parents[i] = int64((i*7 + 3) % x.past)
	}
	return s
}

func (s step) inputs(t *testing.T, r *Runtime) []model.Value {
	n := func(v ...int) (dims []int64) {
		for _, d := range v {
			dims = append(dims, int64(d))
		}
		return dims
	}
	now, past := n(s.rows(), s.L, s.h, s.d), n(s.past, s.h, s.T-s.L, s.d)
	return []model.Value{
		wrap(t, r, s.q, now...), wrap(t, r, s.k, now...), wrap(t, r, s.v, now...), wrap(t, r, s.mask, n(s.rows(), 1, s.L, s.T)...),
		wrap(t, r, s.parents, n(s.rows())...), wrap(t, r, s.imageK, n(s.W, s.h, s.d, s.S)...), wrap(t, r, s.imageV, n(s.W, s.h, s.S, s.d)...),
		wrap(t, r, s.pastK, past...), wrap(t, r, s.pastV, past...),
	}
}

// texts are keys or values of all text [rows, h, T, d]: those of the parents with the new ones.
func (s step) texts(past, now []float32) (all []float32) {
	for row, parent := range s.parents {
		for head := range s.h {
			size := (s.T - s.L) * s.d
			all = append(all, past[(int(parent)*s.h+head)*size:][:size]...)
			for l := range s.L {
				all = append(all, now[((row*s.L+l)*s.h+head)*s.d:][:s.d]...)
			}
		}
	}
	return all
}

// attended is what token l of a row sees with a head, in double precision.
func (s step) attended(row, l, head int, keys, values []float32) []float64 {
	sum, total := make([]float64, s.d), 0.0
	see := func(key, value func(i int) float32, mask float64) {
		score := 0.0
		for i := range s.d {
			score += float64(s.q[((row*s.L+l)*s.h+head)*s.d+i]) * float64(key(i))
		}
		weight := math.Exp(score/math.Sqrt(float64(s.d)) + mask)
		total += weight
		for i := range sum {
			sum[i] += weight * float64(value(i))
		}
	}
	at := row/s.R*s.h + head
	for j := range s.S {
		see(func(i int) float32 { return s.imageK[(at*s.d+i)*s.S+j] }, func(i int) float32 { return s.imageV[(at*s.S+j)*s.d+i] }, 0)
	}
	for j := range s.T {
		from := ((row*s.h+head)*s.T + j) * s.d
		see(func(i int) float32 { return keys[from+i] }, func(i int) float32 { return values[from+i] }, float64(s.mask[(row*s.L+l)*s.T+j]))
	}
	for i := range sum {
		sum[i] /= total
	}
	return sum
}

// TestStepAttention holds the operator to its formula, for one row and several, of one window
// and several, at the start of a text and later, longer than a block, and for sizes that fill no
// vector.
func TestStepAttention(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	for name, x := range map[string]text{
		"a token": {1, 1, 1, 5, 197, 3, 64, 1}, "a prompt": {2, 1, 9, 9, 40, 2, 16, 1}, "beams": {2, 4, 1, 7, 300, 2, 64, 3},
		"odd": {1, 3, 2, 4, 67, 2, 21, 5}, "places": {1, 1, 70, 81, 50, 2, 64, 1}, "a long text": {1, 2, 1, 300, 3, 1, 80, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !arithmetics()[0].here {
				refuses(t, r, x.graph(), "this CPU has no AVX-512")
				return
			}
			s := newStep(x)
			out := run(t, newSession(t, r, x.graph()), s.inputs(t, r)...)
			keys, values := s.texts(s.pastK, s.k), s.texts(s.pastV, s.v)
			if !slices.Equal(out[1].Float32(), keys) || !slices.Equal(out[2].Float32(), values) {
				t.Error("keys or values of text are not the parents' with the new ones")
			}
			got := out[0].Float32()
			for row := range x.rows() {
				for l := range x.L {
					for head := range x.h {
						for i, want := range s.attended(row, l, head, keys, values) {
							if v := got[((row*x.L+l)*x.h+head)*x.d+i]; !(math.Abs(float64(v)-want) < 2e-6) {
								t.Fatalf("row %d, token %d, head %d: number %d is %v, want %v", row, l, head, i, v, want)
							}
						}
					}
				}
			}
		})
	}
}

func TestStepAttentionRefuses(t *testing.T) {
	t.Parallel()
	if !arithmetics()[0].here {
		return
	}
	r := open(t, Options{Device: "cpu"})
	x := text{1, 2, 1, 3, 5, 2, 8, 2}
	session := newSession(t, r, x.graph())
	for name, c := range map[string]struct {
		why    string
		change func(s *step, in []model.Value)
	}{
		"parent":  {"a parent is not there", func(_ *step, in []model.Value) { in[4] = wrap(t, r, []int64{0, 2}, 2) }},
		"rows":    {"not shaped alike", func(s *step, in []model.Value) { in[3] = wrap(t, r, s.mask[:3], 1, 1, 1, 3) }},
		"heads":   {"not shaped alike", func(s *step, in []model.Value) { in[5] = wrap(t, r, s.imageK, 1, 1, 16, 5) }},
		"columns": {"not shaped alike", func(s *step, in []model.Value) { in[7] = wrap(t, r, s.pastK[:32], 2, 2, 1, 8) }},
	} {
		s := newStep(x)
		in := s.inputs(t, r)
		c.change(&s, in)
		if _, err := session.Run(t.Context(), in...); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: error %v, want %q", name, err, c.why)
		}
	}
}
