package nats

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Stored is the messages that the stream holds on a subject, in order, up to the last one
// there is as it begins to read. A stream that is not there holds nothing. What cannot be
// decoded comes with its record; any other error is the last of the sequence.
func (c *Client) Stored(ctx context.Context, subject string) iter.Seq2[Record, error] {
	return c.replay(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}, DeliverPolicy: jetstream.DeliverAllPolicy})
}

// Held is the ids of the events that the stream holds on a subject and that were stored
// since then. It is for replaying what waited longer than the duplicate window: what is
// held need not be published again. A stream that is not there holds nothing.
func (c *Client) Held(ctx context.Context, subject string, since time.Time) (map[string]bool, error) {
	ids := map[string]bool{}
	for m, err := range c.held(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{subject}, HeadersOnly: true,
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since}) {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", subject, err)
		}
		ids[m.Headers().Get(nats.MsgIdHdr)] = true
	}
	return ids, nil
}

// held reads up to the last message there is. An error is the last of the sequence.
func (c *Client) held(ctx context.Context, o jetstream.OrderedConsumerConfig) iter.Seq2[jetstream.Msg, error] {
	return func(yield func(jetstream.Msg, error) bool) {
		consumer, err := c.js.OrderedConsumer(ctx, c.Stream(), o)
		if errors.Is(err, jetstream.ErrStreamNotFound) || err == nil && consumer.CachedInfo().NumPending == 0 {
			return
		}
		if err != nil {
			yield(nil, err)
			return
		}
		msgs, err := consumer.Messages()
		if err != nil {
			yield(nil, err)
			return
		}
		defer msgs.Stop()
		for pending := uint64(1); pending > 0; {
			m, err := msgs.Next(jetstream.NextContext(ctx))
			if err == nil {
				var meta *jetstream.MsgMetadata
				if meta, err = m.Metadata(); err == nil {
					pending = meta.NumPending
				}
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// Purge removes the messages of a subject from the stream.
func (c *Client) Purge(ctx context.Context, subject string) error {
	s, err := c.js.Stream(ctx, c.Stream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(subject))
	}
	if err != nil {
		return fmt.Errorf("remove %s from the stream: %w", subject, err)
	}
	return nil
}
