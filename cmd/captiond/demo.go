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

	"github.com/captiond/captiond/demo/film"
	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/ffmpeg"
	"github.com/captiond/captiond/frames/worker"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// demoScene is the length of a scene of the demo's film, and of its windows.
const demoScene = 4 * time.Second

// demoOptions are the flags of `captiond demo`.
type demoOptions struct {
	scenes int
	seed   uint64
}

func newDemo(s streams) *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Caption moving shapes, beside the truth, by way of NATS",
		Long: `Caption a film of moving shapes, made as you look, and ask about it: starts the embedded
NATS server with a store in a temporary folder, films the scenes as H.264, captions them with
the built-in model, and prints what a subscriber receives beside the truth, with the score.`,
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
	cmd.Flags().IntVar(&o.scenes, "scenes", 8, "number of scenes, 4 s each")
	cmd.Flags().Uint64Var(&o.seed, "seed", 1, "which scenes")
	return cmd
}

// demo does all in a temporary folder and leaves nothing behind.
func (t *tool) demo(ctx context.Context, o demoOptions) (err error) {
	folder, err := os.MkdirTemp("", "captiond-demo-")
	if err != nil {
		return fmt.Errorf("make demo folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	file := filepath.Join(folder, "shapes.mp4")
	scenes, err := o.film(file)
	if err != nil {
		return err
	}
	server, err := t.startServer(filepath.Join(folder, "nats"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	fmt.Fprintf(t.streams.out, "%d scenes of moving shapes, captioned and asked about; this is what a subscriber of %s receives:\n\n",
		len(scenes), server.URL())
	return t.demoFilm(ctx, file, scenes, server)
}

// film writes the scenes to a file.
func (o demoOptions) film(name string) (scenes []*world.Scene, err error) {
	for s := range world.Scenes(o.seed, world.Options{Duration: demoScene}) {
		if scenes = append(scenes, s); len(scenes) == o.scenes {
			break
		}
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("write demo film: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	ffmpeg.Quiet()
	how := ffmpeg.Encoding{Width: 320, Height: 240, Rate: 25, CRF: 23, GOP: 50, BFrames: 2} // as a small camera does
	_, err = film.Write(file, how, scenes...)
	return scenes, err
}

// demoFilm has every scene captioned and one question about it answered.
func (t *tool) demoFilm(ctx context.Context, file string, scenes []*world.Scene, server *nats.Server) (err error) {
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

	score := &scoreboard{out: t.streams.out, scenes: scenes}
	sink := &echo{client, received, score}
	return t.withVoice(ctx, builtIn, greedy(), func(v pipeline.Voice) error {
		job := pipeline.Job{Voice: v, Emit: func(e sinks.Event) error { return sink.Publish(ctx, e) }}
		return t.reader.read(ctx, file, job, talk{clip: func(ctx context.Context, j pipeline.Job, c *worker.Clip) error {
			if err := j.Caption(ctx, c, frames.Every(frames.Window{End: c.Info().Duration}, demoScene)); err != nil {
				return err
			}
			return score.ask(func(w frames.Window, q string) error { return j.Ask(ctx, c, w, []string{q}) })
		}})
	})
}

// A scoreboard prints what was said beside what is true, and how often they agree.
type scoreboard struct {
	out          io.Writer
	scenes       []*world.Scene
	right, total int
}

// ask asks a question about each scene, another kind each time.
func (b *scoreboard) ask(put func(frames.Window, string) error) error {
	for i, s := range b.scenes {
		questions := s.Truth(0, s.Duration).Questions
		q := questions[i*5%len(questions)]
		start := time.Duration(i) * demoScene
		if err := put(frames.Window{Start: start, End: start + demoScene}, q.Text); err != nil {
			return err
		}
	}
	return nil
}

// show prints an event with its truth.
func (b *scoreboard) show(e sinks.Event) error {
	var span sinks.Span
	var said, question string
	switch e := e.(type) {
	case *sinks.Caption:
		span, said = e.Span, e.Text
	case *sinks.Answer:
		span, said, question = e.Span, e.Text, e.Question
	default:
		return fmt.Errorf("show event: a %s was received", e.Kind())
	}
	start := span.Start.Duration()
	truth := b.truth(int(start/demoScene), question)
	b.total++
	if said == truth {
		b.right++
	}
	at := fmt.Sprintf("%v to %v", start, span.End.Duration())
	if question != "" {
		fmt.Fprintf(b.out, "%-12s  asked  %s\n", at, question)
		at = ""
	}
	_, err := fmt.Fprintf(b.out, "%-12s  said   %s\n%-12s  true   %-62s  %d of %d right\n", at, said, "", truth, b.right, b.total)
	return err
}

// truth is the right caption of a scene, or the right answer.
func (b *scoreboard) truth(i int, question string) string {
	s := b.scenes[min(i, len(b.scenes)-1)]
	truth := s.Truth(0, s.Duration)
	for _, q := range truth.Questions {
		if q.Text == question {
			return q.Answer
		}
	}
	return truth.Caption
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

// An echo publishes events and shows them as the subscriber received them.
type echo struct {
	sinks.Sink
	received <-chan sinks.Event
	board    *scoreboard
}

// echoTimeout is how long an event may take through the server in this process.
const echoTimeout = 10 * time.Second

// Publish implements sinks.Sink.
func (d *echo) Publish(ctx context.Context, e sinks.Event) error {
	if err := d.Sink.Publish(ctx, e); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, echoTimeout)
	defer cancel()
	select {
	case got := <-d.received:
		return d.board.show(got)
	case <-ctx.Done():
		return fmt.Errorf("wait for %s to come back: %w", e.Head().ID, ctx.Err())
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
