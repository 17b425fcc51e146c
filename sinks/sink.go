package sinks

import (
	"context"
	"errors"
)

// Sink takes events away. Publish is called by one goroutine, event by event in order,
// blocks until the event is safe where the sink says it will be, and may be retried
// with the same event: its id makes a second delivery the same delivery. Close waits
// for what is under way; Publish is not called after it.
type Sink interface {
	Publish(ctx context.Context, e Event) error
	Close(ctx context.Context) error
}

// RefusedError says that a sink will never take this event as it is: it is too large, say,
// or has no subject. Others may still be taken; trying this one again is no use.
type RefusedError struct{ Err error }

// Error implements error.
func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap is why.
func (e *RefusedError) Unwrap() error { return e.Err }

// ErrMoved is the error for an event that was to follow another, when something else has
// followed it: somebody else writes there, too.
var ErrMoved = errors.New("something else has been published there meanwhile")
