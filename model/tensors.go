package model

import (
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"

	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/onnx"
	"github.com/captiond/captiond/model/weights"
)

// tensors are the parameters of a weights file, as the graphs refer to them: relative to
// the file's folder.
type tensors struct {
	*weights.File
	alias map[string]string // names that stand for other names
}

var _ graph.Weights = tensors{}

// Tensor finds a parameter of floating-point type.
func (t tensors) Tensor(name string) (graph.Tensor, bool) {
	if other, ok := t.alias[name]; ok {
		name = other
	}
	w, ok := t.Tensors[name]
	if !ok {
		return graph.Tensor{}, false
	}
	kind, ok := elementType(w.DType)
	if !ok {
		return graph.Tensor{}, false
	}
	at := onnx.Location{File: filepath.Base(t.Path), Offset: w.Offset, Length: w.Length}
	return graph.Tensor{Type: kind, Dims: w.Shape, Data: w.Data, At: at}, true
}

func elementType(d weights.DType) (onnx.Type, bool) {
	switch d {
	case weights.F32:
		return onnx.Float32, true
	case weights.F16:
		return onnx.Float16, true
	case weights.BF16:
		return onnx.BFloat16, true
	}
	return 0, false
}

// floats reads a parameter, widened to float32.
func (t tensors) floats(name string) ([]float32, error) {
	w, ok := t.Tensors[name]
	if !ok {
		return nil, fmt.Errorf("tensor %s is missing", name)
	}
	b, err := t.Bytes(w)
	if err != nil {
		return nil, err
	}
	switch w.DType {
	case weights.F32:
		return widen(b, 4, func(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }), nil
	case weights.F16:
		return widen(b, 2, func(b []byte) uint32 { return half(binary.LittleEndian.Uint16(b)) }), nil
	case weights.BF16:
		return widen(b, 2, func(b []byte) uint32 { return uint32(binary.LittleEndian.Uint16(b)) << 16 }), nil
	}
	return nil, fmt.Errorf("tensor %s has type %s", name, w.DType)
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
