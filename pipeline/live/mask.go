package live

import (
	"image"
	"image/color"
	"image/draw"
	"math"
)

// Mask is a rectangle in parts of the picture, from its upper left corner, that nobody is to
// see.
type Mask struct{ X, Y, W, H float64 }

// cover blackens the rectangles. Pixels that a rectangle touches are covered.
func cover(img *image.RGBA, masks []Mask) {
	for _, m := range masks {
		b := img.Bounds()
		w, h := float64(b.Dx()), float64(b.Dy())
		r := image.Rect(int(math.Floor(m.X*w)), int(math.Floor(m.Y*h)),
			int(math.Ceil((m.X+m.W)*w)), int(math.Ceil((m.Y+m.H)*h))).Add(b.Min)
		draw.Draw(img, r.Intersect(b), image.NewUniform(color.Black), image.Point{}, draw.Src)
	}
}
