package pixels

import "math"

// Coefficients are fixed-point numbers with as many binary digits as leave two bits of
// head room beside 8-bit samples in 32 bits (Pillow, Resample.c: PRECISION_BITS).
const (
	fractionBits = 32 - 8 - 2
	half         = 1 << (fractionBits - 1)
)

// taps are the weights of one axis: each kept pixel is a sum of source pixels.
type taps struct {
	axis   axis
	filter Filter
	lo, hi int   // the source pixels that are read at all
	of     []tap // by kept pixel
	k      []int32
	weight []float64 // scratch of one pixel
}

// tap is the stretch of source pixels that make one kept pixel. Without weights the pixel
// is black.
type tap struct {
	from int
	k    []int32
}

// set computes the taps of an axis as Pillow's precompute_coeffs and
// normalize_coeffs_8bpc do, only for the pixels that are kept.
func (t *taps) set(a axis, f Filter) {
	if t.axis == a && t.filter == f && t.of != nil {
		return
	}
	scale := float64(a.in) / float64(a.resized)
	wide := max(scale, 1)
	support := f.support() * wide
	t.axis, t.filter, t.lo, t.hi = a, f, a.in, 0
	t.of, t.k = t.of[:0], t.k[:0]
	size := min(int(math.Ceil(support))*2+1, a.in)
	if need := size * a.out; cap(t.k) < need {
		t.k = make([]int32, 0, need)
	}
	for i := range a.out {
		at := a.first + i
		if at < 0 || at >= a.resized {
			t.of = append(t.of, tap{})
			continue
		}
		// The conversion keeps the compiler from fusing the product into a sum.
		t.append(float64((float64(at)+0.5)*scale), support, 1/wide)
	}
}

// append adds the taps of one kept pixel, whose centre is given in source pixels.
func (t *taps) append(centre, support, narrow float64) {
	from := max(0, int(centre-support+0.5))
	to := min(t.axis.in, int(centre+support+0.5))
	t.lo, t.hi = min(t.lo, from), max(t.hi, to)
	weight, sum := t.weight[:0], 0.0
	for x := from; x < to; x++ {
		w := t.filter.at((float64(x) - centre + 0.5) * narrow)
		weight = append(weight, w)
		sum += w
	}
	t.weight = weight
	start := len(t.k)
	for _, w := range weight {
		if sum != 0 {
			w /= sum
		}
		t.k = append(t.k, fixed(w))
	}
	t.of = append(t.of, tap{from: from, k: t.k[start:len(t.k):len(t.k)]})
}

func fixed(w float64) int32 {
	scaled := float64(w * (1 << fractionBits)) // not fused, as above
	if w < 0 {
		return int32(scaled - 0.5)
	}
	return int32(scaled + 0.5)
}

// support is half the width of a filter, in pixels of the greater of the two pictures.
func (f Filter) support() float64 {
	if f == Bilinear {
		return 1
	}
	return 2
}

// at is the filter's weight at a distance from its centre. Products are converted so that
// no machine fuses them into sums.
func (f Filter) at(x float64) float64 {
	x = math.Abs(x)
	if f == Bilinear {
		return max(0, 1-x)
	}
	const a = -0.5
	switch {
	case x < 1:
		return float64(float64((float64((a+2)*x)-(a+3))*x)*x) + 1
	case x < 2:
		return float64((float64((float64((x-5)*x)+8)*x) - 4) * a)
	}
	return 0
}
