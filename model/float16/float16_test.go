package float16

import (
	"math"
	"math/rand/v2"
	"testing"
)

// widen is the value of a binary16, by its definition.
func widen(h uint16) float64 {
	sign := 1.0
	if h>>15 == 1 {
		sign = -1
	}
	exponent, fraction := int(h>>10&31), float64(h&1023)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

func TestHalfKeepsEveryHalf(t *testing.T) {
	t.Parallel()
	for h := range 1 << 16 {
		v := widen(uint16(h))
		if got := Of(float32(v)); got != uint16(h) && !math.IsNaN(v) {
			t.Fatalf("%#04x is %v, and becomes %#04x", h, v, got)
		}
		if got := Float32(uint16(h)); got != float32(v) && !(math.IsNaN(v) && got != got) || math.Signbit(float64(got)) != (h>>15 == 1) {
			t.Fatalf("%#04x is %v, want %v", h, got, v)
		}
	}
	if got := widen(Of(float32(math.NaN()))); !math.IsNaN(got) {
		t.Errorf("not a number becomes %v", got)
	}
}

// What lies between two halves becomes the nearer, half way the even one.
func TestHalfRounds(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		h := uint16(r.IntN(0x7bff)) // finite, and so is the next
		low, high := widen(h), widen(h+1)
		even := h + h&1
		for part, want := range map[float64]uint16{0.25: h, 0.5: even, 0.75: h + 1} {
			v := low + part*(high-low)
			if got := Of(float32(v)); got != want {
				t.Fatalf("%v between %v and %v becomes %#04x, want %#04x", v, low, high, got, want)
			}
		}
	}
	for v, want := range map[float32]uint16{65519: 0x7bff, 65520: 0x7c00, -1e9: 0xfc00, 2.9e-8: 0, 3e-8: 1} {
		if got := Of(v); got != want {
			t.Errorf("%v becomes %#04x, want %#04x", v, got, want)
		}
	}
}
