package nats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/captiond/captiond/sinks"
)

var _ sinks.Sink = (*Client)(nil)

// Headers of a message beside Nats-Msg-Id.
const (
	headerType   = "Content-Type"
	headerSchema = "Captiond-Schema"
)

// Publish stores e in the stream and returns once the server has acknowledged it. It
// waits Options.Wait at most for a server that is away, and tries again meanwhile. An
// event whose publish failed may be stored all the same; published again it is the same
// message, for as long as the stream's duplicate window reaches. An event that can never
// be stored is a *sinks.RefusedError. It may be called by several goroutines.
func (c *Client) Publish(ctx context.Context, e sinks.Event) error {
	msg, err := c.message(e)
	if err != nil {
		return &sinks.RefusedError{Err: err}
	}
	_, err = c.store(ctx, msg)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("publish %s on %s: %w", e.Kind(), msg.Subject, err)
	if refused(err) {
		return &sinks.RefusedError{Err: err}
	}
	return err
}

// refused says whether err is about the message itself. Anything a person could put right on
// the server, such as a permission or a full stream, is not.
func refused(err error) bool {
	return errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadSubject) ||
		errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum)
}

func (c *Client) message(e sinks.Event) (*nats.Msg, error) {
	subject, err := sinks.Subject(c.o.Prefix, e)
	if err != nil {
		return nil, err
	}
	data, err := sinks.Encode(e)
	if err != nil {
		return nil, err
	}
	msg := nats.NewMsg(subject)
	msg.Data = data
	msg.Header.Set(headerType, "application/json")
	msg.Header.Set(headerSchema, e.Head().Schema)
	msg.Header.Set(nats.MsgIdHdr, e.Head().ID)
	return msg, nil
}

// store tries until the message is acknowledged, the error will not pass by itself, or
// time is up.
func (c *Client) store(ctx context.Context, msg *nats.Msg, terms ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	limited, cancel := context.WithTimeout(ctx, c.o.Wait)
	defer cancel()
	for {
		ack, err := c.storeOnce(limited, msg, terms)
		switch {
		case err == nil:
			c.problem.Store(nil)
			return ack, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case limited.Err() != nil:
			return nil, c.away(err)
		case !passing(err):
			return nil, err
		}
		if errors.Is(err, jetstream.ErrNoStreamResponse) {
			c.found.Store(false)
		}
		if !sleep(limited, 50*time.Millisecond) {
			return nil, c.away(err)
		}
	}
}

func (c *Client) storeOnce(ctx context.Context, msg *nats.Msg, terms []jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if err := c.await(ctx); err != nil {
		return nil, err
	}
	if err := c.ensure(ctx); err != nil {
		return nil, err
	}
	ack, err := c.js.PublishMsg(ctx, msg, terms...)
	if err != nil {
		return nil, err
	}
	return ack, c.accept(ack)
}

// accept checks where the message went: another stream may hold the same subjects.
func (c *Client) accept(ack *jetstream.PubAck) error {
	if ack.Stream != c.Stream() || ack.Sequence == 0 {
		return fmt.Errorf("stream %s answered, with sequence %d, in place of %s: remove one of them", ack.Stream, ack.Sequence, c.Stream())
	}
	if ack.Duplicate {
		c.duplicates.Add(1)
	}
	return nil
}

// passing says whether another try may succeed.
func passing(err error) bool {
	for _, e := range []error{jetstream.ErrNoStreamResponse, nats.ErrReconnectBufExceeded, nats.ErrDisconnected,
		nats.ErrConnectionReconnecting, nats.ErrTimeout, nats.ErrNoResponders, context.DeadlineExceeded} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// away explains why time ran out.
func (c *Client) away(err error) error {
	if p := c.Problem(); p != nil {
		err = p
	} else if last := c.nc.LastError(); last != nil && !c.nc.IsConnected() {
		err = last
	}
	return fmt.Errorf("no acknowledgement within %v: %w", c.o.Wait, err)
}

// await waits for a connection.
func (c *Client) await(ctx context.Context) error {
	changes := c.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer c.nc.RemoveStatusListener(changes)
	for {
		switch {
		case c.nc.IsConnected():
			return nil
		case c.nc.IsClosed():
			return nats.ErrConnectionClosed
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sleep says whether it slept through.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
