package agree

import (
	"math"
	"testing"
)

func TestDifference(t *testing.T) {
	t.Parallel()
	var d difference
	if d.relative() != 0 {
		t.Error("nothing differs from nothing")
	}
	d.add([]float32{3, 4}, []float32{3, 4})
	if d.relative() != 0 {
		t.Error("equal numbers differ")
	}
	d.add([]float32{12, 0}, []float32{12, -1.3})
	if math.Abs(d.relative()-0.1) > 1e-7 || math.Abs(d.worst-1.3) > 1e-6 {
		t.Errorf("off by %v of the length 13, at most %v", d.relative(), d.worst)
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	got := Sum([]Window{
		{Equal: true, Features: 0.03, Logits: 0.1, Worst: 2},
		{Equal: false, Features: 0.01, Logits: 0.4, Worst: 5},
		{Equal: true, Features: 0.02, Logits: 0.2, Worst: 3},
		{Equal: true, Features: 0.06, Logits: 0.3, Worst: 1},
	})
	want := Report{
		Windows: 4, Equal: 3, Agreement: 0.75, Features: 0.025, FeaturesWorst: 0.06,
		Logits: 0.25, LogitsWorst: 0.4, Worst: 5,
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
