package graph

import (
	"encoding/binary"
	"math"

	"github.com/captiond/captiond/model/float16"
	"github.com/captiond/captiond/model/onnx"
)

// What is computed in binary16 runs on GPUs, where ONNX Runtime has kernels of other costs:
//
//   - A product with a bias is two, the first of which writes the bias everywhere. The sum
//     that follows adds it for nothing, and two biases of attention are not needed at all.
//   - Conv keeps what it found out for one shape and one run at a time; products do not.
//   - Concat and Split of unequal parts copy four tables from the host. Slice copies none, nor
//     does Split of equal parts, so that keys and values are extended by one Concat.
//   - Attention keeps no scores in memory, so nothing is to be done in parts.
//
// Graphs of other precisions are for CPUs, and take the other way wherever this is asked.
func (b *builder) gpu() bool { return b.kind == onnx.Float16 }

// halfBytes are floats as little-endian binary16.
func halfBytes(values []float32) []byte {
	b := make([]byte, 0, 2*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint16(b, float16.Of(v))
	}
	return b
}

// owed is what a linear layer makes, and the name of the bias that is still to be added to
// it: "" for none.
type owed struct{ rows, bias string }

// product is a linear layer that may owe its bias.
func (b *builder) product(x, name string, in, out int64) owed {
	if !b.gpu() {
		return owed{rows: b.linear(x, name, in, out)}
	}
	w := b.weight(name+".weight", out, in)
	return owed{b.Op("Gemm", []string{x, w}, onnx.Int("transB", 1)), name + ".bias"}
}

// seen is the linear layer of keys or of values, and stays without the bias that it may owe:
// that of keys adds the same to all scores of a query, which softmax does not see, and that
// of values is output's matter.
func (b *builder) seen(x, name string, t Tower) string {
	return b.product(x, name, t.Hidden, t.Hidden).rows
}

// output is the linear layer after attention. The weights of attention sum to 1, so that all
// rows lack the same where values lack their bias: what the layer makes of it.
func (b *builder) output(x, name, values string, t Tower) owed {
	y := b.product(x, name, t.Hidden, t.Hidden)
	if y.bias != "" && !b.Has(y.bias) {
		b.Raw(y.bias, b.kind, []int64{t.Hidden}, halfBytes(b.biasOfBoth(name, values, t.Hidden)))
	}
	return y
}

func (b *builder) biasOfBoth(name, values string, n int64) []float32 {
	w, bias, v := b.floats(name+".weight", n*n), b.floats(name+".bias", n), b.floats(values+".bias", n)
	both := make([]float32, n)
	for o := range n {
		sum := float64(bias[o])
		for i, weight := range w[o*n:][:n] {
			sum += float64(weight) * float64(v[i])
		}
		both[o] = float32(sum)
	}
	return both
}

// widen is the first layer of an MLP with the activation, which adds the bias where there is
// an operator for that.
func (b *builder) widen(x, name string, t Tower) string {
	biased := func(op string, attributes ...onnx.Attribute) string {
		y := b.product(x, name, t.Hidden, t.MLP)
		return b.Op(op, []string{y.rows, b.weight(y.bias, t.MLP)}, attributes...)
	}
	switch {
	case b.gpu() && t.Activation == "gelu":
		return biased("com.microsoft.BiasGelu")
	case b.gpu() && t.Activation == "quick_gelu" && t.MLP%8 == 0:
		return biased("captiond.BiasQuickGelu", onnx.Float("alpha", 1.702)) // of model/ort
	}
	return b.activation(b.linear(x, name, t.Hidden, t.MLP), t.Activation)
}

// query is the linear layer of queries. On GPUs the product scales it on the way, and the
// bias with it; else scaled does.
func (b *builder) query(x, name string, t Tower) string {
	if !b.gpu() {
		return b.linear(x, name, t.Hidden, t.Hidden)
	}
	in := []string{x, b.weight(name+".weight", t.Hidden, t.Hidden), b.weight(name+".bias", t.Hidden)}
	scale := rsqrt(t.head())
	return b.Op("Gemm", in, onnx.Int("transB", 1), onnx.Float("alpha", scale), onnx.Float("beta", scale))
}

func (b *builder) scaled(q string, t Tower) string {
	if b.gpu() {
		return q
	}
	return b.Op("Mul", []string{q, b.Float(rsqrt(t.head()))})
}

func rsqrt(n int64) float32 { return float32(1 / math.Sqrt(float64(n))) }

// parted cuts weights of attention [W, h, R*L, S+T] into those of image and of text.
func (b *builder) parted(p string, in stepInputs) (image, text string) {
	if b.gpu() {
		axis, tokens := b.Ints(3), b.dim(in.imageK[0], 3)
		image = b.Op("Slice", []string{p, b.Ints(0), tokens, axis})
		return image, b.Op("Slice", []string{p, tokens, b.Ints(math.MaxInt64), axis})
	}
	parts := b.Ops("Split", 2, []string{p, in.shapes.split}, onnx.Int("axis", 3))
	return parts[0], parts[1]
}

// imageValues lays values of image tokens [W, S, h, d] out for the step: [W, h, S, d], or on
// GPUs [W, h, d, S], which a few rows of weights multiply in half the time.
func (b *builder) imageValues(v string) string {
	if b.gpu() {
		return b.transpose(v, 0, 2, 3, 1)
	}
	return b.transpose(v, 0, 2, 1, 3)
}

func (b *builder) imageValuesDims(t Tower) []int64 {
	if b.gpu() {
		return []int64{-1, t.Heads, t.head(), -1}
	}
	return []int64{-1, t.Heads, -1, t.head()}
}

// weighImage sums values of image tokens up by their weights [W, h, R*L, S]: [W, h, R*L, d].
func (b *builder) weighImage(weights, values string) string {
	if b.gpu() {
		return b.Op("com.microsoft.FusedMatMul", []string{weights, values}, onnx.Int("transB", 1))
	}
	return b.Op("MatMul", []string{weights, values})
}

// halves cuts text keys and values that lie one behind the other, [B, h, 2*(T+L), d].
func (b *builder) halves(both string) (keys, values string) {
	parts := b.Ops("Split", 2, []string{both}, onnx.Int("axis", 2), onnx.Int("num_outputs", 2))
	return parts[0], parts[1]
}

// patchRows is the product of the patches of pictures [n, C, H, W], one a row, with their
// weights: [n, N-1, V]. Rows and columns of pixels beyond the last whole patch are left out.
func (b *builder) patchRows(pixels, weight string, s Sizes) string {
	p := b.Ints(s.Patch)
	rows := b.Op("Div", []string{b.dim(pixels, 2), p})
	columns := b.Op("Div", []string{b.dim(pixels, 3), p})
	ends := b.Op("Mul", []string{b.concat(0, rows, columns), p})
	x := b.Op("Slice", []string{pixels, b.Ints(0, 0), ends, b.Ints(2, 3)})
	x = b.Op("Reshape", []string{x, b.concat(0, b.Ints(0, s.Channels), rows, p, columns, p)})
	x = b.reshape(b.transpose(x, 0, 2, 4, 1, 3, 5), -1, s.Channels*s.Patch*s.Patch)
	x = b.Op("Gemm", []string{x, b.weight(weight, s.Vision.Hidden, s.Channels*s.Patch*s.Patch)}, onnx.Int("transB", 1))
	return b.Op("Reshape", []string{x, b.concat(0, b.dim(pixels, 0), b.Ints(-1, s.Vision.Hidden))})
}
