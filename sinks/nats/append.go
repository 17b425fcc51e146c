package nats

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/captiond/captiond/sinks"
)

// Conn is the connection, for drivers of other things that lie on the same server. It is the
// client's to close.
func (c *Client) Conn() *nats.Conn { return c.nc }

// Append stores e, as Publish does, but only where the last message on its subject is the one
// with the number after, 0 for none: so of two writers who do not know of each other one is
// refused, with sinks.ErrMoved. It returns the number that e has. An event that is the last
// one already, by its id, is not stored again.
func (c *Client) Append(ctx context.Context, e sinks.Event, after uint64) (uint64, error) {
	msg, err := c.message(e)
	if err != nil {
		return 0, &sinks.RefusedError{Err: err}
	}
	ack, err := c.store(ctx, msg, jetstream.WithExpectLastSequencePerSubject(after))
	switch {
	case err == nil && !ack.Duplicate:
		return ack.Sequence, nil
	case refused(err):
		return 0, &sinks.RefusedError{Err: err}
	case err == nil || movedOn(err): // it may be there, or have been
		last, seq, failed := c.Last(ctx, e)
		if failed == nil && last != nil && last.Head().ID == e.Head().ID {
			return seq, nil
		}
		err = errors.Join(sinks.ErrMoved, failed)
	}
	return 0, fmt.Errorf("append %s to %s: %w", e.Kind(), msg.Subject, err)
}

// movedOn says whether the last message of a subject was not the one that was expected.
func movedOn(err error) bool {
	failed, ok := errors.AsType[jetstream.JetStreamError](err)
	if !ok || failed.APIError() == nil {
		return false
	}
	code := failed.APIError().ErrorCode
	return code == jetstream.JSErrCodeStreamWrongLastSequence || code == jetstream.JSErrCodeStreamWrongLastSequenceConstant
}

// Last is the last event that the stream holds on the subject of e, and its number; nil and 0
// where there is none. Of e only what its subject depends on is looked at.
func (c *Client) Last(ctx context.Context, e sinks.Event) (sinks.Event, uint64, error) {
	subject, err := sinks.Subject(c.o.Prefix, e)
	if err != nil {
		return nil, 0, err
	}
	limited, cancel := context.WithTimeout(ctx, c.o.Wait)
	defer cancel()
	last, seq, err := c.last(limited, subject)
	if err != nil {
		return nil, 0, fmt.Errorf("read the end of %s: %w", subject, err)
	}
	return last, seq, nil
}

func (c *Client) last(ctx context.Context, subject string) (sinks.Event, uint64, error) {
	if err := c.await(ctx); err != nil {
		return nil, 0, c.away(err)
	}
	s, err := c.js.Stream(ctx, c.Stream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	m, err := s.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	e, err := sinks.Decode(m.Data)
	return e, m.Sequence, err
}

// Told is the events that the stream holds on the subject of e, in order; see Stored.
func (c *Client) Told(ctx context.Context, e sinks.Event) iter.Seq2[sinks.Event, error] {
	return func(yield func(sinks.Event, error) bool) {
		subject, err := sinks.Subject(c.o.Prefix, e)
		if err != nil {
			yield(nil, err)
			return
		}
		for r, err := range c.Stored(ctx, subject) {
			if !yield(r.Event, err) {
				return
			}
		}
	}
}

// Clear removes from the stream what it holds on the subject of e.
func (c *Client) Clear(ctx context.Context, e sinks.Event) error {
	subject, err := sinks.Subject(c.o.Prefix, e)
	if err != nil {
		return err
	}
	return c.Purge(ctx, subject)
}

// Forget removes from the stream all that it holds of a source.
func (c *Client) Forget(ctx context.Context, source string) (err error) {
	for _, subject := range sinks.Subjects(c.o.Prefix, source) {
		err = errors.Join(err, c.Purge(ctx, subject))
	}
	return err
}
