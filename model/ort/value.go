package ort

import (
	"errors"
	"fmt"
	"unsafe"

	native "github.com/yalue/onnxruntime_go"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/onnx"
)

// value is a tensor: an input, which lies in Go's memory or in that of the library, or an output,
// which lies where it was computed or where the host reads it.
type value struct {
	tensor
	runtime *Runtime
	handle  handle       // nil when closed
	own     native.Value // of what was wrapped: holds the handle and the Go memory that it points at
	host    bool         // data lies where the host reads it
	floats  []float32    // on the host, as soon as they are there
}

// Wrap makes a tensor of a []float32, []int64 or, for float16, []uint16, which has as many
// elements as the shape needs.
func (r *Runtime) Wrap(data any, shape ...int64) (model.Value, error) {
	if r.closed.Load() {
		return nil, fmt.Errorf("make tensor: %w", errClosed)
	}
	own, err := newTensor(data, shape)
	if err != nil {
		return nil, fmt.Errorf("make tensor: %w", err)
	}
	t, err := r.memory.tensor(of(own))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make tensor: %w", err), own.Destroy())
	}
	r.live.Add(1)
	return &value{runtime: r, handle: of(own), own: own, host: true, tensor: t}, nil
}

// New makes a tensor on the host, of which nothing is known, in the memory that the device reads
// fastest.
func (r *Runtime) New(kind onnx.Type, shape ...int64) (model.Value, error) {
	if r.closed.Load() {
		return nil, fmt.Errorf("make tensor: %w", errClosed)
	}
	h, err := r.room.tensor(kind, shape)
	if err != nil {
		return nil, fmt.Errorf("make tensor: %w", err)
	}
	values, err := r.wrap([]handle{h}, 1)
	if err != nil {
		return nil, fmt.Errorf("make tensor: %w", err)
	}
	return values[0], nil
}

func newTensor(data any, shape native.Shape) (native.Value, error) {
	switch data := data.(type) {
	case []float32:
		return wrapSlice(data, shape, native.NewTensor[float32])
	case []int64:
		return wrapSlice(data, shape, native.NewTensor[int64])
	case []uint16:
		return wrapSlice(data, shape, newHalves)
	}
	return nil, fmt.Errorf("there is none of a %T", data)
}

// newHalves is a tensor of the bits of float16, for which Go has no type.
func newHalves(shape native.Shape, data []uint16) (*native.CustomDataTensor, error) {
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), 2*len(data))
	return native.NewCustomDataTensor(shape, bytes, native.TensorElementDataTypeFloat16)
}

func wrapSlice[T any, V native.Value](data []T, shape native.Shape, create func(native.Shape, []T) (V, error)) (native.Value, error) {
	if n := shape.FlattenedSize(); n != int64(len(data)) {
		return nil, fmt.Errorf("shape %v has %d elements, %d are given", shape, n, len(data))
	}
	return create(shape, data)
}

// wrap makes values of a run's outputs, all of them or none, of which the first lie where the
// host reads them.
func (r *Runtime) wrap(handles []handle, read int) ([]model.Value, error) {
	values := make([]model.Value, len(handles))
	for i, h := range handles {
		t, err := r.memory.tensor(h)
		if err != nil {
			for _, h := range handles {
				r.memory.release(h)
			}
			return nil, err
		}
		values[i] = &value{runtime: r, handle: h, tensor: t, host: i < read || r.memory.download == nil}
	}
	r.live.Add(int64(len(values)))
	return values, nil
}

func (v *value) Shape() []int64 { return v.shape }

// Float32 of an output is the library's own memory where it is the host's, and a copy of it,
// made once, where it lies on a GPU. It also panics when the GPU does not give the data out: it
// is of no use to the process any more.
func (v *value) Float32() []float32 {
	v.must(onnx.Float32)
	if v.floats == nil && v.host {
		v.floats = onHost[float32](v.tensor)
	}
	if v.floats == nil {
		v.floats = make([]float32, native.Shape(v.shape).FlattenedSize())
		if err := v.runtime.memory.download(v.floats, v.data); err != nil {
			panic(fmt.Sprintf("ort: copy from the gpu: %v", err))
		}
	}
	return v.floats
}

// Half is as Float32, of what the host reads.
func (v *value) Half() []uint16 {
	v.must(onnx.Float16)
	if !v.host {
		panic("ort: Half of a tensor that was left on the gpu: count it in Graph.Read")
	}
	return onHost[uint16](v.tensor)
}

func (v *value) must(kind onnx.Type) {
	if v.handle == nil || v.kind != kind {
		panic(fmt.Sprintf("ort: a tensor is read as type %d that is closed or of type %d", kind, v.kind))
	}
}

// onHost are the data of a tensor that lies there.
func onHost[T any](t tensor) []T {
	n := native.Shape(t.shape).FlattenedSize()
	if n == 0 {
		return []T{}
	}
	return unsafe.Slice((*T)(t.data), n)
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
