package ort

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	native "github.com/yalue/onnxruntime_go"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/onnx"
)

type session struct {
	runtime *Runtime
	inputs  int
	mu      sync.RWMutex // held for reading by Run, for writing by Close
	native  *native.DynamicAdvancedSession
	bound   *bound // to be run
}

// NewSession loads a graph. The weights' file is mapped, not read: it must not change
// while the session lives.
func (r *Runtime) NewSession(g model.Graph) (model.Session, error) {
	if r.closed.Load() {
		return nil, fmt.Errorf("load graph: %w", errClosed)
	}
	inputs, outputs, err := onnx.Names(g.ONNX)
	if err != nil {
		return nil, fmt.Errorf("load graph: %w", err)
	}
	o, err := r.sessionOptions(g)
	if err != nil {
		return nil, fmt.Errorf("load graph: %w", err)
	}
	defer func() { _ = o.Destroy() }() // it fails only where nothing was made
	s, err := native.NewDynamicAdvancedSessionWithONNXData(g.ONNX, inputs, outputs, o)
	if err != nil {
		return nil, fmt.Errorf("load graph: %w", failure(err))
	}
	r.live.Add(1)
	return &session{runtime: r, inputs: len(inputs), native: s, bound: r.memory.bind(s, inputs, outputs, g.Read)}, nil
}

// sessionOptions are the library's options for one session. Free them with Destroy.
func (r *Runtime) sessionOptions(g model.Graph) (_ *native.SessionOptions, err error) {
	o, err := native.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Destroy())
		}
	}()
	if err := o.SetIntraOpNumThreads(r.options.Threads); err != nil {
		return nil, err
	}
	if err := o.SetInterOpNumThreads(1); err != nil {
		return nil, err
	}
	// Shapes change from run to run (frames, text length), so patterns of memory use
	// do not repeat.
	if err := o.SetMemPattern(false); err != nil {
		return nil, err
	}
	for key, value := range r.entries(g) {
		if err := o.AddSessionConfigEntry(key, value); err != nil {
			return nil, err
		}
	}
	if err := r.operators.addTo(o); err != nil {
		return nil, err
	}
	if r.device == "cuda" {
		return o, appendCUDA(o)
	}
	return o, nil
}

// entries are session options that have a name only
// (onnxruntime_session_options_config_keys.h).
func (r *Runtime) entries(g model.Graph) map[string]string {
	e := map[string]string{}
	if g.Folder != "" {
		e["session.model_external_initializers_file_folder_path"] = g.Folder
	}
	// Active waiting makes a step a fifth faster, and the encoder a twentieth (in 8 bits a
	// fifth); where decoders want the cores too it makes the encoder a third slower. It ends
	// with the run.
	if g.Brief {
		e["session.force_spinning_stop"] = "1"
	} else {
		e["session.intra_op.allow_spinning"] = "0"
	}
	if r.device == "cpu" {
		e["session.use_env_allocators"] = "1" // the heap of large pages
	}
	if r.options.LowMemory {
		e["session.disable_prepacking"] = "1"
	}
	return e
}

// Run computes the outputs, which stay where they are computed, but for those that the host
// reads: the next Run takes them as inputs without a copy. A cancelled context ends it between
// two operators.
func (s *session) Run(ctx context.Context, inputs ...model.Value) ([]model.Value, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	in, err := s.handles(inputs)
	if err != nil {
		return nil, fmt.Errorf("run graph: %w", err)
	}
	out, err := s.run(ctx, in)
	runtime.KeepAlive(inputs)
	if err != nil {
		return nil, fmt.Errorf("run graph: %w", err)
	}
	values, err := s.runtime.wrap(out, int(s.bound.c.read))
	if err != nil {
		return nil, fmt.Errorf("run graph: %w", err)
	}
	return values, nil
}

// run calls the library and tells it to stop when the context is done.
func (s *session) run(ctx context.Context, in []handle) (out []handle, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o, err := native.NewRunOptions()
	if err != nil {
		return nil, err
	}
	defer func() { _ = o.Destroy() }() // it fails only where nothing was made
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = o.Terminate() // fails for no reason but memory; the run then ends by itself
	})
	out, err = s.bound.run(o, in)
	if !stop() {
		<-done // the options must outlive the call to Terminate
	}
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return out, err
}

func (s *session) handles(inputs []model.Value) ([]handle, error) {
	if s.native == nil {
		return nil, errClosed
	}
	if len(inputs) != s.inputs {
		return nil, fmt.Errorf("%d inputs given, the graph has %d", len(inputs), s.inputs)
	}
	in := make([]handle, len(inputs))
	for i, v := range inputs {
		own, ok := v.(*value)
		if !ok || own.handle == nil {
			return nil, fmt.Errorf("input %d is closed or of another runtime", i)
		}
		in[i] = own.handle
	}
	return in, nil
}

// Close waits for Runs that are under way. It may be called twice.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.native == nil {
		return nil
	}
	err := s.native.Destroy()
	s.bound.free()
	s.native, s.bound = nil, nil
	s.runtime.live.Add(-1)
	if err != nil {
		return fmt.Errorf("close graph: %w", err)
	}
	return nil
}
