package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// publish puts captions into a server's stream.
func publish(t *testing.T, url string, events ...sinks.Event) {
	t.Helper()
	client, err := nats.Dial(nats.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		sinks.Seal(e)
		if err := client.Publish(t.Context(), e); err != nil {
			t.Error(err)
		}
	}
	if err := client.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func said(source, text string, start int64) *sinks.Caption {
	return &sinks.Caption{
		Header: sinks.Header{Source: source},
		Span:   sinks.Span{Start: sinks.Seconds(start), End: sinks.Seconds(start + 1000), Frames: []sinks.Seconds{sinks.Seconds(start)}, Clock: sinks.ClockNone},
		Speech: sinks.Speech{Text: text, Model: "m@0"},
	}
}

// watchUntil runs captiond watch until its output ends with a text.
func watchUntil(t *testing.T, end string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, w := io.Pipe()
	var done sync.WaitGroup
	done.Go(func() {
		if status := captiondTo(t, ctx, nil, w, io.Discard, append([]string{"watch"}, args...)...); status != exitInterrupted {
			t.Errorf("status %d, want %d", status, exitInterrupted)
		}
		_ = w.Close()
	})
	var out bytes.Buffer
	buf := make([]byte, 1<<12)
	for !strings.HasSuffix(out.String(), end) {
		n, err := r.Read(buf)
		out.Write(buf[:n])
		if err != nil {
			t.Errorf("watch ended with %v after:\n%s", err, out.String())
			break
		}
	}
	cancel()
	go func() { _, _ = io.Copy(io.Discard, r) }()
	done.Wait()
	return out.String()
}

func TestWatch(t *testing.T) {
	t.Parallel()
	server := startBroker(t)
	answer := &sinks.Answer{Header: sinks.Header{Source: "front"}, Question: "is it red?", Span: said("", "", 1000).Span, Speech: sinks.Speech{Text: "yes", Model: "m@0"}}
	gap := &sinks.Gap{Header: sinks.Header{Source: "front", Seq: 7}, Start: 2000, End: 9000, Reason: sinks.GapStalled, FramesLost: 70}
	publish(t, server.URL(), said("front", "a dog", 0), said("back", "a cat", 0), answer, gap, said("side", "a bird", 0), said("front", "the end", 3000))
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"one source", []string{"front"}, "0-1  front  a dog\n1-2  front  is it red? yes\n2  front  [gap to 9: stalled, 70 frames lost]\n3-4  front  the end\n"},
		{"two sources", []string{"front", "back"}, "0-1  front  a dog\n0-1  back  a cat\n1-2  front  is it red? yes\n2  front  [gap to 9: stalled, 70 frames lost]\n3-4  front  the end\n"},
		{"all", nil, "0-1  front  a dog\n0-1  back  a cat\n1-2  front  is it red? yes\n2  front  [gap to 9: stalled, 70 frames lost]\n0-1  side  a bird\n3-4  front  the end\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"--since", "1h", "--nats", server.URL()}, test.args...)
			if got := watchUntil(t, "the end\n", args...); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
	out := watchUntil(t, "}\n", "back", "--since", "1h", "-o", "jsonl", "--nats", server.URL())
	if es := events(t, out); len(es) != 1 || es[0].Head().Source != "back" {
		t.Errorf("JSON lines:\n%s", out)
	}
}

// TestWatchWaitsForTheServer watches where there is no server yet.
func TestWatchWaitsForTheServer(t *testing.T) {
	t.Parallel()
	o := nats.ServerOptions{StoreDir: t.TempDir(), Listen: "127.0.0.1:0"}
	first, err := nats.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	url := first.URL()
	o.Listen = strings.TrimPrefix(url, "nats://")
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	var later sync.WaitGroup
	later.Go(func() {
		server, err := nats.Start(o)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = server.Stop() })
		publish(t, url, said("front", "a dog", 0))
	})
	if got := watchUntil(t, "a dog\n", "--since", "1h", "--nats", url); got != "0-1  front  a dog\n" {
		t.Errorf("got %q", got)
	}
	later.Wait()
}

func TestWatchWrongUsage(t *testing.T) {
	t.Parallel()
	captiond(t, "watch", "front.door").want(t, exitUsage, `"front.door" is no source's name`)
	captiond(t, "watch", "--since", "-1s").want(t, exitUsage, "--since -1s")
	captiond(t, "watch", "-o", "vtt").want(t, exitUsage, `unknown output "vtt"`)
}
