package pixels

import "image"

// scratch is what one Apply needs: kept between pictures, the taps too, since pictures of
// a stream have one size. Samples are packed red, green, blue.
type scratch struct {
	x, y taps
	wide []uint8 // the rows that are read, narrowed: [y.hi-y.lo, x.out, 3]
	out  []uint8 // the result: [y.out, x.out, 3]
	sum  []int32 // of one row
}

// row is row y of the result.
func (s *scratch) row(y, width int) []uint8 { return s.out[y*width*3:][:width*3] }

// resample narrows the rows of img, then sums the columns, rounding to 8 bits after each
// pass, as ImagingResample does. Only pixels that the crop keeps are computed, and only
// rows that they need: no pixel depends on what is left out.
func (s *scratch) resample(img *image.RGBA, p plan, f Filter) {
	s.x.set(p.x, f)
	s.y.set(p.y, f)
	rows, line := max(s.y.hi-s.y.lo, 0), 3*p.x.out
	s.wide = grown(s.wide, rows*line)
	for y := range rows {
		from := img.Pix[(s.y.lo+y)*img.Stride:][:4*p.x.in]
		s.x.narrow(s.wide[y*line:][:line], from)
	}
	s.out = grown(s.out, p.y.out*line)
	s.sum = grown(s.sum, line)
	for y, t := range s.y.of {
		t.from -= s.y.lo
		t.sumRows(s.out[y*line:][:line], s.wide, s.sum)
	}
}

func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// narrow makes one row of kept pixels from one of source pixels (4 bytes each).
func (t *taps) narrow(dst, src []uint8) {
	for i, tap := range t.of {
		to := dst[3*i : 3*i+3 : 3*i+3]
		if tap.k == nil {
			clear(to)
			continue
		}
		r, g, b := int32(half), int32(half), int32(half)
		px := src[4*tap.from:][:4*len(tap.k)]
		for _, k := range tap.k {
			p := px[:4]
			r += k * int32(p[0])
			g += k * int32(p[1])
			b += k * int32(p[2])
			px = px[4:]
		}
		to[0], to[1], to[2] = clip(r), clip(g), clip(b)
	}
}

// sumRows makes one row of the result from rows of the same length.
func (t tap) sumRows(dst, rows []uint8, sum []int32) {
	if t.k == nil {
		clear(dst)
		return
	}
	for i := range sum {
		sum[i] = half
	}
	for j, k := range t.k {
		row := rows[(t.from+j)*len(sum):][:len(sum)]
		for i, s := range row {
			sum[i] += k * int32(s)
		}
	}
	for i, s := range sum {
		dst[i] = clip(s)
	}
}
