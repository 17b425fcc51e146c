package bench

import "slices"

// Ratio is a ratio of two times that were measured in the same rounds.
type Ratio struct {
	Median float64 `json:"median"`
	Spread float64 `json:"spread"` // (greatest - least) / median over the rounds
}

// ratio sums up what a figure is over the rounds.
func ratio(rounds []times, figure func(times) float64) Ratio {
	all := make([]float64, len(rounds))
	for i, t := range rounds {
		all[i] = figure(t)
	}
	return Summary(all)
}

// median of a figure over the rounds.
func median(rounds []times, figure func(times) float64) float64 { return ratio(rounds, figure).Median }

// Summary of at least one value. The spread of zeros is zero.
func Summary(values []float64) (r Ratio) {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	r.Median = (sorted[(n-1)/2] + sorted[n/2]) / 2
	if r.Median != 0 {
		r.Spread = (sorted[n-1] - sorted[0]) / r.Median
	}
	return r
}
