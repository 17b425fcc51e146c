package pixels

import "image"

// scratch is what one Apply needs: kept between pictures, the taps too, since pictures of
// a stream have one size.
type scratch struct {
	x, y    taps
	clipped [levels]uint8
	source  []uint64 // two rows of the picture, in words: [x.in]
	wide    []uint64 // the rows that are read, narrowed, in words: [half of y.hi-y.lo, and few, x.out]
	k       []uint64 // weights of one row of the result
}

func newScratch() *scratch {
	s := new(scratch)
	for level := range s.clipped {
		s.clipped[level] = uint8(clip(level))
	}
	return s
}

// tensor is a result, [3, height, width], of samples that are what the table of their channel
// has for each level.
type tensor[T number] struct {
	values        []T
	width, height int
	table         *tables[T]
}

// row is row y of its red, green and blue plane.
func (t tensor[T]) row(y int) (r, g, b []T) {
	plane, at := t.width*t.height, y*t.width
	return t.values[at:][:t.width], t.values[plane+at:][:t.width], t.values[2*plane+at:][:t.width]
}

// copyPixels makes the result of a plan that leaves pixels as they are.
func (t tensor[T]) copyPixels(img *image.RGBA, p plan) {
	table := t.table
	for y := range t.height {
		r, g, b := t.row(y)
		row := img.Pix[(p.y.first+y)*img.Stride+4*p.x.first:]
		for x := range r {
			px := row[4*x:][:4]
			r[x] = table[0][black+int(px[0])]
			g[x] = table[1][black+int(px[1])]
			b[x] = table[2][black+int(px[2])]
		}
	}
}

// narrow is the first of the two passes of ImagingResample, which round to 8 bits each.
// Only pixels that the crop keeps are computed, and only rows that they need: no pixel
// depends on what is left out.
func (s *scratch) narrow(img *image.RGBA, p plan, f Filter) {
	s.x.set(p.x, f)
	s.y.set(p.y, f)
	s.source = grown(s.source, p.x.in)
	s.wide = grown(s.wide, ((s.y.hi-s.y.lo+1)/2+few)*p.x.out)
	pix, words := img.Pix[4*s.x.lo:], s.source[s.x.lo:s.x.hi]
	for at, y := 0, s.y.lo; y < s.y.hi; at, y = at+p.x.out, y+2 {
		next := min(y+1, s.y.hi-1) // the last row may be there twice, once without a weight
		join(words, pix[y*img.Stride:], pix[next*img.Stride:])
		s.narrowRows(s.wide[at:][:p.x.out])
	}
}

func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// narrowRows makes two rows of kept pixels.
func (s *scratch) narrowRows(dst []uint64) {
	for i, tap := range s.x.of {
		r, g, b := across(tap.k, s.source[tap.from:])
		dst[i] = s.round(r) | s.round(g)<<8 | s.round(b)<<16
	}
}

// round makes the samples of a sum.
func (s *scratch) round(sum uint64) uint64 {
	return uint64(s.clipped[above(sum)]) | uint64(s.clipped[below(sum)])<<32
}

// finish is the second pass: the result is what the tables have for each sum.
func (t tensor[T]) finish(s *scratch) {
	for y, tap := range s.y.of {
		from := max(tap.from-s.y.lo, 0)
		s.k = pairs(s.k[:0], from, tap.k)
		rows := s.wide[from/2*t.width:]
		if len(s.k) <= few {
			t.finishFew(s, y, rows)
		} else {
			t.finishRow(s, y, rows)
		}
	}
}

func (t tensor[T]) finishRow(s *scratch, y int, rows []uint64) {
	table := t.table
	r, g, b := t.row(y)
	for x := range r {
		red, green, blue := down(s.k, rows[x:], t.width)
		r[x], g[x], b[x] = table[0][below(red)], table[1][below(green)], table[2][below(blue)]
	}
}

// finishFew lets missing words weigh nothing: those of wide that were not narrowed.
func (t tensor[T]) finishFew(s *scratch, y int, rows []uint64) {
	table := t.table
	var k [few]uint64
	copy(k[:], s.k)
	r, g, b := t.row(y)
	u, v, w := rows[:len(r)], rows[t.width:][:len(r)], rows[2*t.width:][:len(r)]
	for x := range r {
		red, green, blue := downFew(&k, u[x], v[x], w[x])
		r[x], g[x], b[x] = table[0][below(red)], table[1][below(green)], table[2][below(blue)]
	}
}
