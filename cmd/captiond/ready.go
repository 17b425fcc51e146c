package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/captiond/captiond/api/http"
	"github.com/captiond/captiond/frames/worker"
	"github.com/captiond/captiond/pipeline/live"
)

func (d *daemon) numbers() http.Numbers {
	n := http.Numbers{
		Cameras: make(map[string]live.Count), Outbox: d.outbox.Stats(), Duplicates: d.client.Duplicates(),
		RingBytes: d.cameras.ring.Bytes(), Stretch: d.cameras.load.Stretch(),
	}
	for name, r := range d.cameras.all() {
		n.Cameras[name] = r.stats.Count()
	}
	return n
}

// ready says whether the daemon can do its work. A camera that is away is told, and no reason
// not to be ready.
func (d *daemon) ready(ctx context.Context, sandbox worker.Ready) http.Readiness {
	r := http.Readiness{
		OK: true, Version: version(), Uptime: time.Since(d.started).Seconds(),
		Cameras: make(map[string]http.Camera),
		Checks: map[string]http.Check{
			"model":   {OK: true, Detail: strings.Join(d.models.names(), ", ")},
			"broker":  d.checkNATS(ctx),
			"outbox":  d.checkOutbox(),
			"sandbox": {OK: sandbox.Seccomp || d.config.Decode.Sandbox == "weak", Detail: fmt.Sprintf("seccomp %t, Landlock ABI %d", sandbox.Seccomp, sandbox.Landlock)},
			"ffmpeg":  {OK: true, Detail: ffmpegDetail(sandbox.Libraries["ffmpeg"])},
		},
	}
	for _, c := range r.Checks {
		r.OK = r.OK && c.OK
	}
	for name, c := range d.cameras.all() {
		r.Cameras[name] = cameraReady(c.stats.Count())
	}
	return r
}

func (d *daemon) checkNATS(ctx context.Context) http.Check {
	if err := d.client.Check(ctx); err != nil {
		return http.Check{Detail: err.Error()}
	}
	if d.server != nil {
		if err := d.server.healthy(); err != nil {
			return http.Check{Detail: err.Error()}
		}
	}
	return http.Check{OK: true}
}

// checkOutbox: events that wait are no fault as long as they have room.
func (d *daemon) checkOutbox() http.Check {
	s := d.outbox.Stats()
	return http.Check{OK: s.Dropped == 0, Detail: fmt.Sprintf("%d events wait, %d were dropped", s.Waiting, s.Dropped)}
}

// ffmpegDetail warns of what has known holes: CVE-2026-8461 is fixed in 5.1.10. The decoder it
// is about is not among those that are allowed.
func ffmpegDetail(version string) string {
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err == nil && major == 5 && minor == 1 && patch < 10 {
		return version + ": update to 5.1.10 when your system offers it"
	}
	return version
}

func cameraReady(c live.Count) http.Camera {
	camera := http.Camera{State: string(c.State), Detail: c.Detail, Epoch: c.Epoch, Clock: string(c.Clock), ClockErrorMS: c.ClockError.Milliseconds()}
	if !c.LastFrame.IsZero() {
		age := time.Since(c.LastFrame).Seconds()
		camera.LastFrameAge = &age
	}
	return camera
}
