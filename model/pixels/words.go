package pixels

import "encoding/binary"

// A word is a pixel of two rows of a picture, one below the other: red, green, blue and a
// byte that is not looked at, from bit 0 of the row above, from bit 32 of the row below.
// One multiplication weighs a channel of both, each sample in its half of the 64 bits.
//
// A sum of such products starts at start: half is for rounding, and 1<<30 keeps it from
// being negative, so that no half borrows from the other. Nor does one carry into the
// other: whichever weights of a tap are added up, they come to more than -1 and less than
// 2 (bicubic: -0.14 and 1.14; TestSumsStayInTheirHalf), and 255 times that as fixed-point
// numbers, with what a sum starts at, is above 0 and below 1<<32. The top ten bits of a
// half are then its level: the rounded sum and 256.
const (
	halves  = 1<<32 + 1                // times a number: that number in both halves
	samples = 255 * halves             // where the samples of one channel are
	start   = (1<<30 + half) * halves  // of a sum
	levels  = 1 << (32 - fractionBits) // how many there are
	black   = levels / 4               // the level of 0
)

// clip is the sample of a level.
func clip(level int) int { return min(max(level-black, 0), 255) }

// above is the level in the half of the row above, below that in the other one. They index
// arrays of levels without a check.
func above(sum uint64) uint32 { return uint32(sum) >> fractionBits }

func below(sum uint64) uint64 { return sum >> (32 + fractionBits) }

// join makes words of two rows of pixels (4 bytes each): a is above b.
func join(words []uint64, a, b []uint8) {
	a, b = a[:4*len(words)], b[:4*len(words)]
	for i := range words {
		words[i] = uint64(binary.LittleEndian.Uint32(a)) | uint64(binary.LittleEndian.Uint32(b))<<32
		a, b = a[4:], b[4:]
	}
}

// across sums the weighted words of a tap: each half becomes the sum of its row.
func across(k []int32, words []uint64) (r, g, b uint64) {
	r, g, b = start, start, start
	words = words[:len(k)]
	for i, k := range k {
		k, w := uint64(k), words[i]
		r += k * (w & samples)
		g += k * (w >> 8 & samples)
		b += k * (w >> 16 & samples)
	}
	return r, g, b
}

// down sums weighted words that are width apart. With the weights of pairs, the half of
// the row below becomes the sum of a column; the other one is of no use. Inlined it would
// take up to a sixth longer, since the compiler runs out of registers.
//
//go:noinline
func down(k, words []uint64, width int) (r, g, b uint64) {
	r, g, b = start, start, start
	for i, k := range k {
		w := words[i*width]
		r += k * (w & samples)
		g += k * (w >> 8 & samples)
		b += k * (w >> 16 & samples)
	}
	return r, g, b
}

// few is how many words, at most, make a row of a picture that is larger than its source
// or hardly smaller.
const few = 3

// downFew is down for that many: pictures are made larger in three quarters of the time.
func downFew(k *[few]uint64, u, v, w uint64) (r, g, b uint64) {
	r = start + k[0]*(u&samples) + k[1]*(v&samples) + k[2]*(w&samples)
	g = start + k[0]*(u>>8&samples) + k[1]*(v>>8&samples) + k[2]*(w>>8&samples)
	b = start + k[0]*(u>>16&samples) + k[1]*(v>>16&samples) + k[2]*(w>>16&samples)
	return r, g, b
}

// pairs appends the weights k of the rows beginning at row from, for words of two rows of
// which the first holds row from: above, or below where from is odd. A word of samples a
// and b times v + u<<32 has u*a + v*b in the half of the row below: u is the weight of the
// row above.
func pairs(to []uint64, from int, k []int32) []uint64 {
	for i, k := range k {
		row := from%2 + i
		if row/2 == len(to) {
			to = append(to, 0)
		}
		to[row/2] += uint64(k) << (32 * (1 - row%2))
	}
	return to
}
