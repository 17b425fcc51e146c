package opencv

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/captiond/captiond/frames"
)

// halves is a picture whose left half is of one colour and whose right half is of another.
func halves(w, h int, left, right color.RGBA) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(img, img.Rect, image.NewUniform(left), image.Point{}, draw.Src)
	draw.Draw(img, image.Rect(w/2, 0, w, h), image.NewUniform(right), image.Point{}, draw.Src)
	return img
}

func TestSketch(t *testing.T) {
	t.Parallel()
	red, blue := color.RGBA{250, 10, 20, 255}, color.RGBA{5, 15, 240, 255}
	whole := halves(640, 480, red, blue)
	for name, img := range map[string]*image.RGBA{
		"large": halves(1920, 1080, red, blue), "as it is": halves(64, 48, red, blue), "small": halves(8, 6, red, blue),
		"part of another": whole.SubImage(image.Rect(160, 100, 480, 300)).(*image.RGBA),
	} {
		s, err := Eye{}.Sketch(img)
		if err != nil || len(s.RGB) != 3*frames.SketchWidth*frames.SketchHeight {
			t.Fatalf("%s: %d bytes, %v", name, len(s.RGB), err)
		}
		for y := range frames.SketchHeight {
			for _, at := range []struct {
				x    int
				want color.RGBA
			}{{2, red}, {frames.SketchWidth - 3, blue}} {
				p := s.RGB[3*(y*frames.SketchWidth+at.x):]
				if p[0] != at.want.R || p[1] != at.want.G || p[2] != at.want.B {
					t.Fatalf("%s: at %d,%d %v, want %v", name, at.x, y, p[:3], at.want)
				}
			}
		}
	}
	if _, err := (Eye{}).Sketch(image.NewRGBA(image.Rectangle{})); err == nil {
		t.Error("an empty picture")
	}
}

// resident is the memory of this process, in bytes.
func resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// Sketches leave no native memory behind: a Mat that is not closed keeps 8 MB here.
func TestNothingIsLeft(t *testing.T) {
	img := halves(1920, 1080, color.RGBA{1, 2, 3, 255}, color.RGBA{4, 5, 6, 255})
	sketch := func(n int) {
		for range n {
			if _, err := (Eye{}).Sketch(img); err != nil {
				t.Fatal(err)
			}
		}
	}
	sketch(5)
	before := resident(t)
	sketch(200)
	if grown := resident(t) - before; grown > 64<<20 {
		t.Errorf("grown by %d MB over 200 sketches", grown>>20)
	}
}

func BenchmarkSketch(b *testing.B) {
	for _, size := range []image.Point{{640, 360}, {1920, 1080}} {
		b.Run(fmt.Sprintf("%dx%d", size.X, size.Y), func(b *testing.B) {
			img := halves(size.X, size.Y, color.RGBA{1, 2, 3, 255}, color.RGBA{4, 5, 6, 255})
			b.SetBytes(int64(len(img.Pix)))
			for b.Loop() {
				if _, err := (Eye{}).Sketch(img); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
