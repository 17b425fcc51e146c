// Package pixels turns a picture into the numbers that GIT's image encoder reads: it
// chooses the size, resamples, crops and normalises, bit for bit as Pillow 11.3.0 under
// Hugging Face's slow image processors does (transformers 4.56.2), or as Microsoft's own
// transform.
//
// It owns the views of a picture (what of it the model sees) and the interpolation of
// position embeddings that pictures of other sizes need. It does not own decoding, nor
// reading preprocessor_config.json.
//
// Transforms and views are plain values; a Processor is safe for concurrent use.
package pixels

import (
	"errors"
	"fmt"
	"math"
)

// Resize is how the size of a picture is chosen before cropping.
type Resize int

const (
	// Keep does not resize.
	Keep Resize = iota
	// ShortestEdge makes the shorter edge Edge pixels long and keeps the aspect.
	ShortestEdge
	// Exact makes every picture Width x Height.
	Exact
	// MinMax makes the shorter edge Edge pixels long, or less so that the longer one has no
	// more than MaxEdge, and keeps the aspect: MinMaxResizeForTest of Microsoft's
	// generativeimage2text/inference.py.
	MinMax
)

// Filter is a resampling filter, antialiased as Pillow's.
type Filter int

const (
	// Bicubic is Pillow's BICUBIC (a = -0.5), 3 in preprocessor_config.json.
	Bicubic Filter = iota
	// Bilinear is Pillow's BILINEAR, 2 in preprocessor_config.json.
	Bilinear
)

// Rounding says where arithmetic differs between the references.
type Rounding int

const (
	// HuggingFace halves odd margins downwards and scales in double precision.
	HuggingFace Rounding = iota
	// Torchvision halves odd margins to even and divides by 255 in single precision,
	// whatever Scale says.
	Torchvision
)

// Limits in pixels: a checkpoint may not ask for any amount of memory.
const (
	maxTarget = 1 << 11
	maxSource = 1 << 20
)

// Transform is what a checkpoint's configuration says of its pictures.
type Transform struct {
	Resize        Resize
	Edge, MaxEdge int // pixels: ShortestEdge and MinMax
	Width, Height int // pixels: Exact
	Filter        Filter

	CropWidth, CropHeight int // pixels, from the centre; 0 for no crop. Short sides are padded with black

	Scale     float64    // what a sample of 0..255 is multiplied by (1/255); 0 leaves it as it is
	Normalize bool       // subtract Mean, then divide by Std
	Mean, Std [3]float64 // red, green, blue
	Rounding  Rounding
}

// Microsoft is the transform that Microsoft's own code uses for pictures and frames
// alike: the shorter edge to size pixels, bicubic, the square at the centre, CLIP's
// normalisation.
func Microsoft(size int) Transform {
	t := microsoft()
	t.Resize, t.Edge = ShortestEdge, size
	t.CropWidth, t.CropHeight = size, size
	return t
}

// MicrosoftVQA is Microsoft's transform of the VQAv2 and TextVQA checkpoints: nothing is
// cropped. Base has edges of 480 and 640 pixels, large 420 and 560.
func MicrosoftVQA(edge, maxEdge int) Transform {
	t := microsoft()
	t.Resize, t.Edge, t.MaxEdge = MinMax, edge, maxEdge
	return t
}

func microsoft() Transform {
	return Transform{
		Filter:    Bicubic,
		Normalize: true,
		Mean:      [3]float64{0.48145466, 0.4578275, 0.40821073},
		Std:       [3]float64{0.26862954, 0.26130258, 0.27577711},
		Rounding:  Torchvision,
	}
}

// Validate says everything that is wrong with a transform.
func (t Transform) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("check image transform: "+format, args...))
	}
	size := func(what string, n, least int) {
		if n < least || n > maxTarget {
			bad("%s is %d, not between %d and %d", what, n, least, maxTarget)
		}
	}
	switch t.Resize {
	case Keep:
	case ShortestEdge:
		size("shortest edge", t.Edge, 1)
	case MinMax:
		size("shortest edge", t.Edge, 1)
		size("longest edge", t.MaxEdge, max(t.Edge, 1))
	case Exact:
		size("width", t.Width, 1)
		size("height", t.Height, 1)
	default:
		bad("resize %d is unknown", t.Resize)
	}
	if (t.Resize == Keep || t.Resize == ShortestEdge) && t.CropWidth == 0 {
		bad("nothing is cropped, so that pictures of any shape would come out: set do_center_crop and crop_size")
	}
	if t.CropWidth != 0 || t.CropHeight != 0 {
		size("crop width", t.CropWidth, 1)
		size("crop height", t.CropHeight, 1)
	}
	if t.Filter != Bicubic && t.Filter != Bilinear {
		bad("filter %d is unknown", t.Filter)
	}
	for c := range 3 {
		if t.Normalize && (!finite(t.Mean[c]) || !finite(t.Std[c]) || float32(t.Std[c]) == 0) {
			bad("channel %d has mean %v and standard deviation %v: both must be finite, the second not 0", c, t.Mean[c], t.Std[c])
		}
	}
	if !finite(t.Scale) {
		bad("scale is %v", t.Scale)
	}
	return errors.Join(errs...)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// Size returns the width and height in pixels of what a Processor makes of a picture of
// w x h pixels. They are at least 1, and may be smaller than a patch of the encoder where
// nothing is cropped.
func (t Transform) Size(w, h int, v View) (width, height int) {
	r := v.rect(w, h)
	p := t.plan(r.Dx(), r.Dy(), v)
	return p.x.out, p.y.out
}

// number is what the samples of a result are: float32, or the bits of a binary16.
type number interface{ float32 | uint16 }

// tables holds what each level of a sum becomes, per channel.
type tables[T number] [3][levels]T

// table is what a transform makes of levels, as numbers of a kind.
func table[T number](t Transform, of func(float32) T) *tables[T] {
	var table tables[T]
	for c := range table {
		for level := range table[c] {
			table[c][level] = of(t.sample(clip(level), c))
		}
	}
	return &table
}

// sample repeats the references' arithmetic: numpy scales in float64, rounds to float32
// and normalises in float32; torch does everything in float32.
func (t Transform) sample(u, channel int) float32 {
	x := float32(u)
	switch {
	case t.Rounding == Torchvision:
		x /= 255
	case t.Scale != 0:
		x = float32(float64(u) * t.Scale)
	}
	if t.Normalize {
		x = (x - float32(t.Mean[channel])) / float32(t.Std[channel])
	}
	return x
}
