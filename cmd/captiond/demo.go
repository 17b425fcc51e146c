package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/configs"
	"github.com/captiond/captiond/demo/camera"
	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/frames/ffmpeg"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// The demo's camera, and how it is looked at.
const (
	demoSource = "shapes"
	demoScene  = 4 * time.Second
	demoWindow = 3 * time.Second
	demoEvery  = 500 * time.Millisecond
	// demoLeast is the shortest window that is scored: a shorter one shows too little.
	demoLeast = 1500 * time.Millisecond
)

// demoOptions are the flags of `captiond demo`.
type demoOptions struct {
	scenes int
	seed   uint64
}

func newDemo(s streams) *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a camera that shows moving shapes, beside the truth",
		Long: `Watch a camera that shows moving shapes: starts an RTSP camera in this process, the daemon
with its embedded NATS server and a state folder that is gone afterwards, and a subscriber, who
prints what is said beside the truth, with the score.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.scenes < 1 || o.scenes > 1000 {
				return usageError{fmt.Errorf("--scenes %d: from 1 to 1000", o.scenes)}
			}
			t, err := openTool(cmd, s)
			if err != nil {
				return err
			}
			return t.demo(cmd.Context(), o)
		},
	}
	cmd.AddCommand(newDemoCamera(s))
	cmd.Flags().IntVar(&o.scenes, "scenes", 8, "number of scenes, 4 s each")
	cmd.Flags().Uint64Var(&o.seed, "seed", 1, "which scenes")
	return cmd
}

// newDemoCamera is the demo's camera alone, for daemons elsewhere.
func newDemoCamera(s streams) *cobra.Command {
	var listen string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "camera",
		Short: "Be a camera that shows moving shapes, until interrupted",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ffmpeg.Quiet()
			c, err := camera.Start(camera.Options{Address: listen, Scenes: world.Scenes(seed, world.Options{Duration: demoScene})})
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(s.out, c.URL()); err != nil {
				return err
			}
			return errors.Join(c.Run(cmd.Context()), cmd.Context().Err())
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8554", "address of the RTSP server; it asks for no password")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "which scenes")
	return cmd
}

// demo does all in a temporary folder and leaves nothing behind.
func (t *tool) demo(ctx context.Context, o demoOptions) (err error) {
	folder, err := os.MkdirTemp("", "captiond-demo-")
	if err != nil {
		return fmt.Errorf("make demo folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	server, err := t.startServer(filepath.Join(folder, "nats"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	ffmpeg.Quiet()
	shown, err := camera.Start(camera.Options{Scenes: o.film()})
	if err != nil {
		return err
	}
	t.config.State, t.config.HTTP.Listen, t.config.NATS.URL = folder, "", configs.URL(server.URL())
	t.config.Model.Caption, t.config.Model.Answer = builtIn, builtIn
	t.config.Cameras = []configs.Camera{demoCamera(shown.URL())}
	fmt.Fprintf(t.streams.out, "a camera at %s shows %d scenes of moving shapes, 4 s each;\nthis is what a subscriber of %s is told about windows of up to 3 s:\n\n",
		shown.URL(), o.scenes, server.URL())
	return t.demoLive(ctx, shown, server, o.scenes)
}

// film is the scenes, and the first one again: a scene is over when another begins.
func (o demoOptions) film() iter.Seq[*world.Scene] {
	return func(yield func(*world.Scene) bool) {
		n := 0
		for s := range world.Scenes(o.seed, world.Options{Duration: demoScene}) {
			if n++; !yield(s) || n > o.scenes {
				return
			}
		}
	}
}

// demoCamera is configured as a person would, with the gate off: every window counts.
func demoCamera(url string) configs.Camera {
	c := configs.DefaultCamera()
	c.Name, c.URL, c.Window, c.Every, c.Gate.Enabled = demoSource, configs.URL(url), demoWindow, demoEvery, false
	c.Questions = []configs.Question{{Name: "many", Text: "how many shapes are there?"}}
	return c
}

// demoLive runs the camera, the daemon and the subscriber until the scenes are over.
func (t *tool) demoLive(ctx context.Context, shown *camera.Camera, server *nats.Server, scenes int) (err error) {
	options := natsOptions(t.config.NATS, t.log)
	options.Server = server
	client, err := nats.Dial(options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close(context.WithoutCancel(ctx))) }()
	live, end := context.WithCancelCause(ctx)
	defer end(nil)
	var working sync.WaitGroup
	defer working.Wait()
	defer end(nil)
	working.Go(func() {
		if err := shown.Run(live); err != nil {
			end(err)
		}
	})
	working.Go(func() {
		d := &daemon{tool: t, stop: live.Done(), load: func() (configs.Config, []string, error) { return t.config, nil, nil }}
		if err := d.run(context.WithoutCancel(ctx)); err != nil {
			end(err)
		}
	})
	board := &scoreboard{out: t.streams.out, camera: shown}
	over := time.NewTimer(time.Duration(scenes)*demoScene + demoPatience)
	defer over.Stop()
	received := make(chan sinks.Event)
	working.Go(func() { listen(live, client, received) })
	for board.seen < scenes {
		select {
		case e := <-received:
			if err := board.show(e); err != nil {
				return err
			}
		case <-over.C:
			return fmt.Errorf("only %d of %d scenes were captioned in time", board.seen, scenes)
		case <-live.Done():
			return context.Cause(live)
		}
	}
	return nil
}

// demoPatience is how long the start of the daemon may take, and the last caption.
const demoPatience = 30 * time.Second

// A scoreboard prints what was said beside what is true, and how often they agree.
type scoreboard struct {
	out          io.Writer
	camera       *camera.Camera
	seen         int // scenes that are over
	right, total int
}

// show prints an event with its truth, where it is about one scene. Cuts tell scenes apart.
func (b *scoreboard) show(e sinks.Event) error {
	switch e := e.(type) {
	case *sinks.Caption:
		return b.score(e.Span, "", e.Text)
	case *sinks.Answer:
		return b.score(e.Span, e.Question, e.Text)
	case *sinks.Cut:
		b.seen++
		_, err := fmt.Fprintln(b.out)
		return err
	}
	return nil
}

func (b *scoreboard) score(span sinks.Span, question, said string) error {
	truth, ok := b.camera.Truth(span.StartTime.Time, span.EndTime.Time)
	if !ok || span.End-span.Start < sinks.SecondsOf(demoLeast) {
		return nil
	}
	right := truth.Caption
	for _, q := range truth.Questions {
		if q.Text == question {
			right = q.Answer
		}
	}
	b.total++
	if said == right {
		b.right++
	}
	at := fmt.Sprintf("%.1f to %.1f s", span.Start.Duration().Seconds(), span.End.Duration().Seconds())
	if question != "" {
		said, at = question+" "+said, ""
	}
	_, err := fmt.Fprintf(b.out, "%-14s  said   %s\n%-14s  true   %-62s  %d of %d right\n", at, said, "", right, b.right, b.total)
	return err
}

// listen passes on what a subscriber receives.
func listen(ctx context.Context, client *nats.Client, received chan<- sinks.Event) {
	for e, err := range client.Watch(ctx, nats.From{All: true}) {
		if err != nil {
			continue // written by a later version
		}
		select {
		case received <- e:
		case <-ctx.Done():
			return
		}
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
