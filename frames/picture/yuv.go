package picture

import (
	"image"
	"image/color"
)

// yuv is a way from luma and chroma to red, green and blue.
type yuv func(y, u, v int) (r, g, b int)

// yuvOf tells WebP, whose VP8 is in studio range, from JPEG.
func yuvOf(more extra) yuv {
	if more.studio {
		return studio
	}
	return jfif
}

// jfif is the full-range matrix of JFIF in 16-bit fixed point.
func jfif(y, u, v int) (r, g, b int) {
	u, v = u-128, v-128
	const half = 1 << 15
	return y + (91881*v+half)>>16, y + (-22554*u-46802*v+half)>>16, y + (116130*u+half)>>16
}

// studio is BT.601 with luma 16 to 235, as VP8 in WebP is stored.
func studio(y, u, v int) (r, g, b int) {
	light := (y * 19077) >> 8
	r = light + (v*26149)>>8 - 14234
	g = light - (u*6419)>>8 - (v*13320)>>8 + 8708
	b = light + (u*33050)>>8 - 17685
	return r >> 6, g >> 6, b >> 6
}

// convertYUV brings chroma to full size with the triangle filter that libjpeg and libwebp
// call fancy upsampling: each sample is three parts its own and one part its neighbour's.
func convertYUV(out *image.RGBA, from *image.YCbCr, matrix yuv) {
	w, h := out.Rect.Dx(), out.Rect.Dy()
	dx, dy := subsampling(from.SubsampleRatio)
	cw, ch := (w+dx-1)/dx, (h+dy-1)/dy
	chroma := chromaRow{width: cw, factor: dx, sum: make([]int, cw)}
	us, vs := make([]int, w), make([]int, w)
	for y := range h {
		near, far := neighbours(y, dy, ch)
		chroma.expand(us, from.Cb[near*from.CStride:], from.Cb[far*from.CStride:])
		chroma.expand(vs, from.Cr[near*from.CStride:], from.Cr[far*from.CStride:])
		luma, to := from.Y[y*from.YStride:], out.Pix[y*out.Stride:]
		for x := range w {
			r, g, b := matrix(int(luma[x]), us[x], vs[x])
			to[4*x], to[4*x+1], to[4*x+2], to[4*x+3] = clip(r), clip(g), clip(b), 255
		}
	}
}

// chromaRow makes rows of full width of chroma rows of a width.
type chromaRow struct {
	width, factor int
	sum           []int
}

func (c chromaRow) expand(dst []int, near, far []uint8) {
	for x := range c.sum {
		c.sum[x] = 3*int(near[x]) + int(far[x])
	}
	for x := range dst {
		n, f := neighbours(x, c.factor, c.width)
		dst[x] = (3*c.sum[n] + c.sum[f] + 8) >> 4
	}
}

// neighbours are the sample that position i lies in and the one that it lies nearer to of
// the two beside it. Only halved planes are smoothed.
func neighbours(i, factor, n int) (near, far int) {
	near = i / factor
	if factor != 2 {
		return near, near
	}
	return near, min(max(near+2*(i%2)-1, 0), n-1)
}

func subsampling(ratio image.YCbCrSubsampleRatio) (dx, dy int) {
	switch ratio {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 1, 1
}

func clip(x int) uint8 { return uint8(min(max(x, 0), 255)) }

// straight is a colour that is not multiplied by its alpha, its alpha left out.
func straight(c color.Color) [4]uint8 {
	if n, ok := c.(color.NRGBA); ok {
		return [4]uint8{n.R, n.G, n.B, 255}
	}
	r, g, b, _ := c.RGBA()
	return [4]uint8{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 255}
}
