// Package ort runs graphs on ONNX Runtime (github.com/yalue/onnxruntime_go). It
// implements model.Runtime: it loads the shared library, chooses the device, makes
// sessions and tensors, and frees them.
//
// ONNX Runtime has one environment in a process. It is made by the first Open and
// freed when the last Runtime is closed; all Runtimes of a process use one library
// file. A Runtime, its sessions and its values may be used by any number of
// goroutines, except that a value is closed only when no Run reads it any more.
package ort

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	native "github.com/yalue/onnxruntime_go"

	"github.com/captiond/captiond/model"
)

// Options of a Runtime. The zero value is ready to use.
type Options struct {
	// Threads for one graph; 0 leaves it to ONNX Runtime, which takes one per core.
	Threads int
	// Device is "cpu", "cuda" or "auto" (the zero value means auto).
	Device string
	// LowMemory leaves weights mapped from their file instead of copying them into
	// the layout that multiplies fastest.
	LowMemory bool
	// Logger takes the one line that says why a GPU is not used. Nil discards it.
	Logger *slog.Logger
}

// Runtime is one loaded ONNX Runtime with its options.
type Runtime struct {
	options Options
	device  string
	// fallback is why the device is not the one that was asked for.
	fallback  error
	path      string
	memory    memory        // of outputs
	room      allocator     // of inputs that are made here
	keeper    model.Session // has room, which else would be gone; nil on a CPU
	operators operators
	live      atomic.Int64
	closed    atomic.Bool
}

var _ model.Runtime = (*Runtime)(nil)

// Open loads the library at path, as Find returns it. Where Options ask for a GPU and
// none can be used, it logs why and goes on with the CPU.
func Open(ctx context.Context, path string, o Options) (*Runtime, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	switch o.Device {
	case "", "auto", "cpu", "cuda":
	default:
		return nil, fmt.Errorf("open onnx runtime: unknown device %q: use auto, cpu or cuda", o.Device)
	}
	if o.Threads < 0 {
		return nil, fmt.Errorf("open onnx runtime: %d threads: use 0 for one per core", o.Threads)
	}
	a, err := acquire(path)
	if err != nil {
		return nil, err
	}
	r := &Runtime{options: o, path: path, device: "cpu"}
	if err := r.choose(ctx, a); err != nil {
		return nil, errors.Join(fmt.Errorf("open onnx runtime: %w", err), release())
	}
	return r, nil
}

// Version is that of the loaded library, such as "1.27.0".
func (r *Runtime) Version() string { return native.GetVersion() }

// Device is what sessions run on: "cpu" or "cuda".
func (r *Runtime) Device() string { return r.device }

// Fallback is why no GPU is used, nil where one is or none was asked for.
func (r *Runtime) Fallback() error { return r.fallback }

// Path is the library's file, as given to Open.
func (r *Runtime) Path() string { return r.path }

// Live is the number of sessions and values that were made and not yet closed.
func (r *Runtime) Live() int64 {
	if r.keeper != nil {
		return r.live.Load() - 1
	}
	return r.live.Load()
}

// Close frees the environment if no other Runtime uses it. It refuses to while
// sessions or values of this Runtime are open. It may be called twice.
func (r *Runtime) Close() error {
	if n := r.Live(); n != 0 {
		return fmt.Errorf("close onnx runtime: %d sessions and values are still open", n)
	}
	if r.closed.Swap(true) {
		return nil
	}
	var err error
	r.room.free()
	if r.keeper != nil {
		err = r.keeper.Close()
	}
	r.memory.free()
	r.operators.free()
	return errors.Join(err, release())
}

// errClosed is what a closed Runtime or Session answers.
var errClosed = errors.New("it is closed")

// choose takes the GPU where one is asked for and a graph runs on it, else the CPU.
func (r *Runtime) choose(ctx context.Context, a api) (err error) {
	if r.options.Device != "cpu" {
		if r.fallback = r.useCUDA(ctx, a); r.fallback == nil {
			return nil
		}
		r.options.Logger.Info("model runs on the cpu", "device", r.options.Device, "reason", r.fallback)
	}
	r.device, r.room = "cpu", allocator{api: a}
	if r.operators, err = a.operators(false); err != nil {
		return err
	}
	if r.memory, err = a.memory("Cpu", "Cpu"); err != nil {
		r.operators.free()
	}
	return err
}
