package graph

import (
	"encoding/binary"
	"math"
)

// halfBytes are floats as little-endian binary16 (IEEE 754), rounded to the nearest, ties to
// even; what is too great becomes infinite.
func halfBytes(values []float32) []byte {
	b := make([]byte, 0, 2*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint16(b, half(v))
	}
	return b
}

func half(v float32) uint16 {
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
