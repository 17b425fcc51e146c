package pixels

import (
	"fmt"
	"image"
	"sync"
)

// Processor carries a Transform out. It is safe for concurrent use and keeps its buffers
// for reuse: at most one set for each goroutine that ran at the same time.
type Processor struct {
	Transform

	table   *[3][256]float32
	scratch sync.Pool // of *scratch
}

// New makes a Processor. The error lists all that is wrong with the transform.
func New(t Transform) (*Processor, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	p := &Processor{Transform: t, table: t.table()}
	p.scratch.New = func() any { return new(scratch) }
	return p, nil
}

// Apply writes the tensor [3, H, W] of a picture to dst, with W and H as Size says for the
// picture's size and the view. Alpha is not looked at. It panics if dst is shorter than
// the tensor or the picture is empty or wider or higher than 2^20 pixels.
func (p *Processor) Apply(dst []float32, img *image.RGBA, v View) {
	s := p.scratch.Get().(*scratch)
	defer p.scratch.Put(s)
	width, height := p.shrink(s, img, v)
	plane := width * height
	dst = dst[:3*plane]
	for y := range height {
		row := s.row(y, width)
		at := y * width
		for c := range 3 {
			normalise(dst[c*plane+at:][:width], row[c:], &p.table[c])
		}
	}
}

// normalise looks up every third sample of a row.
func normalise(dst []float32, row []uint8, table *[256]float32) {
	for x := range dst {
		dst[x] = table[row[3*x]]
	}
}

// Resample returns the picture as it is before normalising: what the references hold as
// uint8. It panics as Apply does.
func (p *Processor) Resample(img *image.RGBA, v View) *image.RGBA {
	s := p.scratch.Get().(*scratch)
	defer p.scratch.Put(s)
	width, height := p.shrink(s, img, v)
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		row, to := s.row(y, width), out.Pix[y*out.Stride:]
		for x := range width {
			copy(to[4*x:4*x+3], row[3*x:])
			to[4*x+3] = 255
		}
	}
	return out
}

// shrink resamples the view of a picture into s.
func (p *Processor) shrink(s *scratch, img *image.RGBA, v View) (width, height int) {
	size := img.Rect.Size()
	if size.X < 1 || size.Y < 1 || size.X > maxSource || size.Y > maxSource {
		panic(fmt.Sprintf("pixels: picture of %d x %d pixels", size.X, size.Y))
	}
	r := v.rect(size.X, size.Y)
	img = img.SubImage(r.Add(img.Rect.Min)).(*image.RGBA)
	plan := p.plan(r.Dx(), r.Dy(), v)
	s.resample(img, plan, p.Filter)
	return plan.x.out, plan.y.out
}
