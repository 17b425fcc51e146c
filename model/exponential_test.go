package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestExponentialSumsLikeMath(t *testing.T) {
	t.Parallel()
	e := newExponential()
	random := rand.New(rand.NewPCG(1, 2))
	for _, deviation := range []float64{0, 0.01, 1, 5, 40, 1e4, 1e30} {
		row := make([]float32, 30522)
		for i := range row {
			row[i] = float32(random.NormFloat64() * deviation)
		}
		if got, want := e.look(row).logSum, logSum(row); math.Abs(got-want) > 1e-9*max(1, math.Abs(want)) {
			t.Errorf("deviation %v: %v, want %v", deviation, got, want)
		}
	}
	for _, row := range [][]float32{{0}, {-5, -5 - 1.0/256}, {3, -1e30}, {2, -745.5}} {
		if got, want := e.look(row).logSum, logSum(row); math.Abs(got-want) > 1e-10 {
			t.Errorf("%v: %v, want %v", row, got, want)
		}
	}
}

func TestExponentialOfNoNumbers(t *testing.T) {
	t.Parallel()
	e := newExponential()
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for at := range 3 {
			row := slices.Repeat([]float32{1}, 3)
			row[at] = float32(bad)
			if got := e.look(row).logSum; !math.IsNaN(got) {
				t.Errorf("%v gives %v", row, got)
			}
		}
	}
}

// logSum is what exponential computes, by the library's exponential.
func logSum(logits []float32) float64 {
	greatest := float64(slices.Max(logits))
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(float64(l) - greatest)
	}
	return greatest + math.Log(sum)
}
