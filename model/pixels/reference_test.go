package pixels

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"testing"
)

// reference resizes all of a picture as Pillow's Resample.c does, line by line: sums of
// one channel at a time in 32 bits, the whole picture in two passes.
type reference struct {
	w, h int
	rgb  []uint8
}

func (p reference) at(x, y, c int) uint8 { return p.rgb[3*(y*p.w+x)+c] }

func (p reference) resize(w, h int, f Filter) reference {
	if w != p.w {
		p = p.across(w, f)
	}
	if h != p.h {
		p = p.turned().across(h, f).turned()
	}
	return p
}

func (p reference) turned() reference {
	out := reference{w: p.h, h: p.w}
	for y := range out.h {
		for x := range out.w {
			for c := range 3 {
				out.rgb = append(out.rgb, p.at(y, x, c))
			}
		}
	}
	return out
}

func (p reference) across(w int, f Filter) reference {
	out := reference{w: w, h: p.h, rgb: make([]uint8, 3*w*p.h)}
	for x := range w {
		first, k := coefficients(p.w, w, x, f)
		for y := range p.h {
			for c := range 3 {
				sum := int32(1 << 21)
				for i, k := range k {
					sum += k * int32(p.at(first+i, y, c))
				}
				out.rgb[3*(y*w+x)+c] = uint8(min(max(sum>>22, 0), 255))
			}
		}
	}
	return out
}

// coefficients are precompute_coeffs and normalize_coeffs_8bpc for one pixel.
func coefficients(in, out, x int, f Filter) (first int, k []int32) {
	filter, support := cubicFilter, 2.0
	if f == Bilinear {
		filter, support = triangleFilter, 1.0
	}
	scale := float64(in) / float64(out)
	wide := max(scale, 1)
	support *= wide
	center := float64((float64(x) + 0.5) * scale)
	first = max(int(center-support+0.5), 0)
	last := min(int(center+support+0.5), in)
	var weights []float64
	var sum float64
	for i := first; i < last; i++ {
		weights = append(weights, filter((float64(i)-center+0.5)*(1/wide)))
		sum += weights[i-first]
	}
	for _, w := range weights {
		if sum != 0 {
			w /= sum
		}
		k = append(k, int32(math.Copysign(0.5, w)+float64(w*(1<<22))))
	}
	return first, k
}

func triangleFilter(x float64) float64 { return max(0, 1-math.Abs(x)) }

func cubicFilter(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	if x < 1 {
		return float64((float64((a+2)*x)-(a+3))*x)*x + 1
	}
	if x < 2 {
		return (float64((float64((x-5)*x)+8)*x) - 4) * a
	}
	return 0
}

// want is what Apply must make of img.
func (p *Processor) want(img *image.RGBA, v View) []float32 {
	r := v.rect(img.Rect.Dx(), img.Rect.Dy()).Add(img.Rect.Min)
	whole := reference{w: r.Dx(), h: r.Dy()}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			whole.rgb = append(whole.rgb, img.Pix[img.PixOffset(x, y):][:3]...)
		}
	}
	plan := p.plan(whole.w, whole.h, v)
	small := whole.resize(plan.x.resized, plan.y.resized, p.Filter)
	var values []float32
	for c := range 3 {
		for y := plan.y.first; y < plan.y.first+plan.y.out; y++ {
			for x := plan.x.first; x < plan.x.first+plan.x.out; x++ {
				u := uint8(0)
				if x >= 0 && x < small.w && y >= 0 && y < small.h {
					u = small.at(x, y, c)
				}
				values = append(values, p.sample(int(u), c))
			}
		}
	}
	return values
}

