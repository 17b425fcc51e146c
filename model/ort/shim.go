package ort

/*
#cgo CFLAGS: -fexceptions -O3
#cgo LDFLAGS: -ldl -lm
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	native "github.com/yalue/onnxruntime_go"

	"github.com/captiond/captiond/model/onnx"
)

// ErrOutOfMemory is why loading a graph or running it fails where the memory of the
// device, or of the host, does not suffice.
var ErrOutOfMemory = errors.New("out of memory")

// inside is the C object that a wrapper of onnxruntime_go holds in the field at the end of
// the path. The fields are not exported, and no function of the package leaves an output on
// the device; go.mod pins the version whose fields these are.
func inside(wrapper any, path ...string) unsafe.Pointer {
	v := reflect.ValueOf(wrapper)
	for _, field := range path {
		v = reflect.Indirect(v).FieldByName(field)
	}
	return v.UnsafePointer()
}

// api is the library's table of functions.
type api struct{ table *C.OrtApi }

// apiOf finds the functions of a library that onnxruntime_go has loaded.
func apiOf(path string) (api, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	a := api{C.captiond_load(name)}
	if a.table == nil {
		return a, errors.New("it has no functions of ONNX Runtime")
	}
	return a, nil
}

// check frees a status and says what failed.
func (a api) check(status *C.OrtStatus) error {
	if status == nil {
		return nil
	}
	defer C.captiond_forget(a.table, status)
	return failure(errors.New(C.GoString(C.captiond_message(a.table, status))))
}

// failure tells want of memory, for which the library has no code, from all else.
func failure(err error) error {
	for _, sign := range []string{"bad_alloc", "Failed to allocate memory", "out of memory", "ALLOC_FAILED"} {
		if err != nil && strings.Contains(err.Error(), sign) {
			return fmt.Errorf("%w: %w", ErrOutOfMemory, err)
		}
	}
	return err
}

// handle is a tensor that the library holds, an OrtValue.
type handle = *C.OrtValue

// of is the handle that a tensor of onnxruntime_go holds.
func of(v native.Value) handle { return handle(inside(v.GetInternals(), "ortValue")) }

func (a api) release(h handle) { C.captiond_release(a.table, h) }

// tensor is what lies under a handle: data is memory of the device that it was made on.
type tensor struct {
	shape []int64
	kind  onnx.Type
	data  unsafe.Pointer
}

func (a api) tensor(h handle) (tensor, error) {
	var t C.captiond_tensor
	if err := a.check(C.captiond_describe(a.table, h, &t)); err != nil {
		return tensor{}, err
	}
	if t.rank > C.captiond_dims {
		return tensor{}, fmt.Errorf("a tensor has %d dimensions, more than %d", t.rank, C.captiond_dims)
	}
	shape := make([]int64, t.rank)
	for i := range shape {
		shape[i] = int64(t.dims[i])
	}
	return tensor{shape: shape, kind: onnx.Type(t._type), data: t.data}, nil
}

// lendHeap gives the library's environment the heap of large pages, and returnHeap takes it
// back, when all sessions are closed.
func (a api) lendHeap() error   { return a.check(C.captiond_heap_lend(a.table)) }
func (a api) returnHeap() error { return a.check(C.captiond_heap_return(a.table)) }

// memory is where outputs are left: those for the host, and the others.
type memory struct {
	api
	host, info *C.OrtMemoryInfo
	// download copies from there to the host; nil for memory of the host.
	download func(to []float32, from unsafe.Pointer) error
}

// memory is that of a device as the library calls it, "Cpu" or "Cuda", and that of the host
// which the device writes to: "Cpu", or "CudaPinned", which a GPU fills several times as fast
// as other memory. It is freed with free.
func (a api) memory(host, device string) (m memory, err error) {
	m.api = a
	if m.host, err = a.info(host); err != nil {
		return m, err
	}
	if m.info, err = a.info(device); err != nil {
		m.free()
	}
	return m, err
}

func (a api) info(name string) (info *C.OrtMemoryInfo, err error) {
	called := C.CString(name)
	defer C.free(unsafe.Pointer(called))
	err = a.check(C.captiond_memory(a.table, called, &info))
	return info, err
}

func (m memory) free() {
	C.captiond_release_memory(m.table, m.host)
	C.captiond_release_memory(m.table, m.info)
}

// allocator gives out memory of the host: that which a GPU reads fastest, or of the heap.
type allocator struct {
	api
	c *C.OrtAllocator // nil for the heap
}

// pinned is the memory that a GPU writes to and reads, until the session is closed.
func (m memory) pinned(s *native.DynamicAdvancedSession) (a allocator, err error) {
	a.api = m.api
	err = m.check(C.captiond_allocator(m.table, (*C.OrtSession)(inside(s, "s", "ortSession")), m.host, &a.c))
	return a, err
}

func (a allocator) free() {
	if a.c != nil {
		C.captiond_release_allocator(a.table, a.c)
	}
}

// tensor makes one, to be released.
func (a allocator) tensor(kind onnx.Type, shape []int64) (h handle, err error) {
	dims := (*C.int64_t)(unsafe.SliceData(shape))
	err = a.check(C.captiond_new(a.table, a.c, C.int(kind), dims, C.size_t(len(shape)), &h))
	return h, err
}

// bound is a session with the names of its inputs and outputs and the memory that its
// outputs are left in.
type bound struct {
	api
	c C.captiond_session
}

// bind binds a session of whose outputs the host reads some, the first ones.
func (m memory) bind(s *native.DynamicAdvancedSession, inputs, outputs []string, read int) *bound {
	names := slices.Concat(inputs, outputs)
	list := (**C.char)(C.calloc(C.size_t(len(names)+1), C.size_t(unsafe.Sizeof(uintptr(0)))))
	copies := unsafe.Slice(list, len(names))
	for i, name := range names {
		copies[i] = C.CString(name)
	}
	return &bound{m.api, C.captiond_session{
		api: m.table, session: (*C.OrtSession)(inside(s, "s", "ortSession")), host: m.host, memory: m.info,
		inputs: C.size_t(len(inputs)), outputs: C.size_t(len(outputs)), read: C.size_t(read), names: list,
	}}
}

// free frees the names; the session is its maker's.
func (b *bound) free() {
	for _, name := range unsafe.Slice(b.c.names, b.c.inputs+b.c.outputs) {
		C.free(unsafe.Pointer(name))
	}
	C.free(unsafe.Pointer(b.c.names))
}

// run computes the outputs, which are the caller's to release. There are as many inputs as
// the session has.
func (b *bound) run(o *native.RunOptions, inputs []handle) ([]handle, error) {
	outputs := make([]handle, b.c.outputs)
	options := (*C.OrtRunOptions)(inside(o, "o"))
	err := b.check(C.captiond_run(&b.c, options, unsafe.SliceData(inputs), unsafe.SliceData(outputs)))
	runtime.KeepAlive(o)
	if err != nil {
		return nil, err
	}
	return outputs, nil
}

// preload loads the libraries of NVIDIA that `make deps-gpu` puts beside ONNX Runtime, in
// the order in which they need each other: the loader finds those that are loaded, and looks
// only in the system's path for the others.
func preload(folder string) {
	for _, name := range []string{
		"libcudart.so.13", "libnvJitLink.so.13", "libnvrtc-builtins.so.13.0", "libnvrtc.so.13", "libcublasLt.so.13", "libcublas.so.13",
		"libcurand.so.10", "libcufft.so.12", "libcudnn.so.9",
	} {
		path := C.CString(filepath.Join(folder, name))
		C.captiond_preload(path) // what is missing, the provider asks for again
		C.free(unsafe.Pointer(path))
	}
}

// cudaDownload copies from a GPU by the CUDA runtime that the provider has loaded. It stands
// still until the copy is complete.
func cudaDownload() (func([]float32, unsafe.Pointer) error, error) {
	for _, version := range []string{"13", "12"} {
		name := C.CString("libcudart.so." + version)
		copier := C.captiond_cuda_copy(name)
		C.free(unsafe.Pointer(name))
		if copier == nil {
			continue
		}
		return func(to []float32, from unsafe.Pointer) error {
			bytes := C.size_t(len(to)) * C.size_t(unsafe.Sizeof(to[0]))
			if code := C.captiond_download(copier, unsafe.Pointer(unsafe.SliceData(to)), from, bytes); code != 0 {
				return fmt.Errorf("cuda error %d", code)
			}
			return nil
		}, nil
	}
	return nil, errors.New("the provider loaded no CUDA runtime 12 or 13")
}
