// Package sinktest is the behaviour that every sinks.Sink has, as tests, and a sink in
// memory that has it.
package sinktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/captiond/captiond/sinks"
)

// Open makes a new, empty sink, and what tells the texts it has taken, in order. What
// it opens it closes in t.Cleanup, but not the sink.
type Open func(t *testing.T) (s sinks.Sink, texts func() []string)

// Run tests the sink that open makes.
func Run(t *testing.T, open Open) {
	t.Run("order", func(t *testing.T) { order(t, open) })
	t.Run("retry", func(t *testing.T) { retry(t, open) })
	t.Run("cancelled", func(t *testing.T) { cancelled(t, open) })
	t.Run("close", func(t *testing.T) { closes(t, open) })
	t.Run("kinds", func(t *testing.T) { kinds(t, open) })
}

// Caption is the i-th of a row of sealed captions, "caption i".
func Caption(i int) *sinks.Caption {
	c := &sinks.Caption{
		Header: sinks.Header{Source: "test", Seq: int64(i)},
		Span:   sinks.Span{Start: sinks.Seconds(i * 1000), End: sinks.Seconds(i*1000 + 1000), Clock: sinks.ClockNone},
		Speech: sinks.Speech{Text: fmt.Sprintf("caption %d", i), Confidence: 1, MinConfidence: 1, Model: "test@0"},
	}
	sinks.Seal(c)
	return c
}

func publish(t *testing.T, s sinks.Sink, e sinks.Event) {
	t.Helper()
	if err := s.Publish(t.Context(), e); err != nil {
		t.Fatalf("publish %s: %v", e.Kind(), err)
	}
}

func shut(t *testing.T, s sinks.Sink) {
	t.Helper()
	if err := s.Close(t.Context()); err != nil {
		t.Fatalf("close: %v", err)
	}
}

func order(t *testing.T, open Open) {
	s, texts := open(t)
	var want []string
	for i := range 20 {
		publish(t, s, Caption(i))
		want = append(want, Caption(i).Text)
	}
	if got := texts(); !slices.Equal(got, want) {
		t.Errorf("before it was closed it had %q, want %q", got, want)
	}
	shut(t, s)
	if got := texts(); !slices.Equal(got, want) {
		t.Errorf("it has %q, want %q", got, want)
	}
}

func retry(t *testing.T, open Open) {
	s, texts := open(t)
	for i := range 3 {
		publish(t, s, Caption(i))
		publish(t, s, Caption(i))
	}
	shut(t, s)
	if got := texts(); !slices.Equal(got, []string{"caption 0", "caption 1", "caption 2"}) {
		t.Errorf("events published twice are there as %q", got)
	}
}

func cancelled(t *testing.T, open Open) {
	s, texts := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Publish(ctx, Caption(0)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled publish returned %v", err)
	}
	publish(t, s, Caption(0))
	shut(t, s)
	if got := texts(); !slices.Equal(got, []string{"caption 0"}) {
		t.Errorf("after a cancelled publish and a good one it has %q", got)
	}
}

func closes(t *testing.T, open Open) {
	s, texts := open(t)
	shut(t, s)
	if got := texts(); len(got) != 0 {
		t.Errorf("a sink that took nothing has %q", got)
	}
}

// kinds publishes one event of every kind: a sink may leave some out, but not fail.
func kinds(t *testing.T, open Open) {
	s, texts := open(t)
	head := sinks.Header{Source: "test"}
	for _, e := range []sinks.Event{Caption(0), &sinks.Cut{Header: head}, &sinks.Gap{Header: head}, &sinks.Reset{Header: head},
		&sinks.Degraded{Header: head}, &sinks.Unchanged{Header: head}, &sinks.Status{Header: head}, &sinks.Job{Header: head}} {
		sinks.Seal(e)
		publish(t, s, e)
	}
	publish(t, s, Caption(1))
	shut(t, s)
	if got := texts(); !slices.Equal(got, []string{"caption 0", "caption 1"}) {
		t.Errorf("among events of all kinds the captions are %q", got)
	}
}
