package sinks

import "context"

// Sink takes events away. Publish is called by one goroutine, event by event in order,
// blocks until the event is safe where the sink says it will be, and may be retried
// with the same event: its id makes a second delivery the same delivery. Close waits
// for what is under way; Publish is not called after it.
type Sink interface {
	Publish(ctx context.Context, e Event) error
	Close(ctx context.Context) error
}
