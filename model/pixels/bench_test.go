package pixels

import (
	"fmt"
	"image"
	"testing"
)

// BenchmarkApply counts the red, green and blue samples of the source picture, also of
// what is cropped. Pictures of 320x240 are made larger by the models of 480 pixels.
func BenchmarkApply(b *testing.B) {
	bilinear := Microsoft(224)
	bilinear.Filter = Bilinear
	for _, c := range []struct {
		name string
		t    Transform
	}{
		{"crop224", Microsoft(224)}, {"bilinear224", bilinear},
		{"crop480", Microsoft(480)}, {"vqa480", MicrosoftVQA(480, 640)},
	} {
		for _, size := range []image.Point{
			{1920, 1080}, {3840, 2160}, {1280, 720}, {1080, 1920}, {640, 480}, {640, 360}, {320, 240},
		} {
			b.Run(fmt.Sprintf("%s/%dx%d", c.name, size.X, size.Y), func(b *testing.B) {
				benchmarkApply(b, c.t, size)
			})
		}
	}
}

func benchmarkApply(b *testing.B, t Transform, size image.Point) {
	p, err := New(t)
	if err != nil {
		b.Fatal(err)
	}
	img := picture(size.X, size.Y, true)
	w, h := p.Size(size.X, size.Y, View{})
	dst := make([]float32, 3*w*h)
	b.SetBytes(3 * int64(size.X) * int64(size.Y))
	for b.Loop() {
		p.Apply(dst, img, View{})
	}
}
