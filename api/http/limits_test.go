package http

import (
	"fmt"
	"testing"
	"time"

	"github.com/captiond/captiond/api"
)

func TestBuckets(t *testing.T) {
	t.Parallel()
	b, now := newBuckets(2), time.Unix(0, 0)
	for i := range 2 * burst {
		if err := b.take("a", now); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	err := b.take("a", now)
	if e, ok := err.(*api.Error); !ok || e.Status != 429 || e.RetryAfter != 500*time.Millisecond { //nolint:errorlint // it is not wrapped
		t.Errorf("%#v", err)
	}
	if err := b.take("b", now); err != nil {
		t.Errorf("another caller: %v", err)
	}
	if err := b.take("a", now.Add(500*time.Millisecond)); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

// Any number of callers take a bounded memory, and the many do not lock out those before them.
func TestManyCallers(t *testing.T) {
	t.Parallel()
	b, now := newBuckets(1), time.Unix(0, 0)
	for i := range 3 * maxCallers {
		_ = b.take(fmt.Sprint(i), now)
	}
	if n := len(b.each); n > maxCallers+1 {
		t.Errorf("%d buckets", n)
	}
	if err := b.take("0", now); err != nil {
		t.Errorf("one of the first: %v", err)
	}
	if err := b.take("new", now); err == nil {
		t.Error("those without a bucket of their own are not held to a rate")
	}
	if err := b.take("new", now.Add(2*burst*time.Second)); err != nil || len(b.each) > 2 {
		t.Errorf("when the others are quiet: %v, %d buckets", err, len(b.each))
	}
}

func TestGates(t *testing.T) {
	t.Parallel()
	g := newGates(3, 2)
	for _, who := range []string{"a", "a", "b"} {
		if err := g.enter(who); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.enter("c"); api.Status(err) != 503 {
		t.Errorf("full: %v", err)
	}
	g.leave("b")
	if err := g.enter("a"); api.Status(err) != 429 {
		t.Errorf("one with enough: %v", err)
	}
	g.leave("a")
	g.leave("a")
	if g.count != 0 || len(g.each) != 0 {
		t.Errorf("%d inside, %v", g.count, g.each)
	}
}
