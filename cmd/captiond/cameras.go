package main

import (
	"cmp"
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

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/http"
	"github.com/captiond/captiond/api/reach"
	"github.com/captiond/captiond/configs"
	"github.com/captiond/captiond/frames/opencv"
	"github.com/captiond/captiond/frames/rtsp"
	"github.com/captiond/captiond/frames/worker"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/pipeline/live"
	"github.com/captiond/captiond/sinks"
)

// cameras are those that a daemon attends to: those of its configuration, and those that clients
// have added. Apply, start and stop are for the one goroutine that attends.
type cameras struct {
	tool    *tool
	models  *models
	ring    *live.Ring
	load    *live.Load
	emit    func(context.Context, sinks.Event) error
	metrics *http.Metrics
	policy  reach.Policy // where the addresses of clients may lead
	puts    chan put     // what clients ask for
	ended   chan struct{}

	mu      sync.Mutex
	running map[string]*running
	file    []configs.Camera
	asked   []api.NamedCamera
	faults  map[string]string // why cameras of clients are not watched, by name
}

// watched is a camera that is to be attended to.
type watched struct {
	configs.Camera
	client bool // its address is a client's, not the operator's word
}

func (w watched) equal(o watched) bool { return w.client == o.client && w.Equal(o.Camera) }

// running is a camera that is attended to.
type running struct {
	config watched
	camera live.Camera
	stats  live.Stats
	screen *live.Screen
	tap    *live.Tap
	stop   chan struct{}
	done   chan struct{}
}

func newCameras(t *tool, m *models, emit func(context.Context, sinks.Event) error) *cameras {
	return &cameras{
		tool: t, models: m, emit: emit, running: make(map[string]*running),
		ring: live.NewRing(t.config.Ring.Length, int64(t.config.Ring.MaxBytes)), load: live.NewLoad(t.turns),
		policy: policy(t.config, t.config.Reach.Cameras), puts: make(chan put), ended: make(chan struct{}),
	}
}

// apply makes the cameras those of a configuration and of clients: the ones that are gone or
// have changed stop, the ones that are new or have changed start, and the others go on. A camera
// of the configuration whose model cannot be opened is an error, and nothing is done; one of a
// client is not watched, which is told where it is listed.
func (c *cameras) apply(ctx context.Context, file []configs.Camera, asked []api.NamedCamera) error {
	made, faults, err := c.make(c.wanted(file, asked))
	if err != nil {
		return err
	}
	var leaving []string
	for name, r := range c.all() {
		if m, ok := made[name]; !ok || !m.config.equal(r.config) {
			leaving = append(leaving, name)
		} else {
			delete(made, name)
		}
	}
	c.stop(leaving...)
	c.mu.Lock()
	c.file, c.asked, c.faults = file, asked, faults
	c.mu.Unlock()
	for _, m := range made {
		c.start(ctx, m)
	}
	return nil
}

// wanted are the cameras to be watched. A name of the configuration is the configuration's.
func (c *cameras) wanted(file []configs.Camera, asked []api.NamedCamera) (all []watched) {
	taken := make(map[string]bool)
	for _, config := range file {
		taken[config.Name] = true
		all = append(all, watched{Camera: config})
	}
	for _, a := range asked {
		if taken[a.Name] {
			c.tool.log.Warn("camera of the api is not watched: the configuration has one of its name", "source", a.Name)
			continue
		}
		config, _ := cameraConfig(a)
		all = append(all, watched{Camera: config, client: true})
	}
	return slices.DeleteFunc(all, func(w watched) bool { return !w.Enabled })
}

// made is a camera that can be started.
type made struct {
	config watched
	camera live.Camera
}

func (c *cameras) make(wanted []watched) (map[string]made, map[string]string, error) {
	all, faults := make(map[string]made), make(map[string]string)
	var problems []error
	for _, w := range wanted {
		camera, err := c.camera(w)
		switch {
		case err == nil:
			all[w.Name] = made{w, camera}
		case w.client:
			c.tool.log.Error("camera of the api cannot be watched", "source", w.Name, "err", err)
			faults[w.Name] = err.Error()
		default:
			problems = append(problems, fmt.Errorf("camera %s: %w", w.Name, err))
		}
	}
	return all, faults, errors.Join(problems...)
}

func (c *cameras) start(ctx context.Context, m made) {
	r := &running{config: m.config, screen: new(live.Screen), tap: new(live.Tap), stop: make(chan struct{}), done: make(chan struct{})}
	name := m.config.Name
	m.camera.Screen, m.camera.Tap = r.screen, r.tap
	r.camera = m.camera
	r.stats.OnLatency(c.metrics.Latency(name))
	c.mu.Lock()
	c.running[name] = r
	c.mu.Unlock()
	go func() {
		defer close(r.done)
		if err := live.Run(ctx, r.stop, m.camera, &r.stats); err != nil && ctx.Err() == nil {
			c.tool.log.Error("camera ended", "source", name, "err", err)
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
func (c *cameras) camera(config watched) (live.Camera, error) {
	s := settings(config.Camera)
	s.Answers = c.tool.config.Ring.Answers
	name := cmp.Or(config.Caption, c.tool.config.Model.Caption)
	caption, err := c.models.voice(name, config.View)
	if err != nil {
		return live.Camera{}, err
	}
	answer := caption
	switch other := cmp.Or(config.Answer, c.tool.config.Model.Answer); {
	case other == name:
	case s.Answers || len(s.Questions) > 0:
		if answer, err = c.models.voice(other, config.View); err != nil {
			return live.Camera{}, err
		}
	default: // it never sees the camera, and is not opened for it
		answer = pipeline.Voice{Name: other}
	}
	return live.Camera{
		Settings: s, Connection: connection{c.rtsp(config)},
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

// rtsp is where a camera is: one of a client is reached only where the policy allows it.
func (c *cameras) rtsp(w watched) rtsp.Camera {
	r := rtspCamera(w.Camera)
	if w.client {
		r.Dial = c.dial
	}
	return r
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
