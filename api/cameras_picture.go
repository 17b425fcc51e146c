package api

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/jpeg"
)

// quality of JPEGs, of 100.
const quality = 85

// JPEG is a picture, made smaller where it is wider than so many pixels; 0 leaves it as it is.
func JPEG(img *image.RGBA, width int) ([]byte, error) {
	if width > 0 && width < img.Rect.Dx() {
		img = shrink(img, width)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("write picture: %w", err)
	}
	return b.Bytes(), nil
}

func dataURL(img *image.RGBA, width int) (string, error) {
	b, err := JPEG(img, width)
	return "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(b), err
}

// shrink makes each pixel the mean of those that it stands for: a filter to look at, not one
// that a model may see.
func shrink(img *image.RGBA, width int) *image.RGBA {
	from := img.Rect.Size()
	to := image.Rect(0, 0, width, max(1, from.Y*width/from.X))
	small := image.NewRGBA(to)
	for y := range to.Max.Y {
		for x := range to.Max.X {
			part := image.Rect(x*from.X/width, y*from.Y/to.Max.Y, (x+1)*from.X/width, (y+1)*from.Y/to.Max.Y)
			mean(small.Pix[small.PixOffset(x, y):], img, part.Add(img.Rect.Min))
		}
	}
	return small
}

// mean writes the mean of a part of a picture to a pixel.
func mean(pixel []uint8, img *image.RGBA, part image.Rectangle) {
	var sum [4]int
	for y := part.Min.Y; y < part.Max.Y; y++ {
		row := img.Pix[img.PixOffset(part.Min.X, y):]
		for i := range 4 * part.Dx() {
			sum[i%4] += int(row[i])
		}
	}
	n := part.Dx() * part.Dy()
	for i, s := range sum {
		pixel[i] = uint8((s + n/2) / n)
	}
}
