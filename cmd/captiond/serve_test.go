package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/captiond/captiond/demo/camera"
	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/frames/ffmpeg"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// startCamera shows scenes until the test ends.
func startCamera(t *testing.T, o camera.Options) *camera.Camera {
	t.Helper()
	ffmpeg.Quiet()
	c, err := camera.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c
}

func scenes(seed uint64) iter.Seq[*world.Scene] {
	return world.Scenes(seed, world.Options{Duration: 4 * time.Second})
}

// A station is a daemon with a configuration file, and a subscriber of all it says.
type station struct {
	file   string
	log    *lockedBuffer
	stop   func() int // ends the daemon and returns its status
	events chan sinks.Event
	url    string
}

// lockedBuffer is written to by a daemon while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// startStation serves cameras, in YAML, and listens.
func startStation(t *testing.T, cameras string) *station {
	t.Helper()
	dir := t.TempDir()
	s := &station{file: filepath.Join(dir, "captiond.yaml"), log: new(lockedBuffer), events: make(chan sinks.Event, 10000)}
	s.configure(t, cameras)
	server := startBroker(t)
	s.url = server.URL()
	ctx, cancel := context.WithCancel(context.Background())
	status := make(chan int, 1)
	go func() {
		status <- captiondTo(t, ctx, nil, io.Discard, s.log, "serve", "-c", s.file, "--nats", s.url, "--http", "127.0.0.1:0", "--state", filepath.Join(dir, "state"))
	}()
	s.stop = sync.OnceValue(func() int { cancel(); return <-status })
	client, err := nats.Dial(nats.Options{URL: s.url})
	if err != nil {
		t.Fatal(err)
	}
	var listening sync.WaitGroup
	hearing, deaf := context.WithCancel(context.Background())
	listening.Go(func() { listen(hearing, client, s.events) })
	t.Cleanup(func() {
		if s.stop() != exitDone {
			t.Error("the daemon failed")
		}
		deaf()
		listening.Wait()
		if err := client.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(s.log.String())
		}
	})
	return s
}

func (s *station) configure(t *testing.T, cameras string) {
	t.Helper()
	if err := os.WriteFile(s.file, []byte("cameras:\n"+cameras), 0o600); err != nil {
		t.Fatal(err)
	}
}

// gather takes events until enough says so, or a minute is over.
func (s *station) gather(t *testing.T, enough func([]sinks.Event) bool) (got []sinks.Event) {
	t.Helper()
	late := time.After(time.Minute)
	for !enough(got) {
		select {
		case e := <-s.events:
			got = append(got, e)
		case <-late:
			t.Fatalf("only %d events came within a minute", len(got))
		}
	}
	return got
}

// measured is what came of watching some of the demo's cameras at once.
type measured struct {
	right, total int // captions of windows of 1.5 s and more within one scene
	latencies    []int64
	ages         []time.Duration // of captions when they reach a subscriber
	rtcp         int
}

// watchCameras serves so many cameras, gate off, until each has been captioned n times.
func watchCameras(t *testing.T, cameras, n int) (m measured) {
	t.Helper()
	var list strings.Builder
	sources := map[string]*camera.Camera{}
	for i := range cameras {
		name := fmt.Sprint("shapes", i)
		sources[name] = startCamera(t, camera.Options{Scenes: scenes(uint64(100 + i))})
		fmt.Fprintf(&list, "  - {name: %s, url: %q, window: 3s, every: 500ms, gate: {enabled: false}}\n", name, sources[name].URL())
	}
	s := startStation(t, list.String())
	counts := map[string]int{}
	s.gather(t, func(es []sinks.Event) bool {
		if len(es) == 0 {
			return false
		}
		e, ok := es[len(es)-1].(*sinks.Caption)
		if !ok {
			return false
		}
		counts[e.Source]++
		m.take(t, e, sources[e.Source])
		least := n
		for name := range sources {
			least = min(least, counts[name])
		}
		return least >= n
	})
	for name, c := range sources {
		if c.Sessions() != 1 {
			t.Errorf("%s: %d sessions", name, c.Sessions())
		}
	}
	return m
}

func (m *measured) take(t *testing.T, e *sinks.Caption, c *camera.Camera) {
	t.Helper()
	m.latencies = append(m.latencies, e.LatencyMS)
	m.ages = append(m.ages, time.Since(e.EndTime.Time))
	if e.Clock == sinks.ClockRTCP {
		m.rtcp++
	}
	truth, ok := c.Truth(e.StartTime.Time, e.EndTime.Time)
	if !ok || e.End-e.Start < 1500 {
		return
	}
	m.total++
	if truth.Caption == e.Text {
		m.right++
		return
	}
	t.Logf("%s %v-%v said %q, true %q", e.Source, e.Start, e.End, e.Text, truth.Caption)
}

// The demo's cameras, gate off: captions are true and soon, and each camera has one session.
// What is wrong shows before the first or after the last of six frames.
//
//nolint:paralleltest // it is about what two cores can do
func TestServeCameras(t *testing.T) {
	m := watchCameras(t, 8, 50)
	if m.total < 60 || float64(m.right) < 0.9*float64(m.total) {
		t.Errorf("%d of %d right", m.right, m.total)
	}
	slices.Sort(m.latencies)
	slices.Sort(m.ages)
	if m.rtcp == 0 {
		t.Error("no sender report was believed")
	}
	t.Logf("%d of %d right, median latency %d ms, age %v, p95 %v", m.right, m.total,
		m.latencies[len(m.latencies)/2], m.ages[len(m.ages)/2], m.ages[len(m.ages)*95/100])
}
