package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/captiond/captiond/configs"
	"github.com/captiond/captiond/sinks/nats"
)

// natsOptions are those of a client, as configured.
func natsOptions(c configs.NATS, log *slog.Logger) nats.Options {
	return nats.Options{
		URL:             c.URL.Reveal(),
		User:            c.Username,
		Password:        c.Password.Reveal(),
		CredentialsFile: c.CredentialsFile,
		CAFile:          c.CAFile,
		Prefix:          c.Prefix,
		Retention:       c.Retention,
		MaxBytes:        int64(c.MaxBytes),
		Logger:          log,
	}
}

// withPublisher has events published while use runs, where a server is named.
func (t *tool) withPublisher(ctx context.Context, use func() error) (err error) {
	if t.config.NATS.URL == "" {
		return use()
	}
	client, err := nats.Dial(natsOptions(t.config.NATS, t.log))
	if err != nil {
		return err
	}
	defer func() {
		t.publisher = nil
		err = errors.Join(err, client.Close(context.WithoutCancel(ctx)))
	}()
	t.publisher = client
	return use()
}

// checkBroker sees whether the configured server answers; without one there is nothing
// to see.
func (t *tool) checkBroker(ctx context.Context) (f finding, err error) {
	if t.config.NATS.URL == "" {
		return finding{detail: "none is configured: events are published with --nats URL"}, nil
	}
	client, err := nats.Dial(natsOptions(t.config.NATS, t.log))
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, client.Close(context.WithoutCancel(ctx))) }()
	if err := client.Check(ctx); err != nil {
		return f, fmt.Errorf("%w: is the server running, with JetStream, at %v?", err, t.config.NATS.URL)
	}
	return finding{detail: fmt.Sprintf("%v answers, JetStream is there", t.config.NATS.URL)}, nil
}
