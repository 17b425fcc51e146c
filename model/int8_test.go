package model_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/graph"
)

// In 8 bits features and logits are near those of float32, and not the same: else nothing
// was computed in 8 bits.
func TestInt8IsNearFloat32(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"video-six", "image-vqa"} {
		var features, logits [2][]float32
		for i, precision := range []graph.Precision{graph.Float32, graph.Int8} {
			m := openModel(t, filepath.Join("testdata", name), model.Options{Precision: precision})
			f := clip(t, m, 1)[0]
			p, err := m.BeginPicture(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			features[i] = f.Vectors()
			if logits[i], err = m.Logits(t.Context(), p, "what color is it?"); err != nil {
				t.Fatal(err)
			}
		}
		for what, numbers := range map[string][2][]float32{"features": features, "logits": logits} {
			off := distance(numbers[0], numbers[1])
			t.Logf("%s: %s are off by %.4f", name, what, off)
			if off == 0 || off > 0.1 {
				t.Errorf("%s: %s are off by %.4f", name, what, off)
			}
		}
	}
}

// distance is the length of the difference over the length of a.
func distance(a, b []float32) float64 {
	var difference, length float64
	for i := range a {
		d := float64(a[i] - b[i])
		difference += d * d
		length += float64(a[i]) * float64(a[i])
	}
	return math.Sqrt(difference / length)
}
