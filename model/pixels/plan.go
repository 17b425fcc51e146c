package pixels

import "math"

// plan says how a picture of a given size is resampled and cropped.
type plan struct{ x, y axis }

// axis is one direction of a plan.
type axis struct {
	in      int // pixels of the source
	resized int // pixels that all of the source would become
	first   int // the first of them that is kept; negative where black comes before them
	out     int // pixels of the result
}

// copies says that pixels stay as they are: a filter then has one weight, and it is 1.
func (a axis) copies() bool { return a.resized == a.in && a.first >= 0 }

func (t Transform) plan(w, h int, v View) plan {
	rw, rh := t.resized(w, h)
	ow, oh := rw, rh
	if t.CropWidth != 0 {
		ow, oh = t.CropWidth, t.CropHeight
	}
	if v.squash {
		rw, rh = t.target(ow, oh)
		ow, oh = rw, rh
	}
	return plan{
		x: axis{in: w, resized: rw, first: t.margin(rw, ow), out: ow},
		y: axis{in: h, resized: rh, first: t.margin(rh, oh), out: oh},
	}
}

// resized is the size of the whole picture before cropping.
func (t Transform) resized(w, h int) (width, height int) {
	edge := t.Edge
	switch t.Resize {
	case Keep:
		return w, h
	case Exact:
		return t.Width, t.Height
	case MinMax:
		edge = t.minMaxEdge(w, h)
	}
	if w <= h {
		return edge, edge * h / w
	}
	return edge * w / h, edge
}

// minMaxEdge is the length of the shorter edge, the longer one kept in bounds. Microsoft's
// code ends in an error where it comes to 0; here it is 1, too small for any encoder.
func (t Transform) minMaxEdge(w, h int) int {
	short, long := float64(min(w, h)), float64(max(w, h))
	if long/short*float64(t.Edge) <= float64(t.MaxEdge) {
		return t.Edge
	}
	return max(1, int(math.RoundToEven(float64(t.MaxEdge)*short/long)))
}

// target is the size of a squashed picture: the encoder's own.
func (t Transform) target(cropWidth, cropHeight int) (width, height int) {
	if t.Resize == MinMax {
		return t.Edge, t.Edge
	}
	return cropWidth, cropHeight
}

// margin is the number of pixels left out before the crop, negative where the picture is
// too small: the greater half of the missing ones then comes before it.
func (t Transform) margin(have, want int) int {
	left := have - want
	if t.Rounding == Torchvision && left > 0 {
		return int(math.RoundToEven(float64(left) / 2))
	}
	return left >> 1
}
