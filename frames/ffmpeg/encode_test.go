package ffmpeg

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// encode writes n barcode pictures, their left half reddish below.
func encode(t *testing.T, name string, n int) []byte {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	e, err := Create(f, Encoding{Width: 128, Height: 96, Rate: 10, CRF: 18, GOP: 12, BFrames: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := e.Write(barcode(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func barcode(i int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, 128, 96))
	for y := range 96 {
		for x := range 128 {
			switch {
			case y < 48 && i>>(x/16)&1 == 1:
				img.SetRGBA(x, y, color.RGBA{255, 255, 255, 255})
			case y >= 48 && x < 64:
				img.SetRGBA(x, y, color.RGBA{220, 140, 120, 255})
			}
		}
	}
	return img
}

func TestEncode(t *testing.T) {
	t.Parallel()
	b := encode(t, "a.mp4", 30)
	if !bytes.Equal(b, encode(t, "b.mp4", 30)) {
		t.Error("the same pictures gave other bytes")
	}
	c, err := Open(bytes.NewReader(b), int64(len(b)), limits())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if i := c.Info(); i.Duration != 3*time.Second || i.Codec != "h264" || i.Damage != "" {
		t.Errorf("%+v", i)
	}
	for i, p := range show(t, c, middles(every10(30))...) {
		if n := number(p); n != i || p.PTS.Round(time.Millisecond) != time.Duration(i)*100*time.Millisecond {
			t.Errorf("picture %d is %d at %v", i, n, p.PTS)
		}
		if got := pixel(p, 32, 72); distance(got, [3]int{220, 140, 120}) > 4 {
			t.Errorf("picture %d: %v", i, got)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error)          { return 0, errors.New("no space left on device") }
func (full) Seek(o int64, _ int) (int64, error) { return o, nil }

func TestEncodeFails(t *testing.T) {
	t.Parallel()
	if _, err := Create(full{}, Encoding{Width: 127, Height: 96, Rate: 10}); err == nil {
		t.Error("an odd width was taken")
	}
	e, err := Create(full{}, Encoding{Width: 128, Height: 96, Rate: 10, CRF: 18})
	for i := 0; err == nil && i < 3; i++ {
		err = e.Write(barcode(i))
	}
	if err == nil {
		err = e.Close()
	}
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("no space left")) {
		t.Errorf("a full disk: %v", err)
	}
}
