package model

import (
	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/onnx"
)

// number is what pictures and features are made of: float32, or the bits of float16 in that
// precision.
type number interface{ float32 | uint16 }

// assembly says how an input is put together from parts of one size, side by side, in the
// precision of the model.
type assembly struct {
	parts  int
	shape  []int64
	floats func(part []float32, i int)
	halves func(part []uint16, i int)
}

// assemble makes an input for a run, which closes it.
func (m *Model) assemble(a assembly) (tensor, error) {
	kind := onnx.Float32
	if m.precision == graph.Float16 {
		kind = onnx.Float16
	}
	v, err := m.runtime.New(kind, a.shape...)
	if err != nil {
		return tensor{}, err
	}
	if kind == onnx.Float16 {
		eachPart(v.Half(), a.parts, a.halves)
	} else {
		eachPart(v.Float32(), a.parts, a.floats)
	}
	return tensor{made: v}, nil
}

// eachPart calls do for each of n equal parts of data, side by side.
func eachPart[T number](data []T, n int, do func(part []T, i int)) {
	each := len(data) / n
	sideBySide(n, each, func(i int) { do(data[i*each:(i+1)*each], i) })
}
