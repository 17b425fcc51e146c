package eval

import (
	"cmp"
	"math"
	"slices"
)

// Bins is the number of equal parts of [0, 1] into which confidences are sorted.
const Bins = 10

// Calibration compares how sure the model was with how right it was.
type Calibration struct {
	Confidence float64 `json:"confidence"` // mean, 0 to 1
	Correct    float64 `json:"correct"`    // mean, 0 to 1
	// ECE is the expected calibration error (Guo et al. 2017) over ten bins of equal
	// width, each closed above: the mean of |correct - confidence| of the bins, weighted
	// by how many texts are in them.
	ECE float64 `json:"ece"`
	// AUROC is the chance that a right text (at least half correct) has a higher
	// confidence than a wrong one, a tie counting half; nil where all are right or all
	// are wrong.
	AUROC *float64 `json:"auroc,omitempty"`
	Bins  []Bin    `json:"bins,omitempty"` // those with texts
}

// Bin is the texts with a confidence in (From, To].
type Bin struct {
	From       float64 `json:"from"`
	To         float64 `json:"to"`
	N          int     `json:"n"`
	Confidence float64 `json:"confidence"`
	Correct    float64 `json:"correct"`
}

// A judged text: both are from 0 to 1.
type judged struct{ confidence, correct float64 }

// calibrate sums up at least one text.
func calibrate(js []judged) *Calibration {
	c := &Calibration{AUROC: auroc(js)}
	bins := make([]Bin, Bins)
	for i := range bins {
		bins[i].From, bins[i].To = float64(i)/Bins, float64(i+1)/Bins
	}
	for _, j := range js {
		b := &bins[min(Bins-1, max(0, int(math.Ceil(j.confidence*Bins))-1))]
		b.N++
		b.Confidence += j.confidence
		b.Correct += j.correct
		c.Confidence += j.confidence / float64(len(js))
		c.Correct += j.correct / float64(len(js))
	}
	for _, b := range bins {
		if b.N == 0 {
			continue
		}
		c.ECE += math.Abs(b.Correct-b.Confidence) / float64(len(js))
		b.Confidence /= float64(b.N)
		b.Correct /= float64(b.N)
		c.Bins = append(c.Bins, b)
	}
	return c
}

// auroc is from the ranks of the right texts (Mann and Whitney 1947), equal confidences
// having the mean of their ranks.
func auroc(js []judged) *float64 {
	js = slices.SortedFunc(slices.Values(js), func(a, b judged) int { return cmp.Compare(a.confidence, b.confidence) })
	var ranks, right float64
	for i := 0; i < len(js); {
		end := i
		for end < len(js) && js[end].confidence == js[i].confidence {
			end++
		}
		for _, j := range js[i:end] {
			if j.correct >= 0.5 {
				ranks += float64(i+1+end) / 2
				right++
			}
		}
		i = end
	}
	wrong := float64(len(js)) - right
	if right == 0 || wrong == 0 {
		return nil
	}
	area := (ranks - right*(right+1)/2) / (right * wrong)
	return &area
}
