package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/demo"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// demoWindow is the length of the windows: the demo's clip has a scene in each.
const demoWindow = 4 * time.Second

func newDemo(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Caption a built-in clip, on the terminal and on NATS",
		Long: `Caption a built-in H.264 clip, on the terminal and on NATS: starts the embedded NATS server
with a store in a temporary folder, captions the clip, publishes the captions, and prints
what a subscriber receives.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := openTool(cmd, s)
			if err != nil {
				return err
			}
			return t.demo(cmd.Context())
		},
	}
}

const demoIntroduction = `The clip shows a red circle that moves right, a blue square that moves up and a yellow ring
that grows. The built-in model has random weights: its words mean nothing, all else is real.
Captions are printed as they are made, and as a subscriber of %s receives them.

`

// demo does all in a temporary folder and leaves nothing behind.
func (t *tool) demo(ctx context.Context) (err error) {
	folder, err := os.MkdirTemp("", "captiond-demo-")
	if err != nil {
		return fmt.Errorf("make demo folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	file := filepath.Join(folder, "shapes.mp4")
	if err := os.WriteFile(file, demo.Clip(), 0o600); err != nil {
		return fmt.Errorf("write demo clip: %w", err)
	}
	server, err := t.startServer(filepath.Join(folder, "nats"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	fmt.Fprintf(t.streams.out, demoIntroduction, server.URL())
	return t.demoClip(ctx, file, server)
}

// demoClip captions the file and prints each caption, and each again when it has come
// back over NATS.
func (t *tool) demoClip(ctx context.Context, file string, server *nats.Server) (err error) {
	options := natsOptions(t.config.NATS, t.log)
	options.Server = server
	client, err := nats.Dial(options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close(context.WithoutCancel(ctx))) }()

	listening, stop := context.WithCancel(ctx)
	received := make(chan sinks.Event)
	var listener sync.WaitGroup
	listener.Go(func() { listen(listening, client, received) })
	defer listener.Wait()
	defer stop()

	t.publisher = &echo{client, received, t.streams.out, t.config.NATS.Prefix}
	o := captionOptions{out: output{format: formats()[0], stream: t.streams.out}, every: demoWindow}
	return t.withVoice(ctx, standIn, greedy(), func(v pipeline.Voice) error { return o.caption(ctx, t, file, v) })
}

// listen passes on what a subscriber receives.
func listen(ctx context.Context, client *nats.Client, received chan<- sinks.Event) {
	for e, err := range client.Watch(ctx, nats.From{All: true}) {
		if err != nil {
			continue // the publisher waits for the event, and says that it did not come
		}
		select {
		case received <- e:
		case <-ctx.Done():
			return
		}
	}
}

// An echo publishes events and prints them as the subscriber received them.
type echo struct {
	sinks.Sink
	received <-chan sinks.Event
	out      io.Writer
	prefix   string
}

// echoTimeout is how long an event may take through the server in this process.
const echoTimeout = 10 * time.Second

// Publish implements sinks.Sink.
func (d *echo) Publish(ctx context.Context, e sinks.Event) error {
	if err := d.Sink.Publish(ctx, e); err != nil {
		return err
	}
	subject, err := sinks.Subject(d.prefix, e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, echoTimeout)
	defer cancel()
	select {
	case got := <-d.received:
		b, err := sinks.Encode(got)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(d.out, "  on %s: %s\n", subject, b)
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for %s to come back: %w", subject, ctx.Err())
	}
}

// startServer starts the embedded server where the configuration says, or on a free port
// where that one is taken.
func (t *tool) startServer(store string) (*nats.Server, error) {
	o := nats.ServerOptions{StoreDir: store, Listen: t.config.NATS.Listen, Logger: t.log}
	server, err := nats.Start(o)
	if err == nil {
		return server, nil
	}
	t.log.Info("taking a free port for the nats server", "reason", err)
	o.Listen = "127.0.0.1:0"
	return nats.Start(o)
}
