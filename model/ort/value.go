package ort

import (
	"fmt"

	native "github.com/yalue/onnxruntime_go"

	"github.com/captiond/captiond/model"
)

// value is a tensor on the host. Its data is Go memory that the native object points
// at, so that it stays valid as long as the value is referenced.
type value struct {
	runtime *Runtime
	native  native.Value
	floats  []float32
}

// Floats wraps data, of which there is as much as the shape needs.
func (r *Runtime) Floats(data []float32, shape ...int64) (model.Value, error) {
	return wrapSlice(r, data, shape)
}

// Ints wraps data, of which there is as much as the shape needs.
func (r *Runtime) Ints(data []int64, shape ...int64) (model.Value, error) {
	return wrapSlice(r, data, shape)
}

func wrapSlice[T float32 | int64](r *Runtime, data []T, shape []int64) (model.Value, error) {
	if n := native.Shape(shape).FlattenedSize(); n != int64(len(data)) {
		return nil, fmt.Errorf("make tensor: shape %v has %d elements, %d are given", shape, n, len(data))
	}
	if r.closed.Load() {
		return nil, fmt.Errorf("make tensor: %w", errClosed)
	}
	t, err := native.NewTensor(shape, data)
	if err != nil {
		return nil, fmt.Errorf("make tensor: %w", err)
	}
	return r.wrap([]native.Value{t})[0], nil
}

// wrap counts the values that are there.
func (r *Runtime) wrap(natives []native.Value) []model.Value {
	var values []model.Value
	for _, n := range natives {
		if n == nil {
			continue
		}
		v := &value{runtime: r, native: n}
		if t, ok := n.(*native.Tensor[float32]); ok {
			v.floats = t.GetData()
		}
		r.live.Add(1)
		values = append(values, v)
	}
	return values
}

func (v *value) Shape() []int64 {
	if v.native == nil {
		return nil
	}
	return v.native.GetShape()
}

func (v *value) Float32() []float32 {
	if _, ok := v.native.(*native.Tensor[float32]); !ok {
		panic(fmt.Sprintf("ort: Float32 of a tensor that is closed or not float32 (%T)", v.native))
	}
	return v.floats
}

func (v *value) Close() {
	if v.native == nil {
		return
	}
	_ = v.native.Destroy() // it has no way to fail
	v.native, v.floats = nil, nil
	v.runtime.live.Add(-1)
}
