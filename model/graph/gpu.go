package graph

import (
	"encoding/binary"
	"math"

	"github.com/captiond/captiond/model/float16"
	"github.com/captiond/captiond/model/onnx"
)

// What is computed in binary16 runs on GPUs, where ONNX Runtime has kernels of other costs:
//
//   - Conv keeps what it found out for one shape and one run at a time; products do not.
//   - Concat and Split of unequal parts copy four tables from the host. Slice copies none, nor
//     does Split of equal parts, so that keys and values are extended by one Concat.
//   - Attention keeps no scores in memory, so nothing is to be done in parts.
//
// Graphs of other precisions take the other way wherever this is asked.
func (b *builder) gpu() bool { return b.kind == onnx.Float16 }

// cpu tells whether a graph may have operators that model/ort has for CPUs alone.
func (b *builder) cpu() bool { return !b.gpu() && !b.target.GPU }

// halfBytes are floats as little-endian binary16.
func halfBytes(values []float32) []byte {
	b := make([]byte, 0, 2*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint16(b, float16.Of(v))
	}
	return b
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
