package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/captiond/captiond/pipeline/files"
)

// worker is the name of the consumer that all workers share.
const worker = "worker"

// takeFor is how long the server is asked for a job at a time.
const takeFor = 5 * time.Second

// Queue is the jobs that wait and those under way: a message each, on <prefix>.work.<id> in the
// stream <PREFIX>_WORK, until it is done. A job that nobody confirms for Options.Patience and a
// quarter more, so that a worker who gives up comes first, is handed out again, as often as it
// takes; that it is not for ever is for the worker to see to.
type Queue struct {
	o        Options
	js       jetstream.JetStream
	stream   place[jetstream.Stream]
	consumer place[jetstream.Consumer]
}

// NewQueue is the queue of a connection, which the caller closes. It talks to no server yet.
func NewQueue(nc *nats.Conn, o Options) (*Queue, error) {
	js, err := open(nc)
	if err != nil {
		return nil, err
	}
	return &Queue{o: o.withDefaults(), js: js}, nil
}

func (q *Queue) subject(id string) string { return q.o.Prefix + ".work." + id }

func (q *Queue) ensure(ctx context.Context) (jetstream.Stream, error) {
	name := q.o.name("WORK")
	return q.stream.get(func() (jetstream.Stream, error) { return q.js.Stream(ctx, name) },
		func() (jetstream.Stream, error) {
			return q.js.CreateStream(ctx, jetstream.StreamConfig{
				Name: name, Description: "videos that captiond is to caption", Subjects: []string{q.subject(">")},
				Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
				MaxMsgs: q.o.Waiting, Discard: jetstream.DiscardNew,
				MaxMsgsPerSubject: 1, DiscardNewPerSubject: true, // a job once
			})
		})
}

// Add puts a job behind those that wait. One that is there already stays where it is. It is
// files.ErrFull where Options.Waiting are there. After any other error the job may be there or
// not.
func (q *Queue) Add(ctx context.Context, id string) error {
	limited, cancel := bounded(ctx)
	defer cancel()
	err := q.add(limited, id)
	if missing(err) { // the stream has been removed
		err = q.add(limited, id)
	}
	if err != nil {
		return fmt.Errorf("queue job: %w", err)
	}
	return nil
}

func (q *Queue) add(ctx context.Context, id string) error {
	s, err := q.ensure(ctx)
	if err != nil {
		return err
	}
	_, err = q.js.Publish(ctx, q.subject(id), []byte(id), jetstream.WithExpectStream(s.CachedInfo().Config.Name))
	q.stream.lost(err)
	switch why := limit(err); {
	case strings.Contains(why, "per subject"):
		return nil
	case why != "":
		return files.ErrFull
	}
	return err
}

// Full says whether there is no room for another job.
func (q *Queue) Full(ctx context.Context) (bool, error) {
	limited, cancel := bounded(ctx)
	defer cancel()
	s, err := q.ensure(limited)
	if err != nil {
		return false, fmt.Errorf("ask job queue: %w", err)
	}
	info, err := s.Info(limited)
	q.stream.lost(err)
	if err != nil {
		return false, fmt.Errorf("ask job queue: %w", err)
	}
	most := info.Config.MaxMsgs
	return int64(info.State.Msgs) >= q.o.Waiting || most > 0 && int64(info.State.Msgs) >= most, nil
}

// Remove takes a job out, whether it waits or is under way. The worker that has it is not told.
func (q *Queue) Remove(ctx context.Context, id string) error {
	limited, cancel := bounded(ctx)
	defer cancel()
	if err := purge(limited, q.js, q.o.name("WORK"), q.subject(id)); err != nil {
		return fmt.Errorf("remove job from queue: %w", err)
	}
	return nil
}

// Take implements files.Queue.
func (q *Queue) Take(ctx context.Context) (files.Delivery, error) {
	for ctx.Err() == nil {
		m, err := q.next(ctx)
		switch {
		case err == nil:
			if d, err := q.deliver(m); err != nil || d != nil {
				return d, err
			}
		case ctx.Err() == nil && !errors.Is(err, jetstream.ErrNoMessages):
			return nil, fmt.Errorf("take job: %w", err)
		}
	}
	return nil, context.Cause(ctx)
}

func (q *Queue) next(ctx context.Context) (jetstream.Msg, error) {
	c, err := q.ensureConsumer(ctx)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, takeFor)
	defer cancel()
	batch, err := c.Fetch(1, jetstream.FetchContext(limited))
	if err == nil {
		if m := <-batch.Messages(); m != nil {
			return m, nil
		}
		err = batch.Error()
	}
	if end, _ := limited.Deadline(); err == nil || !time.Now().Before(end) {
		return nil, jetstream.ErrNoMessages
	}
	q.consumer.lost(err)
	return nil, err
}

// ensureConsumer finds the consumer, or makes it. Its patience is that of the process that
// started last.
func (q *Queue) ensureConsumer(ctx context.Context) (jetstream.Consumer, error) {
	limited, cancel := bounded(ctx)
	defer cancel()
	s, err := q.ensure(limited)
	if err != nil {
		return nil, err
	}
	return q.consumer.get(func() (jetstream.Consumer, error) {
		c, err := s.CreateOrUpdateConsumer(limited, jetstream.ConsumerConfig{
			Durable: worker, Description: "workers of captiond", AckPolicy: jetstream.AckExplicitPolicy,
			AckWait: q.o.Patience + q.o.Patience/4, MaxDeliver: -1, MaxAckPending: int(q.o.Waiting),
		})
		q.stream.lost(err)
		return c, err
	}, func() (jetstream.Consumer, error) { return s.Consumer(limited, worker) })
}

// deliver is a message as a job; nil for one that is none, which goes.
func (q *Queue) deliver(m jetstream.Msg) (files.Delivery, error) {
	id := strings.TrimPrefix(m.Subject(), q.subject(""))
	if files.ValidID(id) {
		return &delivery{id, m}, nil
	}
	q.o.Logger.Warn("message in the job queue is no job: it is removed", "subject", m.Subject())
	if err := m.Term(); err != nil {
		return nil, fmt.Errorf("remove %s: %w", m.Subject(), err)
	}
	return nil, nil
}

// delivery is a message that was handed out.
type delivery struct {
	id string
	m  jetstream.Msg
}

// ID implements files.Delivery.
func (d *delivery) ID() string { return d.id }

// Beat implements files.Delivery.
func (d *delivery) Beat() error { return d.m.InProgress() }

// Done implements files.Delivery. It waits until the server knows.
func (d *delivery) Done(ctx context.Context) error { return settled(d.m.DoubleAck(ctx)) }

// Back implements files.Delivery.
func (d *delivery) Back(_ context.Context, after time.Duration) error {
	if after <= 0 {
		return settled(d.m.Nak())
	}
	return settled(d.m.NakWithDelay(after))
}

// settled takes a message that is settled already for what it is.
func settled(err error) error {
	if errors.Is(err, jetstream.ErrMsgAlreadyAckd) {
		return nil
	}
	return err
}
