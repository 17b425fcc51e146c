package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/captiond/captiond/api/http"
	"github.com/captiond/captiond/configs"
	"github.com/captiond/captiond/frames/opencv"
	"github.com/captiond/captiond/frames/rtsp"
	"github.com/captiond/captiond/frames/worker"
	"github.com/captiond/captiond/pipeline/live"
	"github.com/captiond/captiond/sinks"
)

// cameras are those that a daemon attends to. All but run is for one goroutine.
type cameras struct {
	tool    *tool
	models  *models
	ring    *live.Ring
	load    *live.Load
	emit    func(context.Context, sinks.Event) error
	metrics *http.Metrics

	mu      sync.Mutex
	running map[string]*running
}

// running is a camera that is attended to.
type running struct {
	config configs.Camera
	stats  live.Stats
	stop   chan struct{}
	done   chan struct{}
}

// turns is how many cameras may use the model at once: a second one makes ready what is not
// the model's own work.
const turns = 2

func newCameras(t *tool, m *models, emit func(context.Context, sinks.Event) error) *cameras {
	return &cameras{
		tool: t, models: m, emit: emit, running: make(map[string]*running),
		ring: live.NewRing(t.config.Ring.Length, int64(t.config.Ring.MaxBytes)), load: live.NewLoad(turns),
	}
}

// apply makes the cameras those of a configuration: the ones that are gone or have changed
// stop, the ones that are new or have changed start, and the others go on. A camera whose
// model cannot be opened is an error, and nothing is done.
func (c *cameras) apply(ctx context.Context, list []configs.Camera) error {
	made := make(map[string]live.Camera)
	wanted := make(map[string]configs.Camera)
	var problems []error
	for _, config := range list {
		if !config.Enabled {
			continue
		}
		camera, err := c.camera(config)
		if err != nil {
			problems = append(problems, fmt.Errorf("camera %s: %w", config.Name, err))
		}
		made[config.Name], wanted[config.Name] = camera, config
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	var leaving []string
	for name, r := range c.all() {
		if w, ok := wanted[name]; !ok || !w.Equal(r.config) {
			leaving = append(leaving, name)
		} else {
			delete(made, name)
		}
	}
	c.stop(leaving...)
	for name, camera := range made {
		c.start(ctx, wanted[name], camera)
	}
	return nil
}

func (c *cameras) start(ctx context.Context, config configs.Camera, camera live.Camera) {
	r := &running{config: config, stop: make(chan struct{}), done: make(chan struct{})}
	r.stats.OnLatency(c.metrics.Latency(config.Name))
	c.mu.Lock()
	c.running[config.Name] = r
	c.mu.Unlock()
	go func() {
		defer close(r.done)
		if err := live.Run(ctx, r.stop, camera, &r.stats); err != nil && ctx.Err() == nil {
			c.tool.log.Error("camera ended", "source", config.Name, "err", err)
		}
	}()
}

// stop ends cameras, side by side, and waits for them.
func (c *cameras) stop(names ...string) {
	var ending []*running
	c.mu.Lock()
	for _, name := range names {
		ending = append(ending, c.running[name])
		delete(c.running, name)
	}
	c.mu.Unlock()
	for _, r := range ending {
		close(r.stop)
	}
	for i, r := range ending {
		<-r.done
		c.ring.Forget(names[i])
		c.metrics.Forget(names[i])
	}
}

// stopAll ends every camera.
func (c *cameras) stopAll() {
	var names []string
	for name := range c.all() {
		names = append(names, name)
	}
	c.stop(names...)
}

// all is who is running now.
func (c *cameras) all() map[string]*running {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[string]*running, len(c.running))
	for name, r := range c.running {
		all[name] = r
	}
	return all
}

// camera is a live source as configured.
func (c *cameras) camera(config configs.Camera) (live.Camera, error) {
	name := config.Caption
	if name == "" {
		name = c.tool.config.Model.Caption
	}
	caption, err := c.models.voice(name, config.View)
	if err != nil {
		return live.Camera{}, err
	}
	answer := caption
	if name = config.Answer; name == "" {
		name = c.tool.config.Model.Answer
	}
	if len(config.Questions) > 0 {
		if answer, err = c.models.voice(name, config.View); err != nil {
			return live.Camera{}, err
		}
	}
	return live.Camera{
		Settings: settings(config), Connection: connection{rtspCamera(config)},
		Decode: decodeLive(c.tool.reader.decoder), Eye: opencv.Eye{}, Caption: caption, Answer: answer,
		Ring: c.ring, Load: c.load, Emit: c.emit, Log: c.tool.log,
	}, nil
}

func settings(c configs.Camera) live.Settings {
	s := live.Settings{
		Source: c.Name, Window: c.Window, Every: c.Every, Unchanged: c.Unchanged,
		Gate: live.Gate{Enabled: c.Gate.Enabled, Threshold: c.Gate.Threshold},
	}
	for _, m := range c.Masks {
		s.Masks = append(s.Masks, live.Mask(m))
	}
	for _, q := range c.Questions {
		s.Questions = append(s.Questions, live.Question(q))
	}
	return s
}

func rtspCamera(c configs.Camera) rtsp.Camera {
	return rtsp.Camera{
		URL: c.URL.Reveal(), Username: c.Username, Password: c.Password.Reveal(),
		Transport: rtsp.Transport(c.Transport), TLS: tlsConfig(c.TLS),
	}
}

// tlsConfig verifies as browsers do, unless one certificate is named or nothing is asked for.
func tlsConfig(c configs.TLS) *tls.Config {
	switch {
	case c.Fingerprint != "":
		return &tls.Config{MinVersion: tls.VersionTLS12,
			InsecureSkipVerify: true, //nolint:gosec // the one certificate that is right is known
			VerifyConnection:   func(s tls.ConnectionState) error { return pinned(s.PeerCertificates, c.Fingerprint) }}
	case !c.Verify:
		return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} //nolint:gosec // the operator's word
	}
	return nil
}

func pinned(chain []*x509.Certificate, fingerprint string) error {
	if len(chain) > 0 {
		sum := sha256.Sum256(chain[0].Raw)
		if strings.EqualFold(hex.EncodeToString(sum[:]), strings.ReplaceAll(fingerprint, ":", "")) {
			return nil
		}
	}
	return errors.New("the camera's certificate is not the one of tls.fingerprint")
}

// liveSource is the source of a camera that is named by its address alone: by no credential.
func liveSource(url string) string {
	sum := sha256.Sum256([]byte(url))
	return "live-" + hex.EncodeToString(sum[:6])
}

// logChanges says what a SIGHUP cannot change.
func logChanges(log *slog.Logger, before, after configs.Config) {
	before.Cameras, after.Cameras = nil, nil
	var changed []string
	for _, s := range []struct {
		name string
		same bool
	}{
		{"state", before.State == after.State}, {"model", before.Model == after.Model}, {"nats", before.NATS == after.NATS},
		{"outbox", before.Outbox == after.Outbox}, {"ring", before.Ring == after.Ring}, {"http", before.HTTP == after.HTTP},
		{"decode", before.Decode == after.Decode}, {"log", before.Log == after.Log},
	} {
		if !s.same {
			changed = append(changed, s.name)
		}
	}
	if len(changed) > 0 {
		log.Warn("these sections have changed and need a restart", "sections", slices.Clip(changed))
	}
}

var _ live.Stream = (*worker.Stream)(nil)
