package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/configs"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/ort"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

// A tool is a command at work: the configuration, and what it makes of it.
type tool struct {
	streams   streams
	config    configs.Config
	log       *slog.Logger
	reader    reader
	publisher sinks.Sink // nil without --nats
	together  int        // windows that go through a model side by side
	turns     int        // cameras that may use a model at once
}

// openTool reads the configuration of a command.
func openTool(cmd *cobra.Command, s streams) (*tool, error) {
	config, warnings, err := configs.Load(cmd.Flags(), s.env)
	if err != nil {
		return nil, usageError{err}
	}
	log := newLogger(s.err, config.Log)
	for _, w := range warnings {
		log.Warn("configuration", "warning", w)
	}
	t := &tool{streams: s, config: config, log: log}
	t.reader = newReader(s, config.Decode, log)
	return t, nil
}

// newLogger writes to w as the configuration says.
func newLogger(w interface{ Write([]byte) (int, error) }, c configs.Log) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.Level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// openRuntime loads ONNX Runtime.
func (t *tool) openRuntime(ctx context.Context) (*ort.Runtime, error) {
	path, how, err := ort.Find(t.config.Model.Library)
	if err != nil {
		return nil, err
	}
	t.log.Info("onnx runtime", "path", path, "found", how)
	rt, err := ort.Open(ctx, path, ort.Options{
		Threads:   t.config.Model.Threads,
		Device:    t.config.Model.Device,
		LowMemory: t.config.Model.LowMemory,
		Logger:    t.log,
	})
	if err != nil {
		return nil, err
	}
	t.together, t.turns = t.togetherOn(rt.Device()), turnsOn(rt.Device())
	t.choosePrecision(rt.Device())
	return rt, nil
}

// choosePrecision replaces a precision that is for another device than there is: float16 is
// slow on a CPU, and a GPU has no kernels for int8.
func (t *tool) choosePrecision(device string) {
	switch p := &t.config.Model.Precision; {
	case *p == graph.Float16.String() && device == "cpu":
		t.log.Info("float32 takes the place of float16, which is for a gpu", "device", device)
		*p = graph.Float32.String()
	case *p == graph.Int8.String() && device != "cpu":
		t.log.Info("float16 takes the place of int8, which is for a cpu", "device", device)
		*p = graph.Float16.String()
	}
}

// togetherOn is how many windows go through a model side by side. On a CPU more than four read
// the weights of a step hardly less often for each; each takes memory. A GPU makes captions half
// again as fast with 32 as with 16.
func (t *tool) togetherOn(device string) int {
	switch {
	case t.config.Model.LowMemory:
		return 1
	case device == "cpu":
		return 4
	}
	return 32
}

// turnsOn is how many cameras may use a model at once: on a CPU a second one makes ready what is
// not the model's own work, and a GPU is kept busy by four (cmd/gpubench).
func turnsOn(device string) int {
	if device == "cpu" {
		return 2
	}
	return 4
}

// withModel opens a model by name for the time of use.
func (t *tool) withModel(ctx context.Context, name string, use func(*model.Model) error) error {
	c, short, err := t.checkpoint(name)
	if err != nil {
		return err
	}
	return t.openModel(ctx, c, short, use)
}

// openModel opens a checkpoint for the time of use.
func (t *tool) openModel(ctx context.Context, c *checkpoint.Checkpoint, name string, use func(*model.Model) error) (err error) {
	rt, err := t.openRuntime(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	return withOpen(rt, c, t.modelOptions(name), use)
}

// modelOptions are those of a model, as configured.
func (t *tool) modelOptions(name string) model.Options {
	transform := t.config.Model.Transform
	precision, _ := graph.ParsePrecision(t.config.Model.Precision) // checked with the configuration
	return model.Options{
		Name: name, Microsoft: transform != "huggingface", VQA: transform == "microsoft-vqa", Precision: precision,
		LowMemory: t.config.Model.LowMemory,
	}
}

// voice speaks with a model as configured.
func (t *tool) voice(m *model.Model, request model.Request, view model.View) pipeline.Voice {
	return pipeline.Voice{
		Captioner: m, Name: fullName(m), Samples: m.Frames(), View: view, Request: request, Together: t.together, Pictures: m.EncodeBatch(),
		Settings: fmt.Sprintf("transform=%s precision=%v", t.config.Model.Transform, m.Precision()),
	}
}

// fullName is the name that events state.
func fullName(m *model.Model) string { return m.Name() + "@" + m.Digest() }

// speak opens a model and, where events are published, the way there.
func (t *tool) speak(ctx context.Context, name string, o searchOptions, use func(pipeline.Voice) error) error {
	t.warnBuiltIn(name)
	return t.withPublisher(ctx, func() error { return t.withVoice(ctx, name, o, use) })
}

// warnBuiltIn says what the built-in model is, where it is the one that is used.
func (t *tool) warnBuiltIn(name string) {
	if name == builtIn {
		t.log.Warn("the built-in model knows moving shapes and nothing else: name a checkpoint with --model")
	}
}

// withVoice opens a model to speak with.
func (t *tool) withVoice(ctx context.Context, name string, o searchOptions, use func(pipeline.Voice) error) error {
	request, view, err := o.request()
	if err != nil {
		return err
	}
	return t.withModel(ctx, name, func(m *model.Model) error {
		return use(t.voice(m, request, view))
	})
}

// publish hands an event to the results and, where there is one, to the broker.
func (t *tool) publish(ctx context.Context, e sinks.Event, out sinks.Sink) error {
	if err := out.Publish(ctx, e); err != nil {
		return undeliveredError{fmt.Errorf("write result: %w", err)}
	}
	if t.publisher == nil {
		return nil
	}
	if err := t.publisher.Publish(ctx, e); err != nil {
		return undeliveredError{fmt.Errorf("publish: %w", err)}
	}
	return nil
}

// An undeliveredError is a text that could not be handed on: the fault is not the input's.
type undeliveredError struct{ error }

func (e undeliveredError) Unwrap() error { return e.error }

func isUndelivered(err error) bool { return errors.As(err, new(undeliveredError)) }
