package main

import (
	"context"
	"errors"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/rtsp"
	"github.com/captiond/captiond/frames/worker"
	"github.com/captiond/captiond/pipeline/live"
	"github.com/captiond/captiond/sinks"
)

// A connection reaches a camera by RTSP.
type connection struct{ rtsp.Camera }

// Attend implements live.Connection.
func (connection) Attend(ctx context.Context, attempt func(context.Context) (time.Duration, error), report func(error, time.Duration)) error {
	return rtsp.Supervise(ctx, attempt, report)
}

// State implements live.Connection.
func (connection) State(err error) sinks.State {
	var refused *rtsp.RefusedError
	var noVideo *rtsp.NoVideoError
	switch {
	case errors.Is(err, rtsp.ErrPassword):
		return sinks.StateWrongPassword
	case errors.As(err, &refused):
		return sinks.StateRefused
	case errors.As(err, &noVideo):
		return sinks.StateNoVideo
	case errors.Is(err, live.ErrStalled):
		return sinks.StateStalled
	}
	return sinks.StateConnecting
}

// decodeLive has a sandboxed child decode a camera. One thread is enough for most, and the
// machine is shared.
func decodeLive(d worker.Decoder) live.Decode {
	d.Threads = 1
	return func(ctx context.Context, codec frames.Codec, use func(context.Context, live.Stream) error) error {
		return d.Live(ctx, codec, func(ctx context.Context, s *worker.Stream) error { return use(ctx, s) })
	}
}
