package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/feed"
	"github.com/captiond/captiond/api/hls"
	"github.com/captiond/captiond/api/http"
	"github.com/captiond/captiond/api/http/tus"
	"github.com/captiond/captiond/api/index"
	"github.com/captiond/captiond/api/micro"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/pipeline/live"
	"github.com/captiond/captiond/pipeline/recall"
)

// withMemory remembers what was asked about while use runs.
func (d *daemon) withMemory(use func() error) error {
	d.scenes = recall.New[*pipeline.Scene](int64(d.config.Answers.Memory))
	defer d.scenes.Close()
	return use()
}

// eventClients is how many may follow events at once: half of the connections that the HTTP
// server has.
const eventClients = 512

// withSearch follows the stream, to find what was said and to pass it on, while use runs.
func (d *daemon) withSearch(ctx context.Context, use func() error) (err error) {
	d.index, err = index.Open(filepath.Join(d.config.State, "index.db"), d.client, index.Options{Logger: d.log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.index.Close()) }()
	d.feed = feed.New(d.client, feed.Options{Prefix: d.config.NATS.Prefix, Clients: eventClients, Logger: d.log})
	return beside(ctx, use, d.index.Run, d.feed.Run)
}

// withDoors lets clients in while use runs: by HTTP, where that is configured, and by NATS.
func (d *daemon) withDoors(ctx context.Context, use func() error) error {
	asker := d.asker()
	d.cameras.metrics = http.NewMetrics(d.numbers)
	return beside(ctx, func() error { return d.withHTTP(ctx, asker, use) }, func(ctx context.Context) {
		if err := micro.Serve(context.WithoutCancel(ctx), ctx.Done(), d.micro(asker)); err != nil {
			d.log.Error("nats services ended", "err", err)
		}
	})
}

// asker answers, whatever door a question comes by.
func (d *daemon) asker() *api.Asker {
	return api.NewAsker(api.AskerOptions{
		Open: d.reader.material, Voice: d.models.speaker, Media: d.videos.Media, Camera: d.cameras.find,
		Ring: d.cameras.ring, Scenes: d.scenes,
		Running: d.config.Answers.AtOnce, Waiting: d.config.Answers.Waiting, Log: d.log,
	})
}

// find is a camera that is attended to.
func (c *cameras) find(name string) (live.Camera, bool) {
	r, ok := c.all()[name]
	if !ok {
		return live.Camera{}, false
	}
	return r.camera, true
}

func (d *daemon) micro(asker *api.Asker) micro.Options {
	c := d.config
	return micro.Options{
		Conn: d.client.Conn(), Asker: asker, Prefix: c.NATS.Prefix, Version: version(),
		Requests: c.Answers.AtOnce + c.Answers.Waiting, MaxMedia: int64(c.Answers.MaxBytes), Folder: d.uploadFolder(), Log: d.log,
	}
}

// withHTTP serves HTTP while use runs.
func (d *daemon) withHTTP(ctx context.Context, asker *api.Asker, use func() error) error {
	if d.config.HTTP.Listen == "" {
		return use()
	}
	l, err := http.Listen(d.config.HTTP.Listen, d.tokens())
	if err != nil {
		return err
	}
	sandbox, err := d.reader.decoder.Probe(ctx)
	if err != nil {
		return fmt.Errorf("start decoder: %w", err)
	}
	o := d.http(asker)
	o.Ready = func(ctx context.Context) http.Readiness { return d.ready(ctx, sandbox) }
	streams := hls.New(d.log)
	resumable, err := tus.New(tus.Options{Folder: d.uploadFolder(), MaxBytes: int64(d.config.Uploads.MaxBytes), Uploads: d.videos, Videos: d.videos})
	if err != nil {
		return err
	}
	o.More = []http.Routes{
		resumable, http.Cameras(d.clients, streams), http.Events(d.feed, d.videos.Sees), http.Search(d.index, d.videos.Sees),
	}
	scheme := "http"
	if o.Certificate != "" {
		scheme = "https"
	}
	d.log.Info("http server", "url", scheme+"://"+l.Addr().String())
	return beside(ctx, use, streams.Run, func(ctx context.Context) {
		if err := http.Serve(ctx, l, o); err != nil {
			d.log.Error("http server ended", "err", err)
		}
	})
}

// http is what the HTTP server tells and does, but for what is mounted.
func (d *daemon) http(asker *api.Asker) http.Options {
	c := d.config
	return http.Options{
		Metrics: d.cameras.metrics, Log: d.log,
		Videos: d.videos, Uploads: d.videos, Library: d.videos, Folder: d.uploadFolder(), Asker: asker, Fetch: d.fetch(),
		Tokens: d.tokens(), RequireToken: c.HTTP.RequireToken, Hosts: names(c.HTTP.Hosts),
		Certificate: c.HTTP.CertFile, Key: c.HTTP.KeyFile,
		Limits: http.Limits{Upload: int64(c.Uploads.MaxBytes), Clip: int64(c.Answers.MaxBytes)},
	}
}

// checkHTTP says, before anything is started, what the HTTP server would not start with.
func (t *tool) checkHTTP() (err error) {
	c := t.config.HTTP
	if c.Listen == "" {
		return nil
	}
	err = http.MayListen(c.Listen, t.tokens())
	if c.CertFile != "" {
		if _, wrong := tls.LoadX509KeyPair(c.CertFile, c.KeyFile); wrong != nil {
			err = errors.Join(err, fmt.Errorf("read certificate (http.cert_file, http.key_file): %w", wrong))
		}
	}
	if err != nil {
		return usageError{err}
	}
	return nil
}

// names are those of a list that is separated by commas.
func names(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
