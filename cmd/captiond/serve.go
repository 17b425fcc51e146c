package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/feed"
	"github.com/captiond/captiond/api/index"
	"github.com/captiond/captiond/configs"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/pipeline/recall"
	"github.com/captiond/captiond/sinks/nats"
	"github.com/captiond/captiond/sinks/outbox"
)

// lastWords is how long events may take to leave, when the daemon is asked to stop. What
// has not left by then waits in the outbox for the next start.
const lastWords = 5 * time.Second

func newServe(s streams) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Watch cameras and publish what they show",
		Long: `Watch the cameras of the configuration and publish captions, answers to standing questions
and events on NATS, until stopped. The NATS server is an embedded one, unless nats.url names
others.

SIGHUP reads the configuration again. SIGINT or SIGTERM stops: what has been seen is still
spoken about and published; a second one stops at once, and loses nothing that was promised.`,
		Example: `  captiond serve -c captiond.yaml
  captiond serve -c captiond.yaml --check`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := openTool(cmd, s)
			if err != nil {
				return err
			}
			if err := t.checkHTTP(); err != nil {
				return err
			}
			if check {
				return t.checkServe()
			}
			return t.serve(cmd)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "say whether the configuration is right, and end")
	return cmd
}

// checkServe says what a configuration would do. It has been found right already.
func (t *tool) checkServe() error {
	names := map[string]bool{t.config.Model.Caption: true, t.config.Model.Answer: true}
	for _, c := range t.config.Cameras {
		names[c.Caption], names[c.Answer] = true, true
	}
	delete(names, "") // that of the section above
	var problems []error
	for name := range names {
		if _, _, err := t.checkpoint(name); err != nil {
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return usageError{err}
	}
	_, err := fmt.Fprintf(t.streams.out, "the configuration is right: %d cameras\n", len(t.config.Cameras))
	return err
}

// serve runs the daemon. The command's context is the request to stop; a second signal ends
// what is still to be finished.
func (t *tool) serve(cmd *cobra.Command) error {
	ctx, abort := context.WithCancel(context.WithoutCancel(cmd.Context()))
	defer abort()
	second := make(chan os.Signal, 2)
	signal.Notify(second, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(second)
	var watching sync.WaitGroup
	watching.Go(func() { // the first one is the command's
		for range 2 {
			select {
			case <-second:
			case <-ctx.Done():
				return
			}
		}
		abort()
	})
	defer watching.Wait()
	defer abort()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	d := &daemon{tool: t, stop: cmd.Context().Done(), reload: reload,
		load: func() (configs.Config, []string, error) { return configs.Load(cmd.Flags(), t.streams.env) }}
	err := d.run(ctx)
	if cmd.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return nil // asked twice
	}
	return err
}

// daemon is `captiond serve` at work.
type daemon struct {
	*tool
	stop    <-chan struct{}
	reload  <-chan os.Signal
	load    func() (configs.Config, []string, error)
	server  *ownServer // nil with servers of others
	client  *nats.Client
	outbox  *outbox.Outbox
	models  *models
	cameras *cameras
	clients *api.Cameras // what clients do with cameras
	videos  *api.Videos
	scenes  *recall.Memory[*pipeline.Scene]
	index   *index.Index
	feed    *feed.Feed
	started time.Time
}

// run opens what the daemon needs, from the broker to the cameras, and closes it in the
// opposite order.
func (d *daemon) run(ctx context.Context) error {
	d.started = time.Now()
	return d.withBroker(ctx, func() error {
		return d.withOutbox(ctx, func() error {
			return d.withModels(ctx, func(m *models) error {
				d.models = m
				return d.withMemory(func() error {
					return d.withSearch(ctx, func() error { return d.withClients(ctx) })
				})
			})
		})
	})
}

// withClients attends to the cameras, takes uploads and answers.
func (d *daemon) withClients(ctx context.Context) (err error) {
	d.cameras = newCameras(d.tool, d.models, d.outbox.Publish)
	if d.clients, err = d.cameras.forClients(); err != nil {
		return err
	}
	return d.withVideos(ctx, func() error {
		return d.withDoors(ctx, func() error { return d.attend(ctx) })
	})
}

// attend runs the cameras until the daemon is to stop.
func (d *daemon) attend(ctx context.Context) error {
	defer d.cameras.stopAll()
	defer close(d.cameras.ended)
	asked, err := d.clients.Asked(ctx)
	if err != nil {
		return err
	}
	if err := d.cameras.apply(ctx, d.config.Cameras, asked); err != nil {
		return err
	}
	d.log.Info("captiond serves", "cameras", len(d.cameras.all()))
	for {
		select {
		case <-d.stop:
			d.log.Info("captiond stops")
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-d.reload:
			if err := d.reconfigure(ctx); err != nil {
				d.log.Error("configuration is kept: the new one is wrong", "err", err)
			}
		case p := <-d.cameras.puts:
			p.done <- d.cameras.apply(ctx, d.cameras.file, p.cameras)
		}
	}
}

// reconfigure reads the configuration again.
func (d *daemon) reconfigure(ctx context.Context) error {
	config, _, err := d.load()
	if err != nil {
		return err
	}
	if err := d.cameras.apply(ctx, config.Cameras, d.cameras.asked); err != nil {
		return err
	}
	logChanges(d.log, d.config, config)
	d.log.Info("configuration read again", "cameras", len(d.cameras.all()))
	return nil
}

// withBroker starts the embedded server, where no other is named, and connects.
func (d *daemon) withBroker(ctx context.Context, use func() error) (err error) {
	options := natsOptions(d.config.NATS, d.log)
	if d.config.NATS.URL == "" {
		if d.server, err = startOwn(serverOptions(d.config, d.log)); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, d.server.stop()) }()
		options.URL = d.server.url()
		d.log.Info("nats server", "url", options.URL)
	}
	if d.client, err = nats.Dial(options); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.client.Close(context.WithoutCancel(ctx))) }()
	if d.server == nil {
		return use()
	}
	return beside(ctx, use, d.server.heal)
}

func (d *daemon) withOutbox(ctx context.Context, use func() error) (err error) {
	d.outbox, err = outbox.Open(outbox.Options{
		Dir: filepath.Join(d.config.State, "outbox"), MaxBytes: int64(d.config.Outbox.MaxBytes),
		MaxAge: d.config.Outbox.MaxAge, Prefix: d.config.NATS.Prefix, Logger: d.log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.outbox.Close(context.WithoutCancel(ctx))) }()
	return beside(ctx, func() error {
		defer d.outbox.Wait(ctx, lastWords)
		return use()
	}, func(ctx context.Context) { _ = d.outbox.Run(ctx, d.client) }) // its error is the context's
}
