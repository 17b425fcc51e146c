package model

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/captiond/captiond/model/float16"
	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/pixels"
)

// Features are what the image encoder makes of one picture: a vector for the whole and
// one for each patch. They never change and may be shared by windows and goroutines;
// they are ordinary memory (605 kB at git-base's shape, half of that in float16) and need no
// closing.
type Features struct {
	of     *Model
	tokens int
	floats []float32 // [tokens, width]
	halves []uint16  // the same in float16, instead
}

// EncodeBatch is how many pictures EncodeAll puts through the encoder in one run. On a CPU
// larger batches are no faster (10 to 20 % where weights are not prepacked, and packed anew in
// each run) and take more memory, and the longest operator bounds how late a run ends when it
// is cancelled; in 8 bits a picture's numbers would depend on the others in the run. A GPU is
// busy only with many.
func (m *Model) EncodeBatch() int {
	if m.runtime.Device() == "cpu" || m.precision == graph.Int8 {
		return 1
	}
	return 32
}

// ErrTooNarrow is returned by Encode where nothing is left of a picture.
var ErrTooNarrow = errors.New("it is empty or too narrow")

// Encode looks at the part of a picture that view says.
func (m *Model) Encode(ctx context.Context, img *image.RGBA, view pixels.View) (*Features, error) {
	fs, err := m.EncodeAll(ctx, []*image.RGBA{img}, view)
	if err != nil {
		return nil, err
	}
	return fs[0], nil
}

// EncodeAll looks at several pictures, which may differ in size.
func (m *Model) EncodeAll(ctx context.Context, imgs []*image.RGBA, view pixels.View) ([]*Features, error) {
	var features []*Features
	for len(imgs) > 0 {
		n := m.alike(imgs, view)
		fs, err := m.encode(ctx, imgs[:n], view)
		if err != nil {
			return nil, fmt.Errorf("encode picture: %w", err)
		}
		features, imgs = append(features, fs...), imgs[n:]
	}
	return features, nil
}

// alike is how many of the first pictures can share a run.
func (m *Model) alike(imgs []*image.RGBA, view pixels.View) int {
	n, most := 1, m.EncodeBatch()
	for n < len(imgs) && n < most && m.sizeOf(imgs[n], view) == m.sizeOf(imgs[0], view) {
		n++
	}
	return n
}

// sizeOf is the size in pixels at which the encoder sees a picture.
func (m *Model) sizeOf(img *image.RGBA, view pixels.View) image.Point {
	if img == nil || img.Rect.Empty() {
		return image.Point{}
	}
	w, h := m.transform.Size(img.Rect.Dx(), img.Rect.Dy(), view)
	return image.Pt(w, h)
}

// encode runs the encoder on pictures that it sees at one size.
func (m *Model) encode(ctx context.Context, imgs []*image.RGBA, view pixels.View) ([]*Features, error) {
	size, patch := m.sizeOf(imgs[0], view), int(m.sizes.Patch)
	rows, columns := size.Y/patch, size.X/patch
	if rows == 0 || columns == 0 {
		return nil, fmt.Errorf("%d x %d pixels are left of it, less than a patch of %d: %w", size.X, size.Y, patch, ErrTooNarrow)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	prepared, err := m.assemble(assembly{
		parts:  len(imgs),
		shape:  []int64{int64(len(imgs)), 3, int64(size.Y), int64(size.X)},
		floats: func(part []float32, i int) { m.transform.Apply(part, imgs[i], view) },
		halves: func(part []uint16, i int) { m.transform.ApplyHalf(part, imgs[i], view) },
	})
	if err != nil {
		return nil, err
	}
	tokens := 1 + rows*columns
	out, err := m.run(ctx, m.encoder, []tensor{
		prepared, {data: m.positionsFor(rows, columns), shape: []int64{int64(tokens), int64(m.width())}},
	})
	if err != nil {
		return nil, err
	}
	defer closeAll(out)
	return m.split(out[0], len(imgs), tokens)
}

// positionsFor is the position table for a grid of patches.
func (m *Model) positionsFor(rows, columns int) []float32 {
	return pixels.InterpolatePositions(m.positions, m.width(), rows, columns)
}

// split copies the encoder's output, [n, tokens, width], apart. Were each picture's part of it
// handed out instead, the whole would stay in memory as long as one of them is remembered.
func (m *Model) split(out Value, n, tokens int) ([]*Features, error) {
	if !slices.Equal(out.Shape(), []int64{int64(n), int64(tokens), int64(m.width())}) {
		return nil, errors.New("the encoder gave another number of features than the picture has patches")
	}
	features := make([]*Features, n)
	sideBySide(n, tokens*m.width(), func(i int) {
		f := &Features{of: m, tokens: tokens}
		if m.precision == graph.Float16 {
			f.halves = part(out.Half(), n, i)
		} else {
			f.floats = part(out.Float32(), n, i)
		}
		features[i] = f
	})
	return features, nil
}

// part is a copy of part i of n.
func part[T number](data []T, n, i int) []T {
	each := len(data) / n
	return append([]T(nil), data[i*each:(i+1)*each]...)
}

// Vectors are the numbers, [tokens, width], a vector for the whole picture first. They must
// not be changed.
func (f *Features) Vectors() []float32 {
	if f.halves == nil {
		return f.floats
	}
	return float16.Floats(f.halves)
}

// Bytes is the memory that the features take.
func (f *Features) Bytes() int64 { return int64(4*len(f.floats) + 2*len(f.halves)) }

// Distance is how differently two pictures of the same model, seen at the same size, look to
// it: the length of the difference over the length of the longer, 0 where they are the same,
// at most 2.
func (f *Features) Distance(g *Features) float64 {
	x, y := f.Vectors(), g.Vectors()
	if len(x) != len(y) {
		return 2
	}
	var difference, ours, theirs float64
	for i, a := range x {
		b := y[i]
		d := float64(a - b)
		difference += d * d
		ours += float64(a) * float64(a)
		theirs += float64(b) * float64(b)
	}
	if difference == 0 {
		return 0
	}
	return math.Sqrt(difference / max(ours, theirs))
}
