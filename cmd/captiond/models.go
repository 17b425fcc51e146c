package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/ort"
	"github.com/captiond/captiond/pipeline"
)

// models are those that a daemon has open: each checkpoint once, until the daemon ends.
type models struct {
	tool *tool
	rt   *ort.Runtime

	mu   sync.Mutex
	open map[string]*model.Model
}

// withModels loads ONNX Runtime for the time of use.
func (t *tool) withModels(ctx context.Context, use func(*models) error) error {
	rt, err := t.openRuntime(ctx)
	if err != nil {
		return err
	}
	m := &models{tool: t, rt: rt, open: make(map[string]*model.Model)}
	return errors.Join(use(m), m.close(), rt.Close())
}

// voice is a model that looks at a part of the picture.
func (m *models) voice(name, view string) (pipeline.Voice, error) {
	o := searchOptions{pipeline.Greedy()}
	o.View = view
	request, part, err := o.request()
	if err != nil {
		return pipeline.Voice{}, err
	}
	opened, err := m.model(name)
	if err != nil {
		return pipeline.Voice{}, fmt.Errorf("open model %s: %w", name, err)
	}
	return m.tool.voice(opened, request, part), nil
}

func (m *models) model(name string) (*model.Model, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if opened := m.open[name]; opened != nil {
		return opened, nil
	}
	c, short, err := m.tool.checkpoint(name)
	if err != nil {
		return nil, err
	}
	opened, err := model.Open(m.rt, c, m.tool.modelOptions(short))
	if err != nil {
		return nil, err
	}
	m.open[name] = opened
	return opened, nil
}

// names are the models that are open, as events name them.
func (m *models) names() (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, opened := range m.open {
		names = append(names, fullName(opened))
	}
	return names
}

func (m *models) close() (err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, opened := range m.open {
		err = errors.Join(err, opened.Close())
	}
	return err
}
