// Package opencv sketches pictures with OpenCV. It is the only importer of gocv.
package opencv

// #cgo pkg-config: opencv4
// #cgo CXXFLAGS: --std=c++11
// void captiond_one_thread(void);
import "C"

import (
	"errors"
	"fmt"
	"image"
	"runtime"

	"gocv.io/x/gocv"

	"github.com/captiond/captiond/frames"
)

// Eye makes sketches. Its zero value is ready, and may be used by any number of goroutines.
type Eye struct{}

// blur is the standard deviation of the Gaussian over the cells: what takes the noise of a
// dark camera out of a picture of 240 pixels, and leaves things of a few cells.
const blur = 1.15

// Sketch makes a picture small: means over areas, then a Gaussian. It holds native memory
// only while it works.
func (Eye) Sketch(img *image.RGBA) (frames.Sketch, error) {
	C.captiond_one_thread() // the cores are for inference: a sketch is little work
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if w <= 0 || h <= 0 {
		return frames.Sketch{}, errors.New("sketch picture: it is empty")
	}
	picture, err := gocv.NewMatFromBytes(h, w, gocv.MatTypeCV8UC4, packed(img))
	if err != nil {
		return frames.Sketch{}, fmt.Errorf("sketch picture: %w", err)
	}
	defer runtime.KeepAlive(img) // the Mat points into its pixels
	defer picture.Close()
	small := gocv.NewMat()
	defer small.Close()
	gocv.Resize(picture, &small, image.Pt(frames.SketchWidth, frames.SketchHeight), 0, 0, gocv.InterpolationArea)
	gocv.GaussianBlur(small, &small, image.Pt(7, 7), blur, blur, gocv.BorderReplicate)
	return frames.Sketch{RGB: withoutAlpha(small.ToBytes())}, nil
}

// packed is the picture's pixels, rows one after another.
func packed(img *image.RGBA) []byte {
	w, h := 4*img.Rect.Dx(), img.Rect.Dy()
	first := img.PixOffset(img.Rect.Min.X, img.Rect.Min.Y)
	if img.Stride == w {
		return img.Pix[first : first+w*h]
	}
	rows := make([]byte, 0, w*h)
	for y := range h {
		rows = append(rows, img.Pix[first+y*img.Stride:][:w]...)
	}
	return rows
}

func withoutAlpha(rgba []byte) []byte {
	rgb := make([]byte, 0, len(rgba)/4*3)
	for ; len(rgba) >= 4; rgba = rgba[4:] {
		rgb = append(rgb, rgba[:3]...)
	}
	return rgb
}

// Version is OpenCV's.
func Version() string { return gocv.OpenCVVersion() }
