package nats

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/captiond/captiond/sinks"
)

// Extent is what the stream holds now. It waits Options.Wait at most for the server.
func (c *Client) Extent(ctx context.Context) (sinks.Extent, error) {
	info, err := c.info(ctx)
	if err != nil || info == nil {
		return sinks.Extent{}, err
	}
	s := info.State
	return sinks.Extent{First: max(1, s.FirstSeq), Last: s.LastSeq, Removed: s.NumDeleted, Created: info.Created}, nil
}

// Removed is the numbers between the first and the last message of the stream whose
// messages are there no more, in order. It waits as Extent does.
func (c *Client) Removed(ctx context.Context) ([]uint64, error) {
	info, err := c.info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil || info == nil {
		return nil, err
	}
	return info.State.Deleted, nil
}

// info is nil for a stream that is not there.
func (c *Client) info(ctx context.Context, o ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	limited, cancel := context.WithTimeout(ctx, c.o.Wait)
	defer cancel()
	var info *jetstream.StreamInfo
	err := c.await(limited)
	if err == nil {
		var s jetstream.Stream
		if s, err = c.js.Stream(limited, c.Stream()); err == nil {
			info, err = s.Info(limited, o...)
		}
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask stream %s what it holds: %w", c.Stream(), err)
	}
	return info, nil
}

// Replay is the messages that the stream holds on the subjects (all of its where none are
// given) from number seq on, in order, up to the last one there is as it begins to read. A
// stream that is not there holds nothing. What cannot be decoded comes with its record; an
// error without one is the last of the sequence.
func (c *Client) Replay(ctx context.Context, seq uint64, subjects ...string) iter.Seq2[Record, error] {
	return c.replay(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(1, seq)})
}

// replay is the records of what is held.
func (c *Client) replay(ctx context.Context, o jetstream.OrderedConsumerConfig) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for m, err := range c.held(ctx, o) {
			var r Record
			if err == nil {
				var meta *jetstream.MsgMetadata
				if meta, err = m.Metadata(); err == nil {
					r, err = record(m, meta)
				}
			}
			if err != nil {
				err = fmt.Errorf("list stream %s: %w", c.Stream(), err)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
