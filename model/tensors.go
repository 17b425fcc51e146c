package model

import (
	"encoding/binary"
	"math"
	"path/filepath"
	"unsafe"

	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/onnx"
	"github.com/captiond/captiond/model/weights"
)

// tensors are the parameters of a checkpoint as the graphs refer to them: by their place
// in the weights' file, or by their bytes.
type tensors struct{ *checkpoint.Checkpoint }

var _ graph.Weights = tensors{}

// Tensor finds a parameter, which the checkpoint is known to have.
func (t tensors) Tensor(name string) graph.Tensor {
	w := t.Checkpoint.Tensor(name)
	at := onnx.Location{File: filepath.Base(t.Weights.Path), Offset: w.Offset, Length: w.Length}
	return graph.Tensor{Type: elementType(w.DType), Dims: w.Shape, Data: w.Data, At: at}
}

// elementType is one of the three types that a checkpoint has.
func elementType(d weights.DType) onnx.Type {
	switch d {
	case weights.F16:
		return onnx.Float16
	case weights.BF16:
		return onnx.BFloat16
	}
	return onnx.Float32
}

// Floats reads a parameter, widened to float32. It must not be changed.
func (t tensors) Floats(name string) ([]float32, error) {
	w := t.Checkpoint.Tensor(name)
	b, err := t.Weights.Bytes(w)
	if err != nil {
		return nil, err
	}
	switch w.DType {
	case weights.F16:
		return widen(b, 2, func(b []byte) uint32 { return half(binary.LittleEndian.Uint16(b)) }), nil
	case weights.BF16:
		return widen(b, 2, func(b []byte) uint32 { return uint32(binary.LittleEndian.Uint16(b)) << 16 }), nil
	}
	if at := unsafe.Pointer(unsafe.SliceData(b)); uintptr(at)%4 == 0 {
		return unsafe.Slice((*float32)(at), len(b)/4), nil // safetensors' order is this machine's
	}
	return widen(b, 4, binary.LittleEndian.Uint32), nil
}

func widen(b []byte, size int, bits func([]byte) uint32) []float32 {
	out := make([]float32, len(b)/size)
	for i := range out {
		out[i] = math.Float32frombits(bits(b[i*size:]))
	}
	return out
}

// half widens the bits of an IEEE 754 binary16.
func half(h uint16) uint32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch {
	case exponent == 31: // infinite or not a number
		return sign | 255<<23 | fraction<<13
	case exponent == 0: // zero or subnormal: a multiple of 2^-24
		return sign | math.Float32bits(float32(fraction)/(1<<24))
	}
	return sign | (exponent+112)<<23 | fraction<<13
}
