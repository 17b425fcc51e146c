package pixels

import "testing"

// BenchmarkApply counts the red, green and blue samples of the source picture.
func BenchmarkApply(b *testing.B) {
	for name, t := range map[string]Transform{
		"crop224": Microsoft(224), "crop480": Microsoft(480), "vqa480": MicrosoftVQA(480, 640),
	} {
		b.Run(name, func(b *testing.B) {
			p, err := New(t)
			if err != nil {
				b.Fatal(err)
			}
			img := picture(1920, 1080, true)
			w, h := p.Size(1920, 1080, View{})
			dst := make([]float32, 3*w*h)
			b.SetBytes(3 * 1920 * 1080)
			for b.Loop() {
				p.Apply(dst, img, View{})
			}
		})
	}
}
