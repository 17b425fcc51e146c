// Package jsonl writes events as JSON Lines: one event a line, as sinks.Encode gives it.
//
// A line reaches the writer in one write as its event is published; nothing is held
// back, so a reader follows along and a killed run leaves whole lines. The writer
// belongs to the caller. A Sink is used by one goroutine.
package jsonl

import (
	"context"
	"fmt"
	"io"

	"github.com/captiond/captiond/sinks"
)

// Sink writes events to a writer.
type Sink struct{ out *sinks.Stream }

var _ sinks.Sink = (*Sink)(nil)

// New is a sink to w, which it never closes.
func New(w io.Writer) *Sink { return &Sink{sinks.NewStream(w)} }

// Publish writes e. Errors wrap the writer's, such as syscall.EPIPE and syscall.ENOSPC;
// the same event again then writes what was missing of its line.
func (s *Sink) Publish(ctx context.Context, e sinks.Event) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	line, err := sinks.Encode(e)
	if err != nil {
		return err
	}
	if err := s.out.Put(e.Head().ID, append(line, '\n')); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return nil
}

// Close does nothing: every line is written by then.
func (*Sink) Close(context.Context) error { return nil }
