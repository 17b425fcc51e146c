package frames

import "slices"

// The size of a sketch, whatever that of the picture is.
const (
	SketchWidth  = 64
	SketchHeight = 48
)

// Sketch is a picture made small: RGB, SketchWidth by SketchHeight, each cell the mean of the
// part of the picture that it covers, slightly blurred, so that noise and compression hardly
// show. Two sketches say how much of a picture has changed.
type Sketch struct{ RGB []uint8 }

// The rules of Change and Cut, in levels of 0 to 255 and parts of 1.
const (
	changed   = 8    // levels by which a cell differs where something is there that was not
	replaced  = 12   // likewise where all of the picture is another
	cutCells  = 0.5  // of the cells are replaced by a cut
	cutColour = 0.35 // of the cells have colours that were not there before
	tiles     = 4    // across, and down
	binWidth  = 16   // levels
)

// Change is how much of the picture is not as it was in another: the picture is cut into four
// by four tiles, and the largest part of any tile that has changed counts, from 0 to 1. So a
// thing that covers a hundredth of the picture counts for 0.04 at the least, wherever it is,
// and 0.16 within a tile. A change of the light that is the same everywhere does not count.
func (s Sketch) Change(from Sketch) float64 {
	light := s.light(from)
	var counts [tiles * tiles]int
	for y := range SketchHeight {
		for x := range SketchWidth {
			if s.differs(from, y*SketchWidth+x, light, changed) {
				counts[y*tiles/SketchHeight*tiles+x*tiles/SketchWidth]++
			}
		}
	}
	return float64(slices.Max(counts[:])) / (SketchWidth * SketchHeight / (tiles * tiles))
}

// Cut says whether the picture is another than before, and not the same with things moved in
// it, or seen by a camera that turns: most cells differ, and so do the colours that there are.
// Light that is switched on or off is a cut.
func (s Sketch) Cut(from Sketch) bool {
	n := 0
	for cell := range SketchWidth * SketchHeight {
		if s.differs(from, cell, [3]int{}, replaced) {
			n++
		}
	}
	return float64(n) > cutCells*SketchWidth*SketchHeight && s.colours(from) > cutColour
}

// differs says whether a cell has changed by more than so many levels in any channel, besides
// the change of the light.
func (s Sketch) differs(from Sketch, cell int, light [3]int, levels int) bool {
	for c := range 3 {
		d := int(s.RGB[3*cell+c]) - int(from.RGB[3*cell+c]) - light[c]
		if d > levels || d < -levels {
			return true
		}
	}
	return false
}

// light is the median change of each channel.
func (s Sketch) light(from Sketch) (median [3]int) {
	for c := range 3 {
		var counts [511]int
		for i := c; i < len(s.RGB); i += 3 {
			counts[int(s.RGB[i])-int(from.RGB[i])+255]++
		}
		for d, n := 0, 0; d < len(counts); d++ {
			if n += counts[d]; 2*n > SketchWidth*SketchHeight {
				median[c] = d - 255
				break
			}
		}
	}
	return median
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
	return float64(most) / (SketchWidth * SketchHeight * binWidth)
}

func put(bins []int, level uint8, sign int) {
	bin, rest := int(level)/binWidth, int(level)%binWidth
	bins[bin] += sign * (binWidth - rest)
	bins[bin+1] += sign * rest
}
