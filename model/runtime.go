package model

import (
	"context"

	"github.com/captiond/captiond/model/onnx"
)

// Value is a tensor that a Runtime holds, on the host or on a device. Close frees it;
// a Value is used by one goroutine at a time, except that any number of concurrent
// Runs may read it.
type Value interface {
	Shape() []int64
	// Float32 and Half are the tensor's data on the host, valid until Close; Half are the
	// bits of float16. They panic for other element types.
	Float32() []float32
	Half() []uint16
	Close()
}

// Session is one loaded graph. Run is safe for concurrent use; inputs are given and
// outputs returned in the order of the graph's declarations, outputs are owned by the
// caller. A cancelled context ends Run with the context's error.
type Session interface {
	Run(ctx context.Context, inputs ...Value) ([]Value, error)
	Close() error
}

// Graph is what a Session runs.
type Graph struct {
	ONNX   []byte // the serialised model
	Folder string // of its external data
	// Brief says that its operators take microseconds, so that threads had better wait for
	// each other actively than sleep.
	Brief bool
	// Read is how many of its outputs, the first ones, are for the host: a device copies
	// them there at once.
	Read int
}

// Runtime makes sessions and the values they read. It is implemented by model/ort.
type Runtime interface {
	// Device is what sessions run on, such as "cpu".
	Device() string
	NewSession(g Graph) (Session, error)
	// New makes a tensor on the host, to be filled before it is run: in the memory that the
	// device reads fastest, which is used again when the tensor is closed.
	New(kind onnx.Type, shape ...int64) (Value, error)
	// Wrap makes a tensor of data, a []float32, []int64 or, for float16, []uint16, without
	// copying it: it must not change until Close.
	Wrap(data any, shape ...int64) (Value, error)
}
