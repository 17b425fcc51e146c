package pixels

import (
	"fmt"
	"image"
	"sync"

	"github.com/captiond/captiond/model/float16"
)

// Processor carries a Transform out. It is safe for concurrent use and keeps its buffers
// for reuse: at most one set for each goroutine that ran at the same time.
type Processor struct {
	Transform

	floats  *tables[float32]
	halves  *tables[uint16]
	plain   *tables[uint16] // samples as they are
	scratch sync.Pool       // of *scratch
}

// New makes a Processor. The error lists all that is wrong with the transform.
func New(t Transform) (*Processor, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	p := &Processor{
		Transform: t, floats: table(t, func(v float32) float32 { return v }), halves: table(t, float16.Of),
		plain: table(Transform{}, func(v float32) uint16 { return uint16(v) }),
	}
	p.scratch.New = func() any { return newScratch() }
	return p, nil
}

// Apply writes the tensor [3, H, W] of a picture to dst, with W and H as Size says for the
// picture's size and the view. Alpha is not looked at. It panics if dst is shorter than
// the tensor or the picture is empty or wider or higher than 2^20 pixels.
func (p *Processor) Apply(dst []float32, img *image.RGBA, v View) {
	img, plan := p.see(img, v)
	apply(p, img, plan, tensor[float32]{dst, plan.x.out, plan.y.out, p.floats})
}

// ApplyHalf is Apply with each number rounded to binary16 (model/float16).
func (p *Processor) ApplyHalf(dst []uint16, img *image.RGBA, v View) {
	img, plan := p.see(img, v)
	apply(p, img, plan, tensor[uint16]{dst, plan.x.out, plan.y.out, p.halves})
}

// Resample returns the picture as it is before normalising: what the references hold as
// uint8. It panics as Apply does.
func (p *Processor) Resample(img *image.RGBA, v View) *image.RGBA {
	img, plan := p.see(img, v)
	t := tensor[uint16]{make([]uint16, 3*plan.x.out*plan.y.out), plan.x.out, plan.y.out, p.plain}
	apply(p, img, plan, t)
	out := image.NewRGBA(image.Rect(0, 0, t.width, t.height))
	for y := range t.height {
		r, g, b := t.row(y)
		to := out.Pix[y*out.Stride:]
		for x := range r {
			copy(to[4*x:], []uint8{uint8(r[x]), uint8(g[x]), uint8(b[x]), 255})
		}
	}
	return out
}

// see cuts the view out of a picture and says what is to become of it.
func (p *Processor) see(img *image.RGBA, v View) (*image.RGBA, plan) {
	size := img.Rect.Size()
	if size.X < 1 || size.Y < 1 || size.X > maxSource || size.Y > maxSource {
		panic(fmt.Sprintf("pixels: picture of %d x %d pixels", size.X, size.Y))
	}
	r := v.rect(size.X, size.Y)
	return img.SubImage(r.Add(img.Rect.Min)).(*image.RGBA), p.plan(r.Dx(), r.Dy(), v)
}

// apply carries a plan out.
func apply[T number](p *Processor, img *image.RGBA, plan plan, t tensor[T]) {
	_ = t.values[3*t.width*t.height-1]
	if plan.x.copies() && plan.y.copies() {
		t.copyPixels(img, plan)
		return
	}
	s := p.scratch.Get().(*scratch)
	defer p.scratch.Put(s)
	s.narrow(img, plan, p.Filter)
	t.finish(s)
}
