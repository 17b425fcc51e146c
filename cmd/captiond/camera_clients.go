package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/reach"
	"github.com/captiond/captiond/frames/rtsp"
	"github.com/captiond/captiond/sinks"
)

// resolveTime is how long the name in a camera's address may take to be looked up.
const resolveTime = 5 * time.Second

// put is what clients want watched, from now on.
type put struct {
	cameras []api.NamedCamera
	done    chan error
}

var _ api.CameraHost = (*cameras)(nil)

// forClients is what clients can do with the cameras.
func (c *cameras) forClients() (*api.Cameras, error) {
	return api.OpenCameras(api.CamerasOptions{
		File: filepath.Join(c.tool.config.State, "cameras.json"), Host: c, Try: c.try,
	})
}

// dial connects to the camera of a client. What the policy refuses is no loss, and asked for
// again less often; a name that cannot be looked up now may be soon.
func (c *cameras) dial(ctx context.Context, network, address string) (net.Conn, error) {
	p, names := c.policy, &lookup{Resolver: cmp.Or[reach.Resolver](c.policy.Resolver, net.DefaultResolver)}
	p.Resolver = names
	conn, err := p.DialContext(ctx, network, address)
	refusal, refused := errors.AsType[*api.Error](err)
	switch {
	case refused && names.err != nil:
		return nil, refusal
	case refused:
		return nil, &rtsp.RefusedError{Reason: refusal.Message}
	}
	return conn, err
}

// lookup is a resolver that remembers whether it failed.
type lookup struct {
	reach.Resolver
	err error
}

// LookupNetIP implements reach.Resolver.
func (l *lookup) LookupNetIP(ctx context.Context, network, host string) (found []netip.Addr, err error) {
	found, l.err = l.Resolver.LookupNetIP(ctx, network, host)
	return found, l.err
}

// Check implements api.CameraHost.
func (c *cameras) Check(ctx context.Context, n api.NamedCamera) error {
	config, problems := cameraConfig(n)
	for key, err := range config.Problems() {
		problems = append(problems, key+": "+err.Error())
	}
	if err := c.checkAddress(ctx, config.URL.Reveal()); err != nil {
		problems = append(problems, "url: "+err.Error())
	}
	known, err := c.models.offered()
	if err != nil {
		return err
	}
	for key, name := range map[string]string{"caption": config.Caption, "answer": config.Answer} {
		if name != "" && !slices.Contains(known, name) {
			problems = append(problems, fmt.Sprintf("%s: must be the name of a model that this daemon has: %s", key, strings.Join(known, ", ")))
		}
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return api.Errorf(http.StatusUnprocessableEntity, "%s", strings.Join(problems, "; "))
	}
	if _, err := c.camera(watched{Camera: config, client: true}); err != nil {
		return api.Errorf(http.StatusUnprocessableEntity, "caption, answer: %v", err)
	}
	return nil
}

// checkAddress says where an address may not lead. One that is none is told of by others.
func (c *cameras) checkAddress(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	_, err = c.policy.Resolve(ctx, u.Hostname())
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("its name could not be looked up in time: try again, or give an IP address")
	}
	return err
}

// Put implements api.CameraHost.
func (c *cameras) Put(ctx context.Context, list []api.NamedCamera) error {
	p := put{list, make(chan error, 1)}
	select {
	case c.puts <- p:
	case <-c.ended:
		return api.Later(http.StatusServiceUnavailable, time.Second, "the daemon is stopping: the change is kept, and made when it starts")
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-p.done
}

// Cameras implements api.CameraHost.
func (c *cameras) Cameras() []api.Camera {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[string]api.Camera)
	for _, a := range c.asked {
		config, _ := cameraConfig(a)
		all[a.Name] = api.Camera{Name: a.Name, CameraSpec: cameraSpec(config), CameraState: api.CameraState{State: sinks.StateStopped, Detail: c.faults[a.Name]}}
	}
	for _, f := range c.file {
		all[f.Name] = api.Camera{Name: f.Name, Configured: true, CameraSpec: cameraSpec(f), CameraState: api.CameraState{State: sinks.StateStopped}}
	}
	for name, r := range c.running {
		if camera, ok := all[name]; ok {
			camera.CameraState = cameraState(r)
			all[name] = camera
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b api.Camera) int { return cmp.Compare(a.Name, b.Name) })
}

// View implements api.CameraHost.
func (c *cameras) View(name string) (api.CameraView, bool) {
	r := c.all()[name]
	if r == nil {
		return api.CameraView{}, false
	}
	count := r.stats.Count()
	return api.CameraView{
		Screen: r.screen, Tap: r.tap, Masked: len(r.config.Masks) > 0,
		State: cmp.Or(count.State, sinks.StateConnecting), Detail: count.Detail,
	}, true
}

func cameraState(r *running) api.CameraState {
	n := r.stats.Count()
	s := api.CameraState{
		State: cmp.Or(n.State, sinks.StateConnecting), Detail: n.Detail,
		Epoch: n.Epoch, Clock: n.Clock, ClockErrorMS: n.ClockError.Milliseconds(),
		Codec: string(r.tap.Codec()), Stride: n.Stride.Seconds(), Frames: n.Frames, EncoderRuns: n.Encoded,
		Captions: n.Events[sinks.KindCaption], Reconnects: n.Reconnects, Gaps: n.Gaps,
		Dropped: api.CameraDrops{
			Packets: n.LostPackets, Units: n.DroppedUnits, Frames: n.Skipped,
			Samples: n.DroppedSamples, Windows: n.DroppedWindows, Events: n.Unsaid,
		},
	}
	if !n.LastFrame.IsZero() {
		last := n.LastFrame.UTC()
		s.LastFrame, s.LastFrameAge = &last, new(time.Since(last).Seconds())
	}
	return s
}
