//go:build cgo

package graph_test

import (
	"encoding/binary"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/float16"
	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/onnx"
	"github.com/captiond/captiond/model/ort"
	"github.com/captiond/captiond/model/ort/orttest"
)

// runtime is shared by all tests of the package; TestMain opens it.
var runtime *ort.Runtime

func TestMain(m *testing.M) {
	os.Exit(orttest.Run(m, func(r *ort.Runtime) { runtime = r }))
}

const (
	hidden, mlp, layers = 16, 40, 3
	patch, vocabulary   = 4, 11
)

func sizes(activation string, heads int64) graph.Sizes {
	t := graph.Tower{Hidden: hidden, MLP: mlp, Layers: layers, Heads: heads, Activation: activation, Epsilon: 1e-5}
	return graph.Sizes{Vision: t, Text: t, Channels: 3, Patch: patch, Vocabulary: vocabulary, TextPositions: 8}
}

// parameters are random, and biases half as great as what they are added to: one that is lost
// shows. Those whose names end in lost are zero.
type parameters struct {
	shapes map[string][]int64
	lost   string
}

func newParameters(lost string) parameters {
	t := checkpoint.Tower{Hidden: hidden, MLP: mlp, Layers: layers, Heads: 2}
	return parameters{checkpoint.Shapes(checkpoint.Config{
		Vision: t, Text: t, ImageSize: 2 * patch, PatchSize: patch, Channels: 3, VocabSize: vocabulary, TextPositions: 8,
	}), lost}
}

func (p parameters) Floats(name string) ([]float32, error) {
	dims := p.shapes[name]
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	values := noise(name, n)
	for i := range values {
		switch {
		case p.lost != "" && strings.HasSuffix(name, p.lost):
			values[i] = 0
		case len(dims) > 1:
			values[i] *= float32(math.Sqrt(float64(dims[0]) / float64(n))) // by the number of inputs
		case strings.HasSuffix(name, ".weight"): // of a layer norm
			values[i] = 1 + values[i]/10
		default:
			values[i] /= 2
		}
	}
	return values, nil
}

func (p parameters) Tensor(name string) graph.Tensor {
	values, _ := p.Floats(name)
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return graph.Tensor{Type: onnx.Float32, Dims: p.shapes[name], Data: data}
}

// noise is a function of the name.
func noise(name string, n int64) []float32 {
	h := fnv.New64()
	h.Write([]byte(name))
	r := rand.New(rand.NewPCG(h.Sum64(), 0))
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(r.NormFloat64())
	}
	return values
}

// Graphs for GPUs multiply patches rather than convolve, and add biases elsewhere, to the same
// effect. Biases of keys have none: that they may be left out is seen by the golden tests. Pictures have more rows than columns, and pixels beyond the
// last whole patch.
func TestHalfIsNearFloat32(t *testing.T) {
	t.Parallel()
	const most = 0.003 // of the length; the fraction of binary16 has ten bits
	for activation, heads := range map[string]int64{
		"gelu": 2, "quick_gelu": 2, "relu": hidden, // heads of one number have no operator of their own
	} {
		of := sizes(activation, heads)
		all := newParameters("")
		exact, half := results(t, of, graph.Target{}, all, all), results(t, of, graph.Target{Precision: graph.Float16}, all, all)
		for name, off := range distances(exact, results(t, of, graph.Target{GPU: true}, all, all)) {
			if off > 1e-6 {
				t.Errorf("%s: %s of a GPU's graph in float32 are off by %.2g of their length", activation, name, off)
			}
		}
		for name, off := range distances(exact, half) {
			if off == 0 || off > most {
				t.Errorf("%s: %s are off by %.5f of their length, want %v at most", activation, name, off, most)
			}
		}
		for _, bias := range []struct {
			of, shown    string
			prefix, step parameters
		}{
			{"values of the encoder", "features", newParameters("v_proj.bias"), all},
			{"values of images", "logits", newParameters("value.bias"), all},
			{"values of text", "logits", all, newParameters("value.bias")},
		} {
			got := results(t, of, graph.Target{}, bias.prefix, bias.step)
			if off := distances(exact, got)[bias.shown]; off < 3*most {
				t.Errorf("%s: the bias of %s changes %s by %.5f of their length: who loses it is not seen here", activation, bias.of, bias.shown, off)
			}
		}
	}
}

