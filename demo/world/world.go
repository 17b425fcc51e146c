// Package world is the moving-shapes world: scenes of one or two coloured shapes that move,
// grow or appear, drawn at any size and instant, and the truth about any stretch of them in
// words. The demo model learns from it, tests and the demo's camera show it: there is no
// other renderer.
//
// Everything follows from a seed: the same seed gives the same scenes and words on every
// machine, and the same pixels but for the rounding of fused arithmetic.
// Scenes do not change once made and may be used by any number of goroutines.
package world

import "math"

// Colour is one of the world's colours.
type Colour int

const colours = 8

// String is the colour's word in captions.
func (c Colour) String() string {
	return [colours]string{"red", "green", "blue", "yellow", "purple", "orange", "white", "black"}[c]
}

// rgb is the colour in sRGB.
func (c Colour) rgb() [3]int {
	return [colours][3]int{
		{220, 40, 40}, {40, 180, 60}, {50, 80, 220}, {235, 215, 50},
		{150, 60, 190}, {245, 140, 30}, {245, 245, 245}, {15, 15, 15},
	}[c]
}

// Shape is one of the world's shapes.
type Shape int

// The shapes. All lengths are in radii from the shape's centre.
const (
	Circle   Shape = iota // of radius 1
	Square                // of half-side 0.88
	Triangle              // pointing up: corners (0,-1.24) and (+-1.12,0.70)
	Ring                  // from 0.52 to 1.08
	Cross                 // upright: four arms, 1 long and 0.66 wide
	shapes
)

// String is the shape's word in captions.
func (s Shape) String() string {
	return [shapes]string{"circle", "square", "triangle", "ring", "cross"}[s]
}

// form is a shape's measures, in radii.
type form struct {
	size   float64    // circle's radius, square's half-side, ring's outer radius, an arm's length
	inner  float64    // ring's inner radius, half an arm's width
	corner [3]float64 // triangle: above, beside and below the centre
}

func (s Shape) form() form {
	return [shapes]form{
		Circle:   {size: 1},
		Square:   {size: 0.88},
		Triangle: {corner: [3]float64{1.24, 1.12, 0.70}},
		Ring:     {size: 1.08, inner: 0.52},
		Cross:    {size: 1, inner: 0.33},
	}[s]
}

// reach is how far the form extends to its sides, up and down, in radii.
func (f form) reach() (beside, above, below float64) {
	if f.size > 0 {
		return f.size, f.size, f.size
	}
	return f.corner[1], f.corner[0], f.corner[2]
}

// Motion is what an object does over its scene.
type Motion int

// The motions.
const (
	Left Motion = iota
	Right
	Up
	Down
	Still
	Grows
	Shrinks
	Appears
	Disappears
	motions
)

// String is the motion's words in captions.
func (m Motion) String() string {
	return [motions]string{
		"moves left", "moves right", "moves up", "moves down", "stays still", "grows", "shrinks", "appears", "disappears",
	}[m]
}

// moves says whether the object changes its place.
func (m Motion) moves() bool { return m <= Down }

// inside is how far a point, in radii from the centre with y downwards, is inside the form:
// negative outside, in radii. It is the distance to the nearest edge, or near it at corners.
func (s Shape) inside(f form, x, y float64) float64 {
	switch s {
	case Circle:
		return f.size - math.Hypot(x, y)
	case Square:
		return f.size - max(math.Abs(x), math.Abs(y))
	case Ring:
		d := math.Hypot(x, y)
		return min(f.size-d, d-f.inner)
	case Cross:
		x, y = math.Abs(x), math.Abs(y)
		return max(min(f.size-x, f.inner-y), min(f.inner-x, f.size-y))
	default:
		height, half := f.corner[0]+f.corner[2], f.corner[1]
		side := (half*(y+f.corner[0]) - height*math.Abs(x)) / math.Hypot(height, half)
		return min(side, f.corner[2]-y)
	}
}
