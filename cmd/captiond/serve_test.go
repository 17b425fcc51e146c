package main

import (
	"context"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/captiond/captiond/demo/camera"
	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/frames/ffmpeg"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// startCamera shows scenes until the test ends.
func startCamera(t testing.TB, o camera.Options) *camera.Camera {
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

// measured is what came of watching some of the demo's cameras at once.
type measured struct {
	right, total int             // captions of windows of 1.5 s and more within one scene
	ages         []time.Duration // of captions when they reach a subscriber
	rtcp         int
	dropped      int // frames, windows and units, because the machine was busy
}

// watching is what watchCameras does: so many cameras, gate off, in steps.
type watching struct {
	cameras int
	every   time.Duration
}

// watchCameras serves cameras until each has been captioned n times and n captions are of
// windows that count, or twice as often: where so much else is to be done that pictures come
// late, streams are taken up anew all the time, and hardly a window counts.
func watchCameras(t testing.TB, w watching, n int) (m measured) {
	t.Helper()
	var list []string
	sources, counts, others := map[string]*camera.Camera{}, map[string]int{}, map[string]int{}
	for i := range w.cameras {
		name := fmt.Sprint("shapes", i)
		sources[name] = startCamera(t, camera.Options{Scenes: scenes(uint64(100 + i))})
		list = append(list, strings.Replace(shapesCamera(name, sources[name].URL(), ""), "every: 500ms", "every: "+w.every.String(), 1))
	}
	p := startProcess(t, t.TempDir(), configFile(t, list...))
	defer func() {
		if t.Failed() {
			t.Logf("captions %v, %d of %d right, other events %v", counts, m.right, m.total, others)
		}
	}()
	p.receive(t, nats.From{All: true}, func(e sinks.Event) bool {
		c, ok := e.(*sinks.Caption)
		if !ok {
			others[fmt.Sprint(e.Kind(), " ", e.Head().Source)]++
			return false
		}
		counts[c.Source]++
		m.take(t, c, sources[c.Source])
		least := 2 * n
		for name := range sources {
			least = min(least, counts[name])
		}
		return least >= n && m.total >= n || least >= 2*n
	})
	for _, count := range regexp.MustCompile(`captiond_dropped_total{reason="overload".*} (\d+)`).FindAllStringSubmatch(p.get(t, "/metrics"), -1) {
		dropped, _ := strconv.Atoi(count[1]) // digits
		m.dropped += dropped
	}
	p.end(t, syscall.SIGTERM)
	for name, c := range sources {
		if c.Sessions() != 1 {
			t.Errorf("%s: %d sessions", name, c.Sessions())
		}
	}
	return m
}

func (m *measured) take(t testing.TB, e *sinks.Caption, c *camera.Camera) {
	t.Helper()
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

// Four of the demo's cameras, gate off: captions are true and each camera has one session.
// What is wrong shows before the first or after the last of six frames, of which there are
// fewer where the machine has other work to do. Of a few nothing follows.
func TestServeCameras(t *testing.T) {
	t.Parallel()
	const n = 30
	m := watchCameras(t, watching{4, 500 * time.Millisecond}, n)
	if m.total >= n && float64(m.right) < 0.75*float64(m.total) {
		t.Errorf("%d of %d right", m.right, m.total)
	}
	if m.rtcp == 0 {
		t.Error("no sender report was believed")
	}
}

// BenchmarkServeEight is what eight of the demo's cameras come to: the part of captions that
// is right, how old they are when a subscriber has them, and what was dropped.
func BenchmarkServeEight(b *testing.B) { benchmarkServe(b, watching{8, 500 * time.Millisecond}, 100) }

// BenchmarkServeSixteen is the same of sixteen, a window each second.
func BenchmarkServeSixteen(b *testing.B) { benchmarkServe(b, watching{16, time.Second}, 50) }

func benchmarkServe(b *testing.B, w watching, n int) {
	for b.Loop() {
		m := watchCameras(b, w, n)
		slices.Sort(m.ages)
		b.ReportMetric(float64(m.dropped), "dropped")
		b.ReportMetric(100*float64(m.right)/float64(m.total), "%right")
		b.ReportMetric(float64(m.total), "windows")
		b.ReportMetric(float64(m.ages[len(m.ages)/2].Milliseconds()), "ms-median-age")
		b.ReportMetric(float64(m.ages[len(m.ages)*95/100].Milliseconds()), "ms-p95-age")
	}
}
