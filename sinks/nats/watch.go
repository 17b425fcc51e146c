package nats

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/captiond/captiond/sinks"
)

// From says where to begin reading.
type From = sinks.From

// pause is how long Watch waits before it tries again.
const pause = 250 * time.Millisecond

// A Record is a message of the stream.
type Record = sinks.Record

// Watch is the events of Read.
func (c *Client) Watch(ctx context.Context, from From, subjects ...string) iter.Seq2[sinks.Event, error] {
	return func(yield func(sinks.Event, error) bool) {
		for r, err := range c.Read(ctx, from, subjects...) {
			if !yield(r.Event, err) {
				return
			}
		}
	}
}

// Read is the messages on the subjects (all of the stream's where none are given), in
// the stream's order, each once, until ctx ends. It waits for a server and a stream
// that are not there yet, and resumes where it was after a disconnect. What cannot be
// decoded comes with an error, and reading goes on after it; *sinks.UnknownSchemaError
// is an event of a newer version. What keeps it from reading is logged, and Problem
// tells it.
func (c *Client) Read(ctx context.Context, from From, subjects ...string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		r := reader{c: c, from: from, subjects: subjects}
		for ctx.Err() == nil {
			if !r.read(ctx, yield) || !sleep(ctx, pause) {
				return
			}
		}
	}
}

// reader is a place in the stream.
type reader struct {
	c        *Client
	from     From
	subjects []string
	waiting  bool // for a stream, and said so
}

// read yields until something breaks, and says whether to try again.
func (r *reader) read(ctx context.Context, yield func(Record, error) bool) bool {
	msgs, err := r.open(ctx)
	if err != nil {
		r.explain(err)
		return true
	}
	defer msgs.Stop()
	for {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		if err != nil {
			return true
		}
		more, err := r.deliver(m, yield)
		if err != nil {
			r.c.note(err)
			return true
		}
		if !more {
			return false
		}
	}
}

// explain notes why nothing can be read. A stream that is not there yet is no problem.
func (r *reader) explain(err error) {
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		r.c.note(err)
		return
	}
	if !r.waiting {
		r.waiting = true
		r.c.o.Logger.Info("waiting for the nats stream", "stream", r.c.Stream())
	}
}

// open fixes the place by number, so that an interruption before the first event loses
// none.
func (r *reader) open(ctx context.Context) (jetstream.MessagesContext, error) {
	if err := r.c.await(ctx); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, r.c.o.Wait)
	defer cancel()
	s, err := r.c.js.Stream(limited, r.c.Stream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		r.from = From{All: true} // whatever it will hold is new
	}
	if err != nil {
		return nil, err
	}
	r.place(s.CachedInfo().State)
	consumer, err := r.c.js.OrderedConsumer(limited, r.c.Stream(), r.config())
	if err != nil {
		return nil, err
	}
	r.c.problem.Store(nil)
	return consumer.Messages()
}

// place turns "new" into a number. A stream that ends before our place was made anew.
func (r *reader) place(s jetstream.StreamState) {
	switch {
	case r.from == From{}:
		r.from.Seq = s.LastSeq + 1
	case r.from.Seq > s.LastSeq+1:
		r.c.o.Logger.Warn("nats stream was made anew: reading it from its beginning", "stream", r.c.Stream())
		r.from = From{All: true}
	}
}

func (r *reader) config() jetstream.OrderedConsumerConfig {
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: r.subjects, DeliverPolicy: jetstream.DeliverAllPolicy}
	switch {
	case r.from.Seq > 0:
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, r.from.Seq
	case !r.from.Since.IsZero():
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &r.from.Since
	}
	return cfg
}

func (r *reader) deliver(m jetstream.Msg, yield func(Record, error) bool) (bool, error) {
	meta, err := m.Metadata()
	if err != nil {
		return false, fmt.Errorf("read %s: %w", m.Subject(), err)
	}
	if meta.Sequence.Stream < r.from.Seq {
		return true, nil
	}
	r.from = From{Seq: meta.Sequence.Stream + 1}
	return yield(record(m, meta)), nil
}

func record(m jetstream.Msg, meta *jetstream.MsgMetadata) (Record, error) {
	r := Record{Seq: meta.Sequence.Stream, Stored: meta.Timestamp, Subject: m.Subject(), Data: m.Data()}
	var err error
	if r.Event, err = sinks.Decode(r.Data); err != nil {
		return r, fmt.Errorf("read %s, message %d: %w", r.Subject, r.Seq, err)
	}
	return r, nil
}
