package model_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/graph"
)

// In other precisions features and logits are near those of float32, and not the same: else
// nothing was computed in them. The parts of the difference that are allowed are what is
// known of 8 bits (docs/performance.md) and what 10 bits of a fraction are worth.
func TestPrecisionsAreNearFloat32(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"video-six", "image-vqa", "image-half"} {
		features, logits := numbers(t, name, graph.Float32)
		for precision, most := range map[graph.Precision]float64{graph.Int8: 0.05, graph.Float16: 0.005} {
			f, l := numbers(t, name, precision)
			for what, off := range map[string]float64{"features": distance(features, f), "logits": distance(logits, l)} {
				if off == 0 || off > most {
					t.Errorf("%s, %v: %s are off by %.5f of their length, want %v at most", name, precision, what, off, most)
				}
			}
		}
	}
}

// numbers are what a checkpoint in some precision makes of a picture and a question.
func numbers(t *testing.T, name string, precision graph.Precision) (features, logits []float32) {
	t.Helper()
	m := openModel(t, filepath.Join("testdata", name), model.Options{Precision: precision})
	f := clip(t, m, 1)[0]
	p, err := m.BeginPicture(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if logits, err = m.Logits(t.Context(), p, "what color is it?"); err != nil {
		t.Fatal(err)
	}
	return f.Vectors(), logits
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
