package world

import (
	"image"
	"math"
	"math/rand/v2"
	"time"
)

// Draw paints the scene as it is at a time, 0 to Duration, over a whole picture of any
// size. Objects are in the square at its centre; the ground fills all of it.
func (s *Scene) Draw(img *image.RGBA, t time.Duration) {
	s.ground.paint(img)
	for i := range s.Objects {
		o := &s.Objects[i]
		if at, visible := o.At(s.part(t)); visible {
			o.paint(img, at)
		}
	}
	s.ground.disturb(img, s.seed, t)
}

// paint fills the picture with the ground without its noise.
func (g ground) paint(img *image.RGBA) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	for y := range h {
		row := img.Pix[y*img.Stride:][:4*w]
		shade := g.gradient * (2*(float64(y)+0.5)/float64(h) - 1)
		for c, tint := range g.tint {
			row[c] = level(float64(g.grey+tint) + shade)
		}
		row[3] = 255
		for done := 4; done < len(row); done *= 2 {
			copy(row[done:], row[:done])
		}
	}
}

func level(v float64) uint8 { return uint8(min(max(math.Round(v), 0), 255)) }

// paint draws the object with edges one pixel soft.
func (o *Object) paint(img *image.RGBA, at Place) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	side := float64(min(w, h))
	x0, y0 := (float64(w)-side)/2+at.X*side, (float64(h)-side)/2+at.Y*side
	r := at.Radius * side
	beside, above, below := o.form.reach()
	left, right := max(int(x0-r*beside-1), 0), min(int(x0+r*beside+2), w)
	top, bottom := max(int(y0-r*above-1), 0), min(int(y0+r*below+2), h)
	for y := top; y < bottom; y++ {
		row := img.Pix[y*img.Stride:]
		for x := left; x < right; x++ {
			in := o.Shape.inside(o.form, (float64(x)+0.5-x0)/r, (float64(y)+0.5-y0)/r)
			if cover := min(in*r+0.5, 1); cover > 0 {
				o.blend(row[4*x:][:3], cover)
			}
		}
	}
}

// blend covers a part of a pixel.
func (o *Object) blend(pixel []uint8, cover float64) {
	for c, tone := range o.tone {
		pixel[c] = level(float64(pixel[c]) + cover*(float64(tone)-float64(pixel[c])))
	}
}

// grainSize is the number of samples in the pattern that all noise is cut from.
const grainSize = 1 << 14

// levels is Gaussian noise with a standard deviation of sigma levels. Pictures read it from
// places that differ by row: drawing each sample would take longer than all else.
func levels(sigma float64) *[grainSize]int16 {
	rng := rand.New(rand.NewPCG(1, 2))
	var l [grainSize]int16
	for i := range l {
		l[i] = int16(math.RoundToEven(rng.NormFloat64() * sigma))
	}
	return &l
}

// disturb adds the ground's noise, as a camera does, to all of the picture.
func (g ground) disturb(img *image.RGBA, seed uint64, t time.Duration) {
	if g.noise != fixedNoise {
		seed ^= uint64(t)
	}
	size := 1
	if g.noise == coarseNoise {
		size = 3
	}
	var rng rand.PCG
	for y := range img.Rect.Dy() {
		rng.Seed(seed, uint64(y/size))
		disturbRow(img.Pix[y*img.Stride:][:4*img.Rect.Dx()], g.levels, rng.Uint64(), size)
	}
}

// disturbRow adds noise that changes every size pixels.
func disturbRow(row []uint8, levels *[grainSize]int16, at uint64, size int) {
	for x, left := 0, size; x < len(row); x += 4 {
		for c := range uint64(3) {
			v := int16(row[x+int(c)]) + levels[(at+c)%grainSize]
			row[x+int(c)] = uint8(min(max(v, 0), 255))
		}
		if left--; left == 0 {
			at, left = at+3, size
		}
	}
}
