package nats_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
	"github.com/captiond/captiond/sinks/sinktest"
)

// told is the texts that the stream holds of a source.
func told(t *testing.T, c *nats.Client, like sinks.Event) (texts []string) {
	t.Helper()
	for e, err := range c.Told(t.Context(), like) {
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, e.(*sinks.Caption).Text)
	}
	return texts
}

// Of two writers who go on from the same place one is refused, and the same event is one.
func TestAppend(t *testing.T) {
	t.Parallel()
	c := dial(t, nats.Options{Server: start(t, nats.ServerOptions{})})
	var after []uint64
	for i, last := 0, uint64(0); i < 3; i++ {
		seq, err := c.Append(t.Context(), sinktest.Caption(i), last)
		if err != nil || seq <= last {
			t.Fatalf("caption %d: number %d, %v", i, seq, err)
		}
		after, last = append(after, seq), seq
	}
	if seq, err := c.Append(t.Context(), sinktest.Caption(2), after[1]); err != nil || seq != after[2] {
		t.Errorf("the last one again: number %d, %v; want %d", seq, err, after[2])
	}
	for place, last := range map[string]uint64{"first": 0, "middle": after[0]} {
		if _, err := c.Append(t.Context(), sinktest.Caption(9), last); !errors.Is(err, sinks.ErrMoved) {
			t.Errorf("another caption behind the %s: %v, want %v", place, err, sinks.ErrMoved)
		}
	}
	if got := told(t, c, sinktest.Caption(0)); !slices.Equal(got, []string{"caption 0", "caption 1", "caption 2"}) {
		t.Errorf("the stream holds %q", got)
	}
	last, seq, err := c.Last(t.Context(), sinktest.Caption(0))
	if err != nil || seq != after[2] || last.Head().ID != sinktest.Caption(2).ID {
		t.Errorf("the last is %v as number %d, %v", last, seq, err)
	}
}

func TestClear(t *testing.T) {
	t.Parallel()
	c := dial(t, nats.Options{Server: start(t, nats.ServerOptions{})})
	other := &sinks.Caption{Header: sinks.Header{Source: "other"}}
	sinks.Seal(other)
	status := &sinks.Status{Header: sinks.Header{Source: "test"}, State: sinks.StateLive}
	sinks.Seal(status)
	for _, e := range []sinks.Event{other, status} {
		if err := c.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	seq, err := c.Append(t.Context(), sinktest.Caption(0), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Clear(t.Context(), sinktest.Caption(0)); err != nil {
		t.Fatal(err)
	}
	if e, n, err := c.Last(t.Context(), status); err != nil || e == nil || n == 0 {
		t.Errorf("after the captions were cleared the status is %v, %d, %v", e, n, err)
	}
	if _, err := c.Append(t.Context(), sinktest.Caption(1), seq); !errors.Is(err, sinks.ErrMoved) {
		t.Errorf("behind a caption that was cleared: %v", err)
	}
	if _, err := c.Append(t.Context(), sinktest.Caption(0), 0); !errors.Is(err, sinks.ErrMoved) {
		t.Errorf("one that was cleared, while its id is known: %v", err)
	}
	if _, err := c.Append(t.Context(), sinktest.Caption(1), 0); err != nil {
		t.Errorf("the first one after that: %v", err)
	}
	if err := c.Forget(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	for _, like := range []sinks.Event{status, sinktest.Caption(0)} {
		if e, n, err := c.Last(t.Context(), like); err != nil || e != nil || n != 0 {
			t.Errorf("of a source that was forgotten there is %v, %d, %v", e, n, err)
		}
	}
	if e, _, err := c.Last(t.Context(), other); err != nil || e == nil {
		t.Errorf("another source: %v, %v", e, err)
	}
}

// What is asked before anything was published finds nothing, and no error.
func TestLastWithoutAStream(t *testing.T) {
	t.Parallel()
	c := dial(t, nats.Options{Server: start(t, nats.ServerOptions{})})
	if e, n, err := c.Last(t.Context(), sinktest.Caption(0)); err != nil || e != nil || n != 0 {
		t.Errorf("%v, %d, %v", e, n, err)
	}
	if err := errors.Join(c.Clear(t.Context(), sinktest.Caption(0)), c.Forget(t.Context(), "test")); err != nil {
		t.Error(err)
	}
	if _, _, err := c.Last(t.Context(), &sinks.Caption{Header: sinks.Header{Source: "a.b"}}); err == nil {
		t.Error("a source that is no name has a subject")
	}
	js, err := jetstream.New(c.Conn())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AccountInfo(t.Context()); err != nil {
		t.Error(fmt.Errorf("the connection does not work for others: %w", err))
	}
}
