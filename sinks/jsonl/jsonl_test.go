package jsonl_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/jsonl"
	"github.com/captiond/captiond/sinks/sinktest"
)

func TestSink(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) (sinks.Sink, func() []string) {
		var b bytes.Buffer
		return jsonl.New(&b), func() []string { return sinktest.Texts(read(t, b.String())) }
	})
}

func read(t *testing.T, lines string) (events []sinks.Event) {
	t.Helper()
	for l := range strings.Lines(lines) {
		e, err := sinks.Decode([]byte(l))
		if err != nil || !strings.HasSuffix(l, "\n") {
			t.Fatalf("line %q: %v", l, err)
		}
		events = append(events, e)
	}
	return events
}

// full takes some bytes and then fails, once.
type full struct {
	bytes.Buffer
	room int
}

func (f *full) Write(b []byte) (int, error) {
	if room := f.room; room > 0 && room < len(b) {
		f.room = 0
		f.Buffer.Write(b[:room])
		return room, syscall.ENOSPC
	}
	return f.Buffer.Write(b)
}

func TestRetryCompletesATornLine(t *testing.T) {
	t.Parallel()
	f := &full{room: 50}
	s := jsonl.New(f)
	if err := s.Publish(t.Context(), sinktest.Caption(0)); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("disk full: %v", err)
	}
	for _, i := range []int{0, 1} {
		if err := s.Publish(t.Context(), sinktest.Caption(i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := sinktest.Texts(read(t, f.String())); len(got) != 2 {
		t.Errorf("got %q", got)
	}
}

func TestErrorsOfTheSystem(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	if err := jsonl.New(w).Publish(t.Context(), sinktest.Caption(0)); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a pipe without reader: %v", err)
	}
	dev, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	if err := jsonl.New(dev).Publish(t.Context(), sinktest.Caption(0)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
}
