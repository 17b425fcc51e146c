package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/frames/intake"
	"github.com/captiond/captiond/frames/magic"
	"github.com/captiond/captiond/frames/worker"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

// material is footage for questions: api.AskerOptions.Open. Where it is the machine that fails,
// and not the file, the client is to come again.
func (r reader) material(ctx context.Context, f *os.File, use func(context.Context, pipeline.Footage) error) error {
	err := r.footage(ctx, f, use)
	if !errors.Is(err, worker.ErrStart) && !errors.Is(err, worker.ErrKilled) {
		return err
	}
	r.decoder.Log.Error("file of a question not decoded", "err", err)
	return api.Later(http.StatusServiceUnavailable, 10*time.Second, "this machine has no room for a decoder: ask again in some seconds")
}

// footage decodes a file of a client's for the time of use.
func (r reader) footage(ctx context.Context, f *os.File, use func(context.Context, pipeline.Footage) error) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read file: %w", err)
	}
	in := &intake.Input{File: f, Size: info.Size(), Head: make([]byte, min(info.Size(), magic.HeadSize))}
	if _, err := f.ReadAt(in.Head, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read file: %w", err)
	}
	if in.Kind, err = magic.Sniff(in.Head); err != nil {
		return api.Errorf(http.StatusUnsupportedMediaType, "%v", err)
	}
	img, err := r.picture(in)
	switch {
	case err != nil:
		return err
	case img != nil:
		return use(ctx, pipeline.Footage{Picture: img})
	}
	return r.decoder.Run(ctx, f, func(ctx context.Context, c *worker.Clip) error {
		return use(ctx, pipeline.Footage{Clip: c})
	})
}

// speaker is a model that a client may name: api.AskerOptions.Voice. A client names none that
// the operator has not, for a name may be a folder.
func (m *models) speaker(name string, kind sinks.Kind) (pipeline.Voice, error) {
	own := m.tool.config.Model.Caption
	if kind == sinks.KindAnswer {
		own = m.tool.config.Model.Answer
	}
	if name = cmp.Or(name, own); name != own && !m.knows(name) {
		return pipeline.Voice{}, unknownModel(name)
	}
	return m.voice(name, pipeline.Greedy().View)
}

func unknownModel(name string) error {
	return api.Errorf(http.StatusUnprocessableEntity, "this daemon has no model %.80q: its operator sees with `captiond model list` which it has", name)
}

// knows says whether the operator gave the daemon a model: by its configuration, or by an
// import.
func (m *models) knows(name string) bool {
	for _, camera := range m.tool.config.Cameras {
		if name == camera.Caption || name == camera.Answer {
			return true
		}
	}
	offered, _ := m.offered() // what cannot be listed is not known
	return slices.Contains(offered, name)
}

// offered are the models that clients may name: others would be looked for on the disk. Those
// of the configuration are there even where the imported ones cannot be listed.
func (m *models) offered() ([]string, error) {
	names := []string{builtIn, m.tool.config.Model.Caption, m.tool.config.Model.Answer}
	entries, err := m.tool.registry().List()
	for _, e := range entries {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return slices.Compact(names), err
}
