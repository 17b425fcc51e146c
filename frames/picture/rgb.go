package picture

import (
	"fmt"
	"image"
)

// opaque makes an RGBA picture of what Go's decoders return. Colours are taken as they are
// stored, not multiplied by their alpha.
func opaque(from image.Image, more extra) (*image.RGBA, error) {
	b := from.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	switch from := from.(type) {
	case *image.YCbCr:
		convertYUV(out, from, yuvOf(more))
	case *image.NYCbCrA:
		convertYUV(out, &from.YCbCr, yuvOf(more))
	case *image.Paletted:
		return paletted(from, more), nil
	case *image.RGBA:
		spread(out, from.Pix, from.Stride, samples{4, [3]int{0, 1, 2}})
	case *image.NRGBA:
		spread(out, from.Pix, from.Stride, samples{4, [3]int{0, 1, 2}})
	case *image.RGBA64:
		spread(out, from.Pix, from.Stride, samples{8, [3]int{0, 2, 4}})
	case *image.NRGBA64:
		spread(out, from.Pix, from.Stride, samples{8, [3]int{0, 2, 4}})
	case *image.Gray:
		spread(out, from.Pix, from.Stride, samples{1, [3]int{}})
	case *image.Gray16:
		spread(out, from.Pix, from.Stride, samples{2, [3]int{}})
	case *image.CMYK:
		convertCMYK(out, from)
	default:
		return nil, fmt.Errorf("pixels of type %T are not supported", from)
	}
	return out, nil
}

// samples says where the upper bytes of red, green and blue lie in a pixel of some bytes.
type samples struct {
	size int
	at   [3]int
}

func spread(out *image.RGBA, pix []uint8, stride int, s samples) {
	for y := range out.Rect.Dy() {
		from, to := pix[y*stride:], out.Pix[y*out.Stride:][:out.Stride]
		for len(to) > 0 {
			to[0], to[1], to[2], to[3] = from[s.at[0]], from[s.at[1]], from[s.at[2]], 255
			to, from = to[4:], from[min(s.size, len(from)):]
		}
	}
}

// paletted expands a palette. A GIF's frame is put on its screen, the rest of which has
// the first colour; its own colour table stands over Go's palette, which has lost the
// colour that is transparent.
func paletted(from *image.Paletted, more extra) *image.RGBA {
	size := image.Rectangle{Max: more.canvas}
	if more.canvas == (image.Point{}) {
		size = image.Rectangle{Max: from.Rect.Size()}
	}
	colours := paletteOf(from, more)
	out := image.NewRGBA(size)
	for y := range size.Dy() {
		for x := range size.Dx() {
			index := uint8(0)
			if at := image.Pt(x, y); at.In(from.Rect) {
				index = from.Pix[from.PixOffset(x, y)]
			}
			copy(out.Pix[y*out.Stride+4*x:], colours[index][:])
		}
	}
	return out
}

func paletteOf(from *image.Paletted, more extra) *[256][4]uint8 {
	var colours [256][4]uint8
	for i := range colours {
		colours[i][3] = 255
		if at := 3 * i; at+3 <= len(more.palette) {
			copy(colours[i][:3], more.palette[at:])
		} else if i < len(from.Palette) && more.palette == nil {
			colours[i] = straight(from.Palette[i])
		}
	}
	return &colours
}

// convertCMYK is Pillow's: each ink takes its part of the light that black leaves.
func convertCMYK(out *image.RGBA, from *image.CMYK) {
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			ink, to := from.Pix[y*from.Stride+4*x:], out.Pix[y*out.Stride+4*x:]
			light := 255 - int(ink[3])
			for c := range 3 {
				product := int(ink[c])*light + 128
				to[c] = uint8(max(0, light-(product>>8+product)>>8))
			}
			to[3] = 255
		}
	}
}
