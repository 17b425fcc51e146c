package ort

/*
#include <stdlib.h>
#include "operator.h"
*/
import "C"

import (
	_ "embed"
	"fmt"
	"unsafe"

	native "github.com/yalue/onnxruntime_go"

	"github.com/captiond/captiond/model/onnx"
)

// operatorSource is CUDA C++.
//
//go:embed operator.cu
var operatorSource string

// compileOperators compiles the operators of this package for GPUs, once in a process.
func compileOperators() error {
	environment.Lock()
	defer environment.Unlock()
	source := C.CString(operatorSource)
	defer C.free(unsafe.Pointer(source))
	if failed := C.captiond_compile(source); failed != nil {
		return fmt.Errorf("compile operators: %s", C.GoString(failed))
	}
	return nil
}

// operators are those of this package, for CPUs and, if they were compiled, for GPUs.
type operators struct {
	api
	domain *C.OrtCustomOpDomain
}

func (a api) operators(onGPUs bool) (o operators, err error) {
	o.api = a
	var gpus C.int
	if onGPUs {
		gpus = 1
	}
	if err := a.check(C.captiond_operators(a.table, gpus, &o.domain)); err != nil {
		return o, fmt.Errorf("make operators: %w", err)
	}
	return o, nil
}

// addTo lets a session use them; they must be freed after it is closed.
func (o operators) addTo(options *native.SessionOptions) error {
	return o.check(C.captiond_add_operators(o.table, (*C.OrtSessionOptions)(inside(options, "o")), o.domain))
}

// announce makes a session that may use operators. The first that does adds their domain to a
// table which the library guards against nobody: of two at a time one fails.
func (a api) announce() error {
	o, err := a.operators(false)
	if err != nil {
		return err
	}
	defer o.free()
	options, err := native.NewSessionOptions()
	if err != nil {
		return err
	}
	defer func() { _ = options.Destroy() }() // it fails only where nothing was made
	if err := o.addTo(options); err != nil {
		return err
	}
	g := onnx.New("operators", 17)
	x := g.Input("x", onnx.Float32, 1)
	y := g.Op("Identity", []string{x})
	g.Output(y, onnx.Float32, 1)
	s, err := native.NewDynamicAdvancedSessionWithONNXData(g.Bytes(), []string{x}, []string{y}, options)
	if err != nil {
		return err
	}
	return s.Destroy()
}

func (o operators) free() { C.captiond_release_operators(o.table, o.domain) }
