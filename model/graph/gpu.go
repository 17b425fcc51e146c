package graph

import (
	"encoding/binary"

	"github.com/captiond/captiond/model/float16"
	"github.com/captiond/captiond/model/onnx"
)

// What is computed in binary16 runs on GPUs, where ONNX Runtime has kernels of other costs:
//
//   - Conv keeps what it found out for one shape and one run at a time; products do not.
//   - A step's time is that of starting its kernels, so that there are few.
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
