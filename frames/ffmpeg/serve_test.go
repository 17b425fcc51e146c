package ffmpeg

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/captiond/captiond/frames/wire"
)

// parent is the other side of Serve.
type parent struct {
	*wire.Reader
	*wire.Writer
	hangUp func()
	done   chan error
}

func serve(t *testing.T, name string) *parent {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	requests, ask := io.Pipe()
	answers, answer := io.Pipe()
	p := &parent{wire.NewReader(answers, 1<<20), wire.NewWriter(ask), func() { ask.Close() }, make(chan error, 1)}
	go func() {
		defer f.Close()
		err := Serve(f, wire.NewReader(requests, 0), wire.NewWriter(answer))
		answer.Close()
		p.done <- err
	}()
	return p
}

func (p *parent) ask(t *testing.T, m wire.Message) {
	t.Helper()
	if err := p.Write(m); err != nil {
		t.Fatal(err)
	}
}

func (p *parent) read(t *testing.T) wire.Message {
	t.Helper()
	m, err := p.Read()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestServe(t *testing.T) {
	t.Parallel()
	p := serve(t, "h264-b.mkv")
	p.ask(t, wire.Open{MaxPixels: 1 << 20, Threads: 1})
	o, ok := p.read(t).(wire.Opened)
	if !ok || o.Duration != 4*time.Second || o.Width != 128 || o.Title != "a tiny clip" {
		t.Fatalf("opened: %+v", o)
	}
	for range 2 {
		p.ask(t, wire.Show{Instants: []time.Duration{0, time.Millisecond, time.Second}})
		for _, want := range [][2]int{{0, 2}, {2, 1}} {
			if f, ok := p.read(t).(wire.Frame); !ok || f.First != want[0] || f.Count != want[1] || f.Image.Rect.Dx() != 128 {
				t.Fatalf("picture for %d, %d instants, want %v", f.First, f.Count, want)
			}
		}
		if s, ok := p.read(t).(wire.Shown); !ok || s.Damage != "" {
			t.Fatalf("shown: %+v", s)
		}
	}
	p.hangUp()
	if err := <-p.done; err != nil {
		t.Error(err)
	}
}

func TestServeFails(t *testing.T) {
	t.Parallel()
	p := serve(t, "audio.mp4")
	p.ask(t, wire.Open{MaxPixels: 1 << 20, Threads: 1})
	if f, ok := p.read(t).(wire.Failure); !ok || !strings.Contains(f.Message, "no video track") {
		t.Errorf("failure: %+v", f)
	}
	if _, err := p.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("after a failure: %v", err)
	}
	if err := <-p.done; err != nil {
		t.Error(err)
	}
}

func TestServeRefusesNonsense(t *testing.T) {
	t.Parallel()
	p := serve(t, "h264.mp4")
	p.ask(t, wire.Show{Instants: []time.Duration{0}})
	if err := <-p.done; err == nil {
		t.Error("a Show before the Open was taken")
	}
}
