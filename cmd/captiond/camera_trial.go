package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"net"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/pipeline/live"
	"github.com/captiond/captiond/sinks"
)

// trialTime is how long an address may take to show a picture.
const trialTime = 20 * time.Second

// try opens a client's address once, and captions what it shows.
func (c *cameras) try(ctx context.Context, s api.CameraSpec) (api.Trial, error) {
	config, _ := cameraConfig(api.NamedCamera{Name: "test", CameraSpec: s})
	camera, err := c.camera(watched{Camera: config, client: true})
	if err != nil {
		return api.Trial{}, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, trialTime, live.ErrStalled)
	defer cancel()
	img, codec, err := camera.Glimpse(limited)
	switch {
	case ctx.Err() != nil:
		return api.Trial{}, ctx.Err()
	case err != nil:
		return unseen(codec, err), nil
	}
	said, err := captionOnce(ctx, camera.Caption, img)
	if err != nil {
		return api.Trial{}, err
	}
	return api.Trial{
		OK: true, State: sinks.StateLive, Codec: string(codec), Picture: img,
		Caption: said.Text, Confidence: &said.Confidence,
	}, nil
}

// captionOnce is what a model says of a picture.
func captionOnce(ctx context.Context, v pipeline.Voice, img *image.RGBA) (said sinks.Speech, err error) {
	job := pipeline.Job{Input: pipeline.Input{Source: "test"}, Voice: v, Emit: func(e sinks.Event) error {
		if caption, ok := e.(*sinks.Caption); ok {
			said = caption.Speech
		}
		return nil
	}}
	err = job.CaptionPicture(ctx, img)
	return said, err
}

// unseen says why a camera showed nothing.
func unseen(codec frames.Codec, err error) api.Trial {
	t := api.Trial{State: connection{}.State(err), Reason: err.Error(), Codec: string(codec)}
	if t.State == sinks.StateConnecting && codec != "" {
		t.State = sinks.StateStalled // it plays
	}
	switch t.State {
	case sinks.StateStalled:
		t.Reason += ": see that the camera sends H.264, H.265 or MJPEG with a key frame every few seconds"
	case sinks.StateConnecting:
		if op, ok := errors.AsType[*net.OpError](err); ok {
			t.Reason = fmt.Sprintf("the camera cannot be reached: %v", op.Err) // not at which address it is
		}
		t.Reason += ": check the address and its port, and that the camera is on and can be reached from this machine"
	}
	return t
}
