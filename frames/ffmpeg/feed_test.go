package ffmpeg

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/captiond/captiond/frames/wire"
)

// units are the access units of a file whose packets are such: MPEG-TS, MJPEG.
func units(t *testing.T, name string) (us []wire.Unit) {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(f, stat.Size(), Limits{MaxPixels: 1 << 24, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.in.format.SeekFrame(c.in.track.Index(), 0, astiav.NewSeekFlags(astiav.SeekFlagBackward)); err != nil {
		t.Fatal(err)
	}
	for {
		p, err := c.in.next(nil)
		if err != nil {
			return us
		}
		us = append(us, wire.Unit{PTS: length(p.Pts(), c.in.track.TimeBase()), Key: p.Flags().Has(astiav.PacketFlagKey), Data: p.Data()})
	}
}

// heard is what a feed says.
type heard struct {
	moved    []time.Duration
	pictures []time.Duration
	skipped  int64
	drained  bool
}

func (h *heard) say(m wire.Message) error {
	switch m := m.(type) {
	case wire.Moved:
		h.moved, h.skipped = append(h.moved, m.PTS), m.Skipped
	case wire.Picture:
		if len(h.moved) == 0 || h.moved[len(h.moved)-1] != m.PTS {
			return errors.New("a picture that is not on screen")
		}
		h.pictures = append(h.pictures, m.PTS)
	case wire.Shown:
		h.drained = true
	}
	return nil
}

func play(t *testing.T, codec string, grid time.Duration, us []wire.Unit) *heard {
	t.Helper()
	h := new(heard)
	f, err := openFeed(wire.Live{Codec: codec, MaxPixels: 1 << 24, Threads: 2}, h.say)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	messages := []wire.Message{wire.Grid{From: us[0].PTS + grid/2, Every: grid}}
	for _, u := range us {
		messages = append(messages, u)
	}
	for _, m := range append(messages, wire.Drain{}) {
		if err := f.take(m); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// Each frame comes on screen once, in order, and those at the grid's instants are given.
func TestFeed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, codec string }{
		{"h264-b.ts", "h264"}, {"mjpeg.mov", "mjpeg"}, {"hevc-open.ts", "h265"}, {"resize.ts", "h264"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			us := units(t, tt.name)
			const grid = 200 * time.Millisecond
			h := play(t, tt.codec, grid, us)
			if len(h.moved) != len(us) || h.skipped != 0 || !h.drained {
				t.Fatalf("%d of %d frames, %d skipped, drained %t", len(h.moved), len(us), h.skipped, h.drained)
			}
			checkGrid(t, h, us[0].PTS+grid/2, grid)
		})
	}
}

// checkGrid sees that the pictures are those on screen at the instants, and the last one.
func checkGrid(t *testing.T, h *heard, from, every time.Duration) {
	t.Helper()
	last := h.moved[len(h.moved)-1]
	want := map[time.Duration]bool{last: true}
	for at := from; at < last; at += every {
		on := h.moved[0]
		for _, m := range h.moved {
			if m <= at {
				on = m
			}
		}
		want[on] = true
	}
	for _, p := range h.pictures {
		if !want[p] {
			t.Errorf("%v was on screen at no instant", p)
		}
		delete(want, p)
	}
	if len(want) != 0 {
		t.Errorf("not given: %v", want)
	}
}

// After a loss nothing is shown until the next key frame.
func TestFeedAfterLoss(t *testing.T) {
	t.Parallel()
	us := units(t, "h264-b.ts")
	us = append(us[:10:10], us[13:]...)
	us[10].Lost, us[10].Key = true, false
	whole := play(t, "h264", time.Hour, units(t, "h264-b.ts"))
	h := play(t, "h264", time.Hour, us)
	if h.skipped == 0 || len(h.moved)+int(h.skipped) > len(us) || len(h.moved) >= len(whole.moved) {
		t.Errorf("%d frames shown, %d skipped, of %d units", len(h.moved), h.skipped, len(us))
	}
}

func TestFeedRefuses(t *testing.T) {
	t.Parallel()
	if _, err := openFeed(wire.Live{Codec: "magicyuv", MaxPixels: 1, Threads: 1}, nil); err == nil {
		t.Error("a codec that no camera speaks")
	}
	f, err := openFeed(wire.Live{Codec: "h264", MaxPixels: 1 << 20, Threads: 1}, new(heard).say)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if err := f.take(wire.Show{}); err == nil {
		t.Error("a Show of a live stream")
	}
}

// Rubbish is a fault of the stream, and costs nothing else.
func TestFeedOfRubbish(t *testing.T) {
	t.Parallel()
	us := units(t, "h264-b.ts")
	for i := range us {
		for j := 40 + i; j < len(us[i].Data); j += 17 {
			us[i].Data[j] ^= 0x55
		}
	}
	if h := play(t, "h264", time.Second, us); !h.drained {
		t.Error("not drained")
	}
}
