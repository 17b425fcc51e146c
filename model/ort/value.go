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
	host    bool         // data lies where the host reads it
	floats  []float32    // on the host, as soon as they are there
}

// Wrap makes a tensor of a []float32, []int64 or, for float16, []uint16, which has as many
// elements as the shape needs.
func (r *Runtime) Wrap(data any, shape ...int64) (v model.Value, err error) {
	if r.closed.Load() {
		return nil, fmt.Errorf("make tensor: %w", errClosed)
	}
	switch data := data.(type) {
	case []float32:
		v, err = wrapSlice(r, data, shape, onnx.Float32, native.NewTensor)
	case []int64:
		v, err = wrapSlice(r, data, shape, onnx.Int64, native.NewTensor)
	case []uint16:
		v, err = wrapSlice(r, data, shape, onnx.Float16, newHalves)
	default:
		err = fmt.Errorf("no tensor is made of a %T", data)
	}
	if err != nil {
		return nil, fmt.Errorf("make tensor: %w", err)
	}
	return v, nil
}

// newHalves is a tensor of the bits of float16, for which Go has no type.
func newHalves(shape native.Shape, data []uint16) (*native.CustomDataTensor, error) {
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), 2*len(data))
	return native.NewCustomDataTensor(shape, bytes, native.TensorElementDataTypeFloat16)
}

func wrapSlice[T float32 | int64 | uint16, V native.Value](
	r *Runtime, data []T, shape []int64, kind onnx.Type, create func(native.Shape, []T) (V, error),
) (model.Value, error) {
	if n := native.Shape(shape).FlattenedSize(); n != int64(len(data)) {
		return nil, fmt.Errorf("shape %v has %d elements, %d are given", shape, n, len(data))
	}
	t, err := create(shape, data)
	if err != nil {
		return nil, err
	}
	r.live.Add(1)
	lies := tensor{shape: t.GetShape(), kind: kind, data: unsafe.Pointer(unsafe.SliceData(data))}
	return &value{runtime: r, handle: of(t), own: t, host: true, tensor: lies}, nil
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
