// Package graph writes GIT (GenerativeImage2Text, arXiv:2205.14100) as three ONNX
// graphs, from the names and shapes that Hugging Face's checkpoints have
// (transformers 4.56, modeling_git.py):
//
//	encoder  pixels -> features of one frame, before the temporal embedding
//	prefix   features of a window -> keys and values of the image tokens
//	step     token ids and keys and values so far -> logits and more keys and values
//
// The cut lies where results can be reused: a frame's features do not depend on its
// place in a window, and image tokens never see text, so their keys and values serve
// every token, beam and question.
//
// The package knows sizes and where weights lie; it reads no files and runs nothing.
package graph

import (
	"errors"
	"fmt"

	"github.com/captiond/captiond/model/onnx"
)

// opset has the standard Attention operator, which ONNX Runtime runs faster than
// its own MultiHeadAttention at one frame's 197 tokens and as fast at six frames'.
const opset = 23

// Tower is the size of a stack of transformer layers.
type Tower struct {
	Hidden, MLP, Layers, Heads int64
	Activation                 string // as transformers spells it: gelu, quick_gelu, ...
	Epsilon                    float32
}

func (t Tower) head() int64 { return t.Hidden / t.Heads }

// Sizes of a checkpoint.
type Sizes struct {
	Vision, Text    Tower
	Channels, Patch int64
	Vocabulary      int64
	TextPositions   int64
}

// Tensor is one parameter: its bytes are Data, or lie At a place in a file.
type Tensor struct {
	Type onnx.Type
	Dims []int64
	Data []byte
	At   onnx.Location
}

// Weights finds a parameter by its name in transformers 4.56. It has every parameter
// that Sizes call for; the head is the word embedding where they are tied. Floats reads
// a parameter, widened to float32.
type Weights interface {
	Tensor(name string) Tensor
	Floats(name string) ([]float32, error)
}

// Names of parameters that are not part of a graph, but of what graphs are fed with.
const (
	// Positions is the encoder's table of position embeddings, [1+g*g, V] for a grid
	// of g x g patches.
	Positions = vision + "embeddings.position_embedding.weight"
	// Temporal, with a frame's number behind it, is that frame's embedding, [1, 1, V].
	Temporal = "git.img_temperal_embedding."
)

// builder adds parts of the model to a graph. The first things that are wrong with
// the weights are kept and reported together by bytes.
type builder struct {
	*onnx.Graph
	weights  Weights
	product  func(x, name string, in, out int64) product
	target   Target
	kind     onnx.Type           // of what is computed with: Float32 or Float16
	rows     map[string][]string // values that were quantised
	problems []error
}

func newBuilder(name string, w Weights, to Target) *builder {
	b := &builder{Graph: onnx.New(name, opset), weights: w, target: to, kind: onnx.Float32, rows: map[string][]string{}}
	b.product = b.floatProduct
	if to.Precision == Float16 {
		b.kind = onnx.Float16
	}
	return b
}

func (b *builder) bytes() ([]byte, error) {
	if err := errors.Join(b.problems...); err != nil {
		return nil, fmt.Errorf("build graph: %w", err)
	}
	return b.Bytes(), nil
}

// weight declares a parameter and returns its name. dims may cut the tensor's
// dimensions otherwise, as long as the number of elements is the same. What is of another
// precision than what is computed with is converted when the graph is built or loaded.
func (b *builder) weight(name string, dims ...int64) string {
	t := b.weights.Tensor(name)
	if elements(t.Dims) != elements(dims) {
		b.problems = append(b.problems, fmt.Errorf("tensor %s has shape %v, want %v", name, t.Dims, dims))
		return name
	}
	if !b.Has(name) && b.kind == onnx.Float16 && t.Type != onnx.Float16 {
		b.Raw(name, onnx.Float16, dims, halfBytes(b.floats(name, elements(dims))))
		return name
	}
	if !b.Has(name) {
		b.declare(name, t, dims)
	}
	if t.Type == onnx.Float32 || b.kind == onnx.Float16 {
		return name
	}
	return b.cast(name, onnx.Float32)
}

func (b *builder) cast(x string, to onnx.Type) string {
	return b.Op("Cast", []string{x}, onnx.Int("to", int64(to)))
}

// enter turns an input, which has 32 bits, into what is computed with, and leave turns a
// result into what an output has.
func (b *builder) enter(x string) string { return b.convert(x, b.kind) }
func (b *builder) leave(x string) string { return b.convert(x, onnx.Float32) }

func (b *builder) convert(x string, to onnx.Type) string {
	if b.kind == onnx.Float32 {
		return x
	}
	return b.cast(x, to)
}

func (b *builder) declare(name string, t Tensor, dims []int64) {
	if t.Data != nil {
		b.Raw(name, t.Type, dims, t.Data)
		return
	}
	b.External(name, t.Type, dims, t.At)
}

