package ort

import (
	"fmt"
	"unsafe"

	native "github.com/yalue/onnxruntime_go"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/onnx"
)

// value is a tensor: an input, which lies in Go's memory, or an output, which lies where it
// was computed.
type value struct {
	tensor
	runtime *Runtime
	handle  handle       // nil when closed
	own     native.Value // of an input: holds the handle and the Go memory that it points at
	floats  []float32    // on the host, as soon as they are there
}

// Floats wraps data, of which there is as much as the shape needs.
func (r *Runtime) Floats(data []float32, shape ...int64) (model.Value, error) {
	v, err := wrapSlice(r, data, shape)
	if err != nil {
		return nil, err
	}
	v.kind, v.floats = onnx.Float32, data
	return v, nil
}

// Ints wraps data, of which there is as much as the shape needs.
func (r *Runtime) Ints(data []int64, shape ...int64) (model.Value, error) {
	v, err := wrapSlice(r, data, shape)
	if err != nil {
		return nil, err
	}
	v.kind = onnx.Int64
	return v, nil
}

func wrapSlice[T float32 | int64](r *Runtime, data []T, shape []int64) (*value, error) {
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
	r.live.Add(1)
	return &value{runtime: r, handle: of(t), own: t, tensor: tensor{shape: t.GetShape()}}, nil
}

// wrap makes values of a run's outputs, all of them or none.
func (r *Runtime) wrap(handles []handle) ([]model.Value, error) {
	values := make([]model.Value, len(handles))
	for i, h := range handles {
		t, err := r.memory.tensor(h)
		if err != nil {
			for _, h := range handles {
				r.memory.release(h)
			}
			return nil, err
		}
		values[i] = &value{runtime: r, handle: h, tensor: t}
	}
	r.live.Add(int64(len(values)))
	return values, nil
}

func (v *value) Shape() []int64 { return v.shape }

// Float32 of an output is the library's own memory on the CPU, and a copy of it, made
// once, where it lies on a GPU. It also panics when the GPU does not give the data out: it is
// of no use to the process any more.
func (v *value) Float32() []float32 {
	if v.handle == nil || v.kind != onnx.Float32 {
		panic(fmt.Sprintf("ort: Float32 of a tensor that is closed or not float32 (type %d)", v.kind))
	}
	if v.floats == nil {
		v.floats = v.runtime.floats(v.tensor)
	}
	return v.floats
}

// floats are the data of an output.
func (r *Runtime) floats(t tensor) []float32 {
	n := native.Shape(t.shape).FlattenedSize()
	if n == 0 {
		return []float32{}
	}
	if r.memory.download == nil {
		return unsafe.Slice((*float32)(t.data), n)
	}
	floats := make([]float32, n)
	if err := r.memory.download(floats, t.data); err != nil {
		panic(fmt.Sprintf("ort: copy from the gpu: %v", err))
	}
	return floats
}

// Close frees the tensor. It may be called twice.
func (v *value) Close() {
	if v.handle == nil {
		return
	}
	if v.own != nil {
		_ = v.own.Destroy() // it has no way to fail
	} else {
		v.runtime.memory.release(v.handle)
	}
	v.handle, v.own, v.floats, v.shape = nil, nil, nil, nil
	v.runtime.live.Add(-1)
}
