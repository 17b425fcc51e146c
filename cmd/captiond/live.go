package main

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/captiond/captiond/configs"
	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/opencv"
	"github.com/captiond/captiond/frames/rtsp"
	"github.com/captiond/captiond/frames/worker"
	"github.com/captiond/captiond/pipeline"
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

// isCamera tells an input that is a live stream.
func isCamera(input string) bool {
	return strings.HasPrefix(input, "rtsp://") || strings.HasPrefix(input, "rtsps://")
}

// captionCamera captions a camera until ctx ends. It is tried again and again, as the daemon
// does, but for what only a person can put right.
func (t *tool) captionCamera(ctx context.Context, config configs.Camera, v pipeline.Voice, out sinks.Sink) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	camera := live.Camera{
		Settings: settings(config), Connection: connection{rtspCamera(config)},
		Decode: decodeLive(t.reader.decoder), Eye: opencv.Eye{}, Caption: v, Answer: v,
		Ring: live.NewRing(config.Window, 0), Load: live.NewLoad(t.turns), Log: t.log,
		Emit: func(ctx context.Context, e sinks.Event) error {
			if s, ok := e.(*sinks.Status); ok {
				t.log.Info("camera", "state", s.State, "detail", s.Detail)
				switch s.State {
				case sinks.StateWrongPassword, sinks.StateRefused, sinks.StateNoVideo:
					cancel(errors.New(s.Detail))
				}
			}
			err := t.publish(ctx, e, out)
			if err != nil {
				cancel(err) // nobody reads what is written
			}
			return err
		},
	}
	return live.Run(ctx, nil, camera, new(live.Stats))
}

// cameraAt is the camera at an address, which may hold a user and a password, in windows that
// follow one another.
func cameraAt(address string, every time.Duration) (configs.Camera, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return configs.Camera{}, usageError{errors.New("read camera address: it must be like rtsp://192.0.2.10/stream1")}
	}
	c := configs.DefaultCamera()
	if u.User != nil {
		password, _ := u.User.Password()
		c.Username, c.Password = u.User.Username(), configs.Secret(password)
		u.User = nil
	}
	c.URL, c.Name = configs.URL(u.String()), liveSource(u.String())
	c.Window, c.Every = every, every
	return c, nil
}
