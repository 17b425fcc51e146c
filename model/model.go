// Package model describes pictures and videos, and answers questions about them, with
// Microsoft's GIT (Wang et al. 2022, arXiv:2205.14100), from a checkpoint in Hugging
// Face's layout. The numbers are those of transformers 4.56.2.
//
// The work is cut where it can be shared: Encode turns one picture into Features,
// which any number of windows reuse; Begin turns a window of Features into a Prefix,
// which any number of questions reuse; Generate then costs only a question's own
// tokens. The search for a text (greedy, two kinds of beam search, a trie of labels) is
// Go; the arithmetic is three ONNX graphs, written by model/graph and run by a Runtime.
//
// A Model is safe for concurrent use. It holds native memory: close what has a Close.
package model

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/pixels"
	"github.com/captiond/captiond/model/wordpiece"
)

// Model is a checkpoint that was loaded.
type Model struct {
	parts
	runtime               Runtime
	encoder, prefix, step Session
	exp                   *exponential
}

// parts is what a model takes from its checkpoint.
type parts struct {
	name, digest string
	sizes        graph.Sizes
	weights      graph.Weights
	precision    graph.Precision
	mapped       bool   // weights of float32 stay where they lie
	folder       string // of the weights' file, its real path
	vocab        *wordpiece.Vocab
	transform    *pixels.Processor
	grid         int       // patches along the side of the checkpoint's own picture
	positions    []float32 // [1+grid*grid, V]
	temporal     []float32 // [frames, V]; empty for an image checkpoint
	bos          int64
	ends         []int64 // each ends a text; at least one
	maxLength    int     // tokens in all, prompt included
	maxNewTokens int     // tokens after the prompt, instead; 0 for no such limit
}

// sharedWidth is the width from which on a step's operators are shared out among threads. In
// smaller models one thread does all: others would wait actively for nothing.
const sharedWidth = 512

// load makes the three sessions, side by side: most of the time goes into copying weights.
// In other precisions than the file's, weights are converted, by all processors, and take
// memory until the session has its own copy: one session at a time.
func load(rt Runtime, p parts) (_ *Model, err error) {
	m := &Model{parts: p, runtime: rt, exp: newExponential()}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	shared := p.sizes.Text.Hidden >= sharedWidth
	eight := shared && p.precision == graph.Int8 // whose products take a third of the time
	var g errgroup.Group
	if p.precision != graph.Float32 {
		g.SetLimit(1)
	}
	for _, part := range []struct {
		name    string
		build   func(graph.Sizes, graph.Weights, graph.Target) ([]byte, error)
		session *Session
		brief   bool
		read    int // of the outputs
	}{
		{"encoder", graph.Encoder, &m.encoder, eight, 1},
		{"prefix", graph.Prefix, &m.prefix, eight, 0},
		{"step", graph.Step, &m.step, shared, 1},
	} {
		g.Go(func() error {
			b, err := part.build(p.sizes, p.weights, graph.Target{Precision: p.precision, GPU: rt.Device() != "cpu", Mapped: p.mapped})
			if err != nil {
				return fmt.Errorf("build %s: %w", part.name, err)
			}
			s, err := rt.NewSession(Graph{ONNX: b, Folder: p.folder, Brief: part.brief, Read: part.read})
			if err != nil {
				return fmt.Errorf("load %s: %w", part.name, err)
			}
			*part.session = s
			if p.precision != graph.Float32 {
				debug.FreeOSMemory()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return m, nil
}

// Close frees the model's sessions, after the Runs that are under way.
func (m *Model) Close() error {
	var errs []error
	for _, s := range []Session{m.encoder, m.prefix, m.step} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// Name is the checkpoint's name.
func (m *Model) Name() string { return m.name }

// Digest identifies what the checkpoint holds.
func (m *Model) Digest() string { return m.digest }

// Precision is that of its arithmetic.
func (m *Model) Precision() graph.Precision { return m.precision }

// Frames is the number of frames that a window holds at most: that of the temporal
// embeddings of a video checkpoint, 1 for an image checkpoint.
func (m *Model) Frames() int { return max(1, len(m.temporal)/m.width()) }

// Video tells whether the checkpoint has temporal embeddings.
func (m *Model) Video() bool { return len(m.temporal) > 0 }

// width is the number of features of an image token.
func (m *Model) width() int { return int(m.sizes.Vision.Hidden) }

// run calls a session with values that the runtime makes from data for this call alone,
// followed by others, and frees the former.
func (m *Model) run(ctx context.Context, s Session, own []tensor, others ...Value) ([]Value, error) {
	inputs := make([]Value, 0, len(own)+len(others))
	defer func() {
		for _, v := range inputs[:min(len(own), len(inputs))] {
			v.Close()
		}
	}()
	for _, t := range own {
		v, err := t.value(m.runtime)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, v)
	}
	return s.Run(ctx, append(inputs, others...)...)
}

// tensor is an input: what a Runtime wraps, and its shape, or what it made.
type tensor struct {
	data  any
	shape []int64
	made  Value
}

func (t tensor) value(r Runtime) (Value, error) {
	if t.made != nil {
		return t.made, nil
	}
	return r.Wrap(t.data, t.shape...)
}

func closeAll(values []Value) {
	for _, v := range values {
		v.Close()
	}
}
