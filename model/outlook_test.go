package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// noiseRows are logits that differ from row to row.
func noiseRows(n, vocabulary int) [][]float32 {
	random := rand.New(rand.NewPCG(5, 6))
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, vocabulary)
		for j := range rows[i] {
			rows[i][j] = float32(4 * random.NormFloat64())
		}
	}
	return rows
}

// Rows that are looked at side by side are what each is alone, to the bit.
func TestOutlooksAreTheSameAloneAndTogether(t *testing.T) {
	t.Parallel()
	e, rows := newExponential(), noiseRows(9, 30522)
	rows[3][7], rows[3][30000] = 99, 99 // equals: the first is the likeliest
	for i, got := range e.lookAll(rows) {
		want := e.look(slices.Clone(rows[i]))
		if got.likeliest != want.likeliest || math.Float64bits(got.logSum) != math.Float64bits(want.logSum) {
			t.Errorf("row %d: token %d, %v; alone %d, %v", i, got.likeliest, got.logSum, want.likeliest, want.logSum)
		}
		if most := slices.Max(rows[i]); rows[i][got.likeliest] != most || slices.Index(rows[i], most) != int(got.likeliest) {
			t.Errorf("row %d: token %d is not the first of the likeliest", i, got.likeliest)
		}
	}
}

func TestFinite(t *testing.T) {
	t.Parallel()
	e := newExponential()
	if rows := noiseRows(4, 8); !finite(e.lookAll(rows)) {
		t.Error("finite logits are refused")
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for row := range 4 {
			rows := noiseRows(4, 8)
			rows[row][row] = float32(bad)
			if finite(e.lookAll(rows)) {
				t.Errorf("%v in row %d is taken for a number", bad, row)
			}
		}
	}
}
