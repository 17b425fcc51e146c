package sinktest

import (
	"context"
	"slices"
	"sync"

	"github.com/captiond/captiond/sinks"
)

// Memory is a sink that keeps its events. It is safe for concurrent use; the zero value
// is empty and ready.
type Memory struct {
	mu     sync.Mutex
	events []sinks.Event
	ids    map[string]bool
}

var _ sinks.Sink = (*Memory)(nil)

// Publish keeps e, unless it has an event of that id.
func (m *Memory) Publish(ctx context.Context, e sinks.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ids[e.Head().ID] {
		return nil
	}
	if m.ids == nil {
		m.ids = map[string]bool{}
	}
	m.ids[e.Head().ID] = true
	m.events = append(m.events, e)
	return nil
}

// Close does nothing.
func (*Memory) Close(context.Context) error { return nil }

// Events are the events taken so far, in order.
func (m *Memory) Events() []sinks.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events)
}

// Texts are the texts of the captions among events.
func Texts(events []sinks.Event) []string {
	var texts []string
	for _, e := range events {
		if c, ok := e.(*sinks.Caption); ok {
			texts = append(texts, c.Text)
		}
	}
	return texts
}