func elements(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}

// floats reads a parameter of n elements.
func (b *builder) floats(name string, n int64) []float32 {
	data, err := b.weights.Floats(name)
	if err == nil && int64(len(data)) != n {
		err = fmt.Errorf("tensor %s has %d elements, want %d", name, len(data), n)
	}
	if err != nil {
		b.problems = append(b.problems, err)
		return make([]float32, n)
	}
	return data
}

// floatProduct is x W^T: the weight is [out, in] as PyTorch stores it.
func (b *builder) floatProduct(x, name string, in, out int64) product {
	return product{"Gemm", []string{x, b.weight(name+".weight", out, in)}, []onnx.Attribute{onnx.Int("transB", 1)}}
}

// packedProduct is by model/ort's operator, which lays weights out anew. That copies them, and is
// for many rows: few are multiplied as fast as weights are read.
func (b *builder) packedProduct(x, name string, in, out int64) product {
	weight := name + ".weight"
	t := b.weights.Tensor(weight)
	if !b.cpu() || !vectors() || b.target.Mapped || t.Type != onnx.Float32 {
		return b.floatProduct(x, name, in, out)
	}
	attributes := []onnx.Attribute{flag("mapped", t.Data == nil)}
	return product{"captiond.Linear", []string{x, b.weight(weight, out, in)}, attributes}
}

// bytesOf are floats as little-endian numbers of what is computed with.
func (b *builder) bytesOf(values []float32) []byte {
	if b.kind == onnx.Float16 {
		return halfBytes(values)
	}
	return floatBytes(values)
}

func (b *builder) layerNorm(x, name string, size int64, epsilon float32) string {
	in := []string{x, b.weight(name+".weight", size), b.weight(name+".bias", size)}
	if !b.cpu() {
		return b.Op("LayerNormalization", in, onnx.Int("axis", -1), onnx.Float("epsilon", epsilon))
	}
	return b.Op("captiond.LayerNorm", in, onnx.Float("epsilon", epsilon))
}

// addNorm adds two values of rows, with the bias that the first owes, and normalises: it
// returns the normalised value and the sum.
func (b *builder) addNorm(x owed, y, name string, t Tower) (norm, sum string) {
	weight, shift, bias := b.weight(name+".weight", t.Hidden), b.weight(name+".bias", t.Hidden), b.weight(x.bias, t.Hidden)
	epsilon := onnx.Float("epsilon", t.Epsilon)
	if !b.cpu() {
		out := b.Ops("com.microsoft.SkipLayerNormalization", 4, []string{x.rows, y, weight, shift, bias}, epsilon)
		return out[0], out[3]
	}
	out := b.Ops("captiond.AddNorm", 2, []string{x.rows, y, bias, weight, shift}, epsilon)
	return out[0], out[1]
}

// mlp is the two linear layers with the activation between.
func (b *builder) mlp(x, first, second string, t Tower) owed {
	return b.owing(b.widen(x, first, t), second, t.MLP, t.Hidden)
}

// quickGelu is alpha of x * sigmoid(alpha * x).
const quickGelu = 1.702

func (b *builder) activation(x, name string) string {
	switch name {
	case "quick_gelu":
		return b.Op("com.microsoft.QuickGelu", []string{x}, onnx.Float("alpha", quickGelu))
	case "silu":
		return b.Op("com.microsoft.QuickGelu", []string{x}, onnx.Float("alpha", 1))
	case "gelu":
		return b.Op("Gelu", []string{x}) // exact: with erf
	case "gelu_new", "gelu_pytorch_tanh":
		return b.Op("Gelu", []string{x}, onnx.String("approximate", "tanh"))
	case "relu":
		return b.Op("Relu", []string{x})
	}
	b.problems = append(b.problems, fmt.Errorf("activation %q is not known", name))
	return x
}

func (b *builder) reshape(x string, dims ...int64) string {
	return b.Op("Reshape", []string{x, b.Ints(dims...)})
}

func (b *builder) transpose(x string, order ...int64) string {
	return b.Op("Transpose", []string{x}, onnx.Ints("perm", order...))
}

// dim is the size of one dimension of x, as a vector of one.
func (b *builder) dim(x string, axis int64) string {
	return b.Op("Shape", []string{x}, onnx.Int("start", axis), onnx.Int("end", axis+1))
}

func (b *builder) concat(axis int64, parts ...string) string {
	return b.Op("Concat", parts, onnx.Int("axis", axis))
}

// Activation is an activation alone, to test that every one that a checkpoint may name
// is computed as transformers does.
//
//	in, out  [n] float32
func Activation(name string) ([]byte, error) {
	b := newBuilder("activation", nil, Target{})
	x := b.Input("x", onnx.Float32, -1)
	b.Output(b.activation(x, name), onnx.Float32, -1)
	return b.bytes()
}
