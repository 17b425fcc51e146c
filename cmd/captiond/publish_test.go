package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// startBroker runs an embedded server on a free port.
func startBroker(t *testing.T) *nats.Server {
	t.Helper()
	server, err := nats.Start(nats.ServerOptions{StoreDir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// received are the first n events that the stream holds.
func received(t *testing.T, url string, n int) (es []sinks.Event) {
	t.Helper()
	client, err := nats.Dial(nats.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := client.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	for e, err := range client.Watch(t.Context(), nats.From{All: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if es = append(es, e); len(es) == n {
			break
		}
	}
	return es
}

func TestPublishedTwiceIsStoredOnce(t *testing.T) {
	t.Parallel()
	server := startBroker(t)
	args := []string{"caption", shapes, "--every", "4s", "-o", "jsonl", "--nats", server.URL()}
	first := captiond(t, args...)
	first.want(t, exitDone, "")
	captiond(t, args...).want(t, exitDone, "")
	ask := captiond(t, "ask", shapes, "what?", "-o", "jsonl", "--nats", server.URL())
	ask.want(t, exitDone, "")
	want := append(events(t, first.out), events(t, ask.out)...)
	for i, e := range received(t, server.URL(), len(want)) {
		if e.Head().ID != want[i].Head().ID || e.Kind() != want[i].Kind() {
			t.Errorf("event %d is %s %s, want %s %s", i, e.Kind(), e.Head().ID, want[i].Kind(), want[i].Head().ID)
		}
	}
}

func TestBrokerThatIsAway(t *testing.T) {
	t.Parallel()
	got := captiond(t, "caption", shapes, "--nats", "nats://viewer:s3cret%21@127.0.0.1:1")
	got.want(t, exitFailed, "captiond: publish: ")
	for _, secret := range []string{"s3cret", "s3cret!"} {
		if strings.Contains(got.out+got.errors, secret) {
			t.Errorf("the password is told:\n%s", got.errors)
		}
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	got := captiond(t, "demo", "--scenes", "3", "--nats-listen", "127.0.0.1:0")
	got.want(t, exitDone, "")
	var right, total int
	last := got.out[strings.LastIndex(strings.TrimSpace(got.out), "  ")+1:]
	if _, err := fmt.Sscanf(strings.TrimSpace(last), "%d of %d right", &right, &total); err != nil || total < 15 || 10*right < 9*total {
		t.Errorf("%d of %d right: %v\n%s", right, total, err, got.out)
	}
	if n := strings.Count(got.out, "  said   "); n != total || strings.Count(got.out, "  true   ") != total {
		t.Errorf("%d texts of %d:\n%s", n, total, got.out)
	}
	captiond(t, "demo", "--scenes", "0").want(t, exitUsage, "--scenes 0")
}
