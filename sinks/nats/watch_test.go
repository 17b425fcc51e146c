package nats_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
	"github.com/captiond/captiond/sinks/sinktest"
)

func TestWatch(t *testing.T) {
	s := start(t, nats.ServerOptions{})
	log := &signal{text: "waiting for the nats stream", seen: make(chan struct{})}
	c := dial(t, nats.Options{Server: s, Logger: slog.New(slog.NewTextHandler(log, nil))})
	early, endEarly := iter.Pull2(c.Watch(t.Context(), nats.From{}, "captiond.captions.test"))
	defer endEarly()
	done := make(chan sinks.Event, 1)
	go func() { // waits for the stream, which the first publish makes
		e, _, _ := early()
		done <- e
	}()
	select {
	case <-log.seen:
	case <-time.After(30 * time.Second):
		t.Fatal("the reader does not say that it waits for the stream")
	}
	publish(t, dial(t, nats.Options{Server: s}), 0, 6)
	if got := sinktest.Texts(append([]sinks.Event{<-done}, take(t, early, 5)...)); !slices.Equal(got, captions(0, 6)) {
		t.Errorf("a reader before the stream got %q", got)
	}
	for name, test := range map[string]struct {
		from nats.From
		want []string
	}{"all": {nats.From{All: true}, captions(0, 6)}, "seq": {nats.From{Seq: 4}, captions(3, 6)},
		"since": {nats.From{Since: time.Now().Add(-time.Hour)}, captions(0, 6)}} {
		next, end := iter.Pull2(c.Watch(t.Context(), test.from, "captiond.captions.>"))
		if got := sinktest.Texts(take(t, next, len(test.want))); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
		end()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	for e, err := range c.Watch(ctx, nats.From{}) {
		t.Errorf("a reader of what is new got %v %v", e, err)
	}
}

func TestWatchGoesOnAfterWhatItCannotRead(t *testing.T) {
	s := start(t, nats.ServerOptions{Listen: "127.0.0.1:0"})
	c := dial(t, nats.Options{URL: s.URL()})
	publish(t, c, 0, 1)
	if _, err := raw(t, s.URL()).Publish(t.Context(), "captiond.captions.x", []byte(`{"schema":"captiond.dance.v1"}`)); err != nil {
		t.Fatal(err)
	}
	publish(t, c, 1, 2)
	next, end := iter.Pull2(c.Watch(t.Context(), nats.From{All: true}))
	defer end()
	take(t, next, 1)
	if _, err, _ := next(); err == nil {
		t.Error("an unknown schema was read")
	} else if _, ok := errors.AsType[*sinks.UnknownSchemaError](err); !ok {
		t.Errorf("an unknown schema is %v", err)
	}
	take(t, next, 1)
}