// drawn is a picture of noise, of black and white blocks that make a filter overshoot, or
// of one colour, with a border that must not be seen.
func drawn(r *rand.Rand, w, h int) *image.RGBA {
	whole := image.NewRGBA(image.Rect(0, 0, w+r.IntN(4), h+r.IntN(4)))
	block, kind, colour := 1+r.IntN(9), r.IntN(3), uint8(r.Uint32())
	for i := range whole.Pix {
		x, y := i%whole.Stride/4, i/whole.Stride
		switch kind {
		case 0:
			whole.Pix[i] = uint8(r.Uint32())
		case 1:
			whole.Pix[i] = uint8(-((x/block + y/block + i%4) % 2))
		case 2:
			whole.Pix[i] = colour
		}
	}
	at := image.Pt(whole.Rect.Dx()-w, whole.Rect.Dy()-h)
	return whole.SubImage(image.Rectangle{at, at.Add(image.Pt(w, h))}).(*image.RGBA)
}

// drawnTransform asks for up to 70 pixels.
func drawnTransform(r *rand.Rand) Transform {
	size := func() int { return 1 + r.IntN(70) }
	t := Microsoft(size())
	t.Filter, t.Rounding = Filter(r.IntN(2)), Rounding(r.IntN(2))
	t.Resize = Resize(r.IntN(4))
	t.MaxEdge = t.Edge + r.IntN(40)
	t.Width, t.Height = size(), size()
	switch {
	case t.Resize >= Exact && r.IntN(2) == 0:
		t.CropWidth, t.CropHeight = 0, 0
	case r.IntN(2) == 0:
		t.CropWidth, t.CropHeight = size(), size()
	}
	return t
}

func drawnView(t *testing.T, r *rand.Rand) View {
	text := []string{"crop", "crop", "squash", "0.25,0.1,0.5,0.75", "0,0.5,1,0.5", "0.9,0.3,0.1,0.01"}[r.IntN(6)]
	v, err := ParseView(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestApplyIsPillows(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 8))
		transform, view := drawnTransform(r), drawnView(t, r)
		p, err := New(transform)
		if err != nil {
			t.Fatal(err)
		}
		img := drawn(r, 1+r.IntN(120), 1+r.IntN(120))
		if r.IntN(4) == 0 { // nothing to resize
			img = drawn(r, transform.Edge, transform.Edge)
		}
		compare(t, p, img, view)
		if t.Failed() {
			t.Fatalf("seed %d: %v of %+v", seed, view, transform)
		}
	}
}

func compare(t *testing.T, p *Processor, img *image.RGBA, v View) {
	t.Helper()
	w, h := p.Size(img.Rect.Dx(), img.Rect.Dy(), v)
	want, got := p.want(img, v), make([]float32, 3*w*h)
	if len(want) != len(got) {
		t.Fatalf("%v is %d values, want %d", img.Rect, len(got), len(want))
	}
	for range 2 { // the second time with what the first one left in the buffers
		p.Apply(got, img, v)
		for i := range got {
			if got[i] != want[i] {
				at := fmt.Sprintf("channel %d, row %d, column %d", i/(w*h), i/w%h, i%w)
				t.Fatalf("%v to %dx%d: %s is %v, want %v", img.Rect, w, h, at, got[i], want[i])
			}
		}
	}
}

// TestSumsStayInTheirHalf is the proof that words rest on, over scales and places.
func TestSumsStayInTheirHalf(t *testing.T) {
	t.Parallel()
	for _, filter := range []Filter{Bicubic, Bilinear} {
		for _, in := range []int{1, 2, 3, 4, 5, 7, 8, 31, 100, 479, 1080} {
			for resized := 1; resized <= 100; resized++ {
				checkSums(t, axis{in: in, resized: resized, out: resized}, filter)
			}
			checkSums(t, axis{in: in, resized: maxTarget, out: maxTarget}, filter)
		}
		checkSums(t, axis{in: maxSource, resized: 2, out: 2}, filter)
	}
}

func checkSums(t *testing.T, a axis, f Filter) {
	t.Helper()
	var taps taps
	taps.set(a, f)
	for x, tap := range taps.of {
		least, most := int64(start>>32), int64(start>>32)
		for _, k := range tap.k {
			least += min(0, 255*int64(k))
			most += max(0, 255*int64(k))
		}
		if least < 0 || most > math.MaxUint32 {
			t.Fatalf("filter %d, %d pixels to %d: sums of pixel %d are from %d to %d", f, a.in, a.resized, x, least, most)
		}
	}
}
