package frames

import (
	"math"
	"slices"
)

// The size of a sketch, whatever that of the picture is.
const (
	SketchWidth  = 64
	SketchHeight = 48

	cells = SketchWidth * SketchHeight
)

// Sketch is a picture made small: RGB, SketchWidth by SketchHeight, each cell the mean of the
// part of the picture that it covers, slightly blurred, so that noise and compression hardly
// show. Two sketches, both made by an eye, say how much of a picture has changed. They may be
// compared by any number of goroutines.
type Sketch struct{ RGB []uint8 }

// The rules of Change and Cut, in levels of 0 to 255 and parts of 1.
const (
	changed   = 8    // levels of luma or chroma by which a cell differs where something else is
	dazzled   = 20   // levels of luma by which other light is something else
	replaced  = 12   // levels of a channel by which cells differ where all of the picture is another
	cutCells  = 0.5  // of the cells are replaced by a cut
	cutColour = 0.18 // of the cells have colours that were not there before
	cutShapes = 0.02 // of the cells differ by more than other light does
	cutTint   = 4    // levels of chroma by which the light has another colour
	tiles     = 4    // across, and down
	binWidth  = 16   // levels
)

// Change is how much of the picture is not as it was in another: the picture is cut into four
// by four tiles, and the largest part of any tile that has changed counts, from 0 to 1. So a
// thing that covers a hundredth of the picture counts for 0.04 at the least, wherever it is,
// and 0.16 within a tile. Light that changes everywhere alike, by adding levels or by
// multiplying them, does not count up to 20 levels; beyond, as where a lamp is switched on,
// all of the picture has changed.
func (s Sketch) Change(from Sketch) float64 {
	light := s.light(from)
	if math.Abs(luma(light.by)) > dazzled {
		return 1
	}
	var counts [tiles * tiles]int
	for cell := range cells {
		if strength(light.rest(s.at(cell), from.at(cell))) > changed {
			x, y := cell%SketchWidth, cell/SketchWidth
			counts[y*tiles/SketchHeight*tiles+x*tiles/SketchWidth]++
		}
	}
	return float64(slices.Max(counts[:])) / (cells / (tiles * tiles))
}

// Cut says whether the picture is another than before, and not the same with things moved in
// it, in another light, or seen by a camera that turns slowly: most cells differ, so do the
// colours that there are, and by more than one light could explain.
func (s Sketch) Cut(from Sketch) bool {
	light := s.light(from)
	other, shapes := 0, 0
	for cell := range cells {
		after, before := s.at(cell), from.at(cell)
		if d := minus(after, before); max(math.Abs(d[0]), math.Abs(d[1]), math.Abs(d[2])) > replaced {
			other++
		}
		if strength(light.rest(after, before)) > changed {
			shapes++
		}
	}
	return float64(other) > cutCells*cells && s.colours(from) > cutColour &&
		(float64(shapes) > cutShapes*cells || light.tint() > cutTint)
}

// A colour is of one cell, or how far two are apart: red, green, blue.
type colour [3]float64

func (s Sketch) at(cell int) colour {
	p := s.RGB[3*cell:][:3]
	return colour{float64(p[0]), float64(p[1]), float64(p[2])}
}

func minus(a, b colour) colour { return colour{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

// luma is BT.601's, which the YCbCr of JPEG has.
func luma(c colour) float64 { return 0.299*c[0] + 0.587*c[1] + 0.114*c[2] }

// chroma is the larger of Cb and Cr, without sign.
func chroma(c colour) float64 {
	y := luma(c)
	return max(math.Abs(0.564*(c[2]-y)), math.Abs(0.713*(c[0]-y)))
}

// strength is how much of a difference is seen: noise is less in luma and chroma than in red,
// green and blue.
func strength(c colour) float64 { return max(math.Abs(luma(c)), chroma(c)) }

// light is how it changed: the medians of each channel's change, and of what it is.
type light struct{ by, level colour }

func (s Sketch) light(from Sketch) (l light) {
	for c := range 3 {
		var changes, sums [511]int
		for i := c; i < 3*cells; i += 3 {
			a, b := int(s.RGB[i]), int(from.RGB[i])
			changes[a-b+255]++
			sums[a+b]++
		}
		l.by[c], l.level[c] = median(changes[:])-255, median(sums[:])/2
	}
	return l
}

// median is the place of the middle of the cells that are counted, between the two there are.
func median(counts []int) float64 {
	n, low := 0, -1
	for i, count := range counts {
		n += count
		if low < 0 && 2*n >= cells {
			low = i
		}
		if 2*n > cells {
			return float64(low+i) / 2
		}
	}
	return float64(len(counts))
}

// rest is how a cell differs beside the light's change. Channels that are black or white
// cannot follow it.
func (l light) rest(after, before colour) (rest colour) {
	for c, d := range minus(after, before) {
		rest[c] = beside(d, l.by[c], (after[c]+before[c])/2/max(l.level[c], 1))
		full := min(after[c], before[c]) < changed || max(after[c], before[c]) > 255-changed
		if full && d*l.by[c] >= 0 && math.Abs(d) < math.Abs(l.by[c]) {
			rest[c] = 0
		}
	}
	return rest
}

// tint is by how much the light's colour changed, beside its brightness.
func (l light) tint() float64 {
	var rest colour
	for c, d := range l.by {
		rest[c] = beside(d, luma(l.by), l.level[c]/max(luma(l.level), 1))
	}
	return chroma(rest)
}

// beside is what of a difference light does not explain, that brings so many levels where it
// is as bright as in the middle, and elsewhere as many, or in proportion, or between these.
func beside(d, by, proportion float64) float64 {
	low, high := min(by, by*proportion), max(by, by*proportion)
	return d - min(max(d, low), high)
}

// colours is the largest part of the cells, over the channels, that have levels which as many
// cells had not before. A level counts for the two bins that it lies between, so that a small
// change is a small change.
func (s Sketch) colours(from Sketch) float64 {
	most := 0
	for c := range 3 {
		var bins [256/binWidth + 1]int
		for i := c; i < len(s.RGB); i += 3 {
			put(bins[:], s.RGB[i], 1)
			put(bins[:], from.RGB[i], -1)
		}
		sum := 0
		for _, n := range bins {
			sum += max(n, 0)
		}
		most = max(most, sum)
	}
	return float64(most) / (cells * binWidth)
}

func put(bins []int, level uint8, sign int) {
	bin, rest := int(level)/binWidth, int(level)%binWidth
	bins[bin] += sign * (binWidth - rest)
	bins[bin+1] += sign * rest
}
