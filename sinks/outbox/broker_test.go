package outbox

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

var _ Broker = (*nats.Client)(nil)

func startServer(t *testing.T, dir, listen string) *nats.Server {
	t.Helper()
	s, err := nats.Start(nats.ServerOptions{StoreDir: dir, Listen: listen})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func dialServer(t *testing.T, url string) *nats.Client {
	t.Helper()
	c, err := nats.Dial(nats.Options{URL: url, Wait: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// With a real server that goes away and comes back everything arrives once, in the order of
// each source, and what it will never take does not stop the rest.
//
//nolint:paralleltest // it starts a server
func TestServerAway(t *testing.T) {
	dir := t.TempDir()
	server := startServer(t, dir, "127.0.0.1:0")
	url := server.URL()
	client := dialServer(t, url)
	box := open(t, Options{Dir: t.TempDir(), Segment: 32 << 10})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = box.Run(ctx, client) })
	const sources, each = 4, 300
	speakAll(t, box, sources, 0, each/3)
	waitFor(t, func() bool { return box.Stats().Delivered > each/3 })
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	speakAll(t, box, sources, each/3, 2*each/3)
	waitFor(t, func() bool { return box.Stats().Away })
	server = startServer(t, dir, strings.TrimPrefix(url, "nats://"))
	speakAll(t, box, sources, 2*each/3, each)
	box.Wait(t.Context(), time.Minute)
	cancel()
	running.Wait()
	checkOrder(t, readAll(t, client, sources*each), sources, each)
	if s := box.Stats(); s.Delivered != sources*each || s.Waiting+int(s.Dropped+s.Refused+s.Corrupt) != 0 {
		t.Errorf("%+v", s)
	}
	shut(t, box)
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
}

func waitFor(t *testing.T, so func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(time.Minute); !so(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("waited a minute")
		}
	}
}

// speakAll publishes captions of some sources at the same time.
func speakAll(t *testing.T, box *Outbox, sources, from, to int) {
	t.Helper()
	var publishing sync.WaitGroup
	for s := range sources {
		publishing.Go(func() {
			for i := from; i < to; i++ {
				if err := box.Publish(t.Context(), caption(fmt.Sprint("s", s), i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishing.Wait()
}

// readAll is what the stream holds, n events and a last one that the reader publishes itself.
func readAll(t *testing.T, client *nats.Client, n int) (events []sinks.Event) {
	t.Helper()
	last := caption("last", 0)
	if err := client.Publish(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for e, err := range client.Watch(ctx, nats.From{All: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Head().ID == last.ID {
			return events
		}
		events = append(events, e)
	}
	t.Fatalf("%d of %d events", len(events), n)
	return nil
}

// What a real server took hours ago, it is not given again.
//
//nolint:paralleltest // it starts a server
func TestServerHolds(t *testing.T) {
	server := startServer(t, t.TempDir(), "127.0.0.1:0")
	client := dialServer(t, server.URL())
	for i := range 3 {
		if err := client.Publish(t.Context(), caption("s", i)); err != nil {
			t.Fatal(err)
		}
	}
	var data []byte
	for i := range 5 {
		event, err := sinks.Encode(caption("s", i))
		if err != nil {
			t.Fatal(err)
		}
		data = appendRecord(data, time.Now().Add(-2*time.Hour), event)
	}
	dir := t.TempDir()
	writeSegment(t, dir, data)
	box := open(t, Options{Dir: dir})
	if _, err := box.round(t.Context(), client); err != nil {
		t.Error(err)
	}
	checkOrder(t, readAll(t, client, 5), 1, 5)
	if n := client.Duplicates(); n != 0 {
		t.Errorf("the server was given %d again", n)
	}
	shut(t, box)
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
}

// BenchmarkDelivery is from Publish to the acknowledgement of a server in the process that
// syncs each message, as captiond's own does.
func BenchmarkDelivery(b *testing.B) {
	for _, sources := range []int{1, 8} {
		b.Run(fmt.Sprint("sources=", sources), func(b *testing.B) {
			server, err := nats.Start(nats.ServerOptions{StoreDir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			client, err := nats.Dial(nats.Options{Server: server})
			if err != nil {
				b.Fatal(err)
			}
			box, err := Open(Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			var running sync.WaitGroup
			running.Go(func() { _ = box.Run(ctx, client) })
			for i := 0; b.Loop(); i++ {
				if err := box.Publish(ctx, caption(fmt.Sprint("s", i%sources), i)); err != nil {
					b.Fatal(err)
				}
			}
			box.Wait(ctx, time.Minute)
			b.ReportMetric(float64(box.Stats().Delivered)/b.Elapsed().Seconds(), "events/s")
			cancel()
			running.Wait()
			_, _, _ = box.Close(b.Context()), client.Close(b.Context()), server.Stop()
		})
	}
}
