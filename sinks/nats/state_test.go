package nats_test

import (
	"slices"
	"testing"
	"time"

	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// cut is an event on another subject than the captions'.
func cut(t *testing.T, c *nats.Client, seq int64) {
	t.Helper()
	e := &sinks.Cut{Header: sinks.Header{Source: "other", Seq: seq}}
	sinks.Seal(e)
	if err := c.Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func TestExtent(t *testing.T) {
	t.Parallel()
	c := dial(t, nats.Options{Server: start(t, nats.ServerOptions{})})
	if got, err := c.Extent(t.Context()); err != nil || got != (sinks.Extent{}) {
		t.Errorf("a stream that is not there: %+v %v", got, err)
	}
	for r, err := range c.Replay(t.Context(), 1) {
		t.Error("it holds something:", r, err)
	}
	begun := time.Now()
	cut(t, c, 0)
	publish(t, c, 0, 2)
	cut(t, c, 1)
	publish(t, c, 2, 3)
	if err := c.Purge(t.Context(), "captiond.captions.test"); err != nil {
		t.Fatal(err)
	}
	cut(t, c, 2)
	got, err := c.Extent(t.Context())
	if age := got.Created.Sub(begun); age < -time.Minute || age > time.Minute {
		t.Errorf("created at %v, not %v", got.Created, begun)
	}
	if want := (sinks.Extent{First: 1, Last: 6, Removed: 3, Created: got.Created}); err != nil || got != want {
		t.Errorf("got %+v %v, want %+v", got, err, want)
	}
	if removed, err := c.Removed(t.Context()); err != nil || !slices.Equal(removed, []uint64{2, 3, 5}) {
		t.Errorf("removed %v %v", removed, err)
	}
	if err := c.Purge(t.Context(), "captiond.events.other"); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Extent(t.Context()); err != nil || got.First != 7 || got.Last != 6 || got.Removed != 0 {
		t.Errorf("an empty stream: %+v %v", got, err)
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	c := dial(t, nats.Options{Server: start(t, nats.ServerOptions{})})
	publish(t, c, 0, 4)
	cut(t, c, 0)
	publish(t, c, 4, 6)
	for _, test := range []struct {
		from     uint64
		subjects []string
		want     []uint64
	}{
		{0, nil, []uint64{1, 2, 3, 4, 5, 6, 7}}, {6, nil, []uint64{6, 7}}, {8, nil, nil}, {99, nil, nil},
		{4, []string{"captiond.captions.test"}, []uint64{4, 6, 7}}, {6, []string{"captiond.events.*"}, nil},
		{3, []string{"captiond.events.>", "captiond.captions.other"}, []uint64{5}},
	} {
		var got []uint64
		for r, err := range c.Replay(t.Context(), test.from, test.subjects...) {
			if err != nil || r.Event == nil || len(r.Data) == 0 || r.Stored.IsZero() {
				t.Fatal(r, err)
			}
			got = append(got, r.Seq)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("from %d, %q: %v, want %v", test.from, test.subjects, got, test.want)
		}
	}
}
