package ffmpeg

import (
	"image"
	"image/color"
	"image/draw"
	"testing"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/wire"
)

// What is encoded live is decoded live: every picture comes on screen, at its time, and looks
// as it did.
func TestLiveThereAndBack(t *testing.T) {
	t.Parallel()
	for _, bframes := range []int{0, 2} {
		const n = 50
		var us []wire.Unit
		keys := 0
		e, err := Live(Encoding{Width: 64, Height: 48, Rate: 25, CRF: 18, GOP: 20, BFrames: bframes}, func(u frames.Unit) error {
			if u.Key {
				keys++
			}
			us = append(us, wire.Unit{PTS: u.PTS, Key: u.Key, Data: append([]byte(nil), u.Data...)})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		img := image.NewRGBA(image.Rect(0, 0, 64, 48))
		for i := range n {
			draw.Draw(img, img.Rect, image.NewUniform(color.Gray{Y: uint8(4 * i)}), image.Point{}, draw.Src)
			if err := e.Write(img); err != nil {
				t.Fatal(err)
			}
			if bframes == 0 && len(us) != i+1 {
				t.Fatalf("%d units after %d pictures", len(us), i+1)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		h := new(heard)
		f, err := openFeed(wire.Live{Codec: "h264", MaxPixels: 1 << 20, Threads: 1}, func(m wire.Message) error {
			if p, ok := m.(wire.Picture); ok {
				want := 4 * int(p.PTS*25/time.Second)
				if got := int(p.Pixels[0]); got < want-6 || got > want+6 {
					t.Errorf("picture at %v has level %d, want %d", p.PTS, got, want)
				}
			}
			return h.say(m)
		})
		if err != nil {
			t.Fatal(err)
		}
		defer f.close()
		messages := []wire.Message{wire.Grid{From: 0, Every: 40 * time.Millisecond}}
		for _, u := range us {
			messages = append(messages, u)
		}
		for _, m := range append(messages, wire.Drain{}) {
			if err := f.take(m); err != nil {
				t.Fatal(err)
			}
		}
		if len(h.moved) != n || len(h.pictures) < n-1 || keys < 3 {
			t.Errorf("%d B-frames: %d frames, %d pictures, %d key units", bframes, len(h.moved), len(h.pictures), keys)
		}
	}
}