// results are features of two pictures, and logits on two windows of noise with two rows each:
// after a prompt of three tokens, and after one more that goes on from rows in another order.
func results(t *testing.T, s graph.Sizes, to graph.Target, prefix, step parameters) map[string][]float32 {
	t.Helper()
	p, heads := to.Precision, s.Text.Heads
	f := feed{t}
	encoder := f.session(graph.Encoder(s, prefix, to))
	features := f.run(encoder, f.pictures(p, 2, 3, 3*patch+1, 2*patch+3), f.noise(7, hidden))[0]

	image := f.run(f.session(graph.Prefix(s, prefix, to)), f.pictures(p, 2, 2, 7, hidden), f.noise(2, hidden))
	past := slices.Repeat([]model.Value{f.noise(4, heads, 0, hidden/heads)}, 2*layers)
	decoder := f.session(graph.Step(s, step, to))
	never := float32(math.Inf(-1))
	causal := slices.Repeat([]float32{0, never, never, 0, 0, never, 0, 0, 0}, 4)
	first := f.run(decoder, slices.Concat([]model.Value{
		f.ints([]int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 3}, 4, 3), f.ints([]int64{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2}, 4, 3),
		f.floats(causal, 4, 1, 3, 3), f.ints([]int64{0, 2, 4, 5, 6, 8, 10, 11}, 8), f.ints([]int64{0, 1, 2, 3}, 4),
	}, image, past)...)
	second := f.run(decoder, slices.Concat([]model.Value{
		f.ints([]int64{10, 9, 8, 7}, 4, 1), f.ints([]int64{3, 3, 3, 3}, 4, 1),
		f.floats(make([]float32, 16), 4, 1, 1, 4), f.ints([]int64{0, 1, 2, 3}, 4), f.ints([]int64{1, 0, 3, 3}, 4),
	}, image, first[1:])...)
	logits := slices.Concat(first[0].Float32(), second[0].Float32())
	return map[string][]float32{"features": numbers(features, p), "logits": logits}
}

// numbers are what a value holds that is in the precision of the model.
func numbers(v model.Value, p graph.Precision) []float32 {
	if p != graph.Float16 {
		return slices.Clone(v.Float32())
	}
	return float16.Floats(v.Half())
}

// distances are the lengths of the differences over the lengths.
func distances(a, b map[string][]float32) map[string]float64 {
	off := map[string]float64{}
	for name := range maps.Keys(a) {
		var difference, length float64
		for i, v := range a[name] {
			difference += math.Pow(float64(v-b[name][i]), 2)
			length += math.Pow(float64(v), 2)
		}
		off[name] = math.Sqrt(difference / length)
	}
	return off
}

// feed makes values and sessions that are freed when the test ends.
type feed struct{ *testing.T }

func (f feed) session(b []byte, err error) model.Session {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
	s, err := runtime.NewSession(model.Graph{ONNX: b})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	return s
}

func (f feed) run(s model.Session, in ...model.Value) []model.Value {
	f.Helper()
	out, err := s.Run(f.Context(), in...)
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range out {
		f.Cleanup(v.Close)
	}
	return out
}

func (f feed) noise(dims ...int64) model.Value {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return f.floats(noise("input", n), dims...)
}

// pictures are noise in the precision of the model, as pictures and features are.
func (f feed) pictures(p graph.Precision, dims ...int64) model.Value {
	v := f.noise(dims...)
	if p != graph.Float16 {
		return v
	}
	var halves []uint16
	for _, number := range v.Float32() {
		halves = append(halves, float16.Of(number))
	}
	return f.value(runtime.Wrap(halves, dims...))
}

func (f feed) floats(data []float32, dims ...int64) model.Value {
	return f.value(runtime.Wrap(data, dims...))
}

func (f feed) ints(data []int64, dims ...int64) model.Value {
	return f.value(runtime.Wrap(data, dims...))
}

func (f feed) value(v model.Value, err error) model.Value {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(v.Close)
	return v
}
