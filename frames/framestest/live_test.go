package framestest_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"testing"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/worker"
)

// photo is an MJPEG unit of one shade.
func photo(t *testing.T, size int, shade uint8) frames.Unit {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, size, size))
	draw.Draw(img, img.Rect, image.NewUniform(color.Gray{Y: shade}), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return frames.Unit{Codec: frames.MJPEG, Data: b.Bytes(), Key: true}
}

// testLive feeds a child of its own with photos, of which one is rubbish and one is larger.
func testLive(t *testing.T, d worker.Decoder) {
	var moved, given []time.Duration
	err := d.Live(t.Context(), frames.MJPEG, func(_ context.Context, s *worker.Stream) error {
		fed := make(chan error, 1)
		go func() { fed <- feed(t, s) }()
		for {
			seen, err := s.Next()
			switch {
			case err != nil:
				return errors.Join(err, <-fed)
			case seen.Drained:
				return <-fed
			case seen.Image == nil:
				moved = append(moved, seen.PTS)
				continue
			}
			given = append(given, seen.PTS)
			if shade, want := int(seen.Image.Pix[0]), 10+20*int(seen.PTS/(100*time.Millisecond)); shade < want-3 || shade > want+3 {
				t.Errorf("frame at %v has shade %d, want %d", seen.PTS, shade, want)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(moved) != 9 || len(given) != 5 {
		t.Errorf("frames at %v, given %v", moved, given)
	}
}

func feed(t *testing.T, s *worker.Stream) error {
	if err := s.Grid(100*time.Millisecond, 200*time.Millisecond); err != nil {
		return err
	}
	for i := range 10 {
		u := photo(t, 64+64*(i/7), uint8(10+20*i))
		if i == 4 {
			u.Data = []byte("no photo")
		}
		if err := s.Feed(u, time.Duration(i)*100*time.Millisecond); err != nil {
			return err
		}
	}
	return s.Drain()
}

// testLiveEnds shows that a child that is killed, or whose camera is given up, costs an error.
func testLiveEnds(t *testing.T, d worker.Decoder) {
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	err := d.Live(ctx, frames.H264, func(_ context.Context, s *worker.Stream) error {
		go cancel(enough)
		_, err := s.Next()
		return err
	})
	if !errors.Is(err, enough) {
		t.Errorf("after the end of the context: %v", err)
	}
	if err := d.Live(t.Context(), "magicyuv", func(_ context.Context, s *worker.Stream) error {
		_, err := s.Next()
		return err
	}); err == nil {
		t.Error("a codec that is not allowed")
	}
}
