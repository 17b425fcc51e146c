// Package float16 converts between float32 and binary16 (IEEE 754), which Go has no type for: a
// binary16 is held as its bits, a uint16.
package float16

import "math"

// Of is the nearest binary16, of two that are as near the even one; what is too great becomes
// infinite.
func Of(v float32) uint16 {
	bits := math.Float32bits(v)
	sign, magnitude := uint16(bits>>16&0x8000), bits&0x7fffffff
	switch {
	case magnitude > 0x7f800000:
		return sign | 0x7e00 // not a number
	case magnitude >= 0x477ff000: // 65520, half way to what would follow the greatest
		return sign | 0x7c00
	case magnitude < 0x38800000: // below 2^-14, the least normal: a multiple of 2^-24
		return sign | uint16(math.RoundToEven(math.Abs(float64(v))*(1<<24)))
	}
	odd := magnitude >> 13 & 1
	return sign | uint16((magnitude-0x38000000+0xfff+odd)>>13)
}

// Floats are the values of several.
func Floats(halves []uint16) []float32 {
	floats := make([]float32, len(halves))
	for i, h := range halves {
		floats[i] = Float32(h)
	}
	return floats
}

// Float32 is the value of a binary16, exactly.
func Float32(h uint16) float32 {
	sign, magnitude := uint32(h&0x8000)<<16, uint32(h&0x7fff)
	if magnitude >= 0x7c00 { // infinite, or not a number
		return math.Float32frombits(sign | 0x7f800000 | magnitude<<13)
	}
	// The exponent's bias of 15 is taken for one of 127: the value is 2^112 times too small.
	return math.Float32frombits(sign|magnitude<<13) * (1 << 112)
}
