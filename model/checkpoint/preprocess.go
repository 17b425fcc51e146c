package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Preprocess is what preprocessor_config.json says must happen to a picture, in this
// order: resize, crop, scale, normalise. Absent keys have the defaults of the class that
// the file names, as in transformers 4.56.2.
type Preprocess struct {
	Class string // CLIPImageProcessor or VideoMAEImageProcessor

	ShortestEdge  int // pixels; 0 with Width and Height, or when pictures are not resized
	Width, Height int // pixels; 0 with ShortestEdge, or when pictures are not resized
	Filter        Filter

	CropWidth, CropHeight int // pixels, from the centre; 0 for no crop

	Scale     float64    // factor on samples of 0..255; 0 for none
	Normalize bool       // subtract Mean, divide by Std
	Mean, Std [3]float64 // red, green, blue

	ConvertRGB bool // do_convert_rgb; captiond gives RGB in any case
}

// Filter is a resampling filter, numbered as Pillow and preprocessor_config.json do.
type Filter int

// The filters that GIT checkpoints use.
const (
	Bilinear Filter = 2
	Bicubic  Filter = 3
)

// Classes of image processors.
const (
	clip     = "CLIPImageProcessor"
	videoMAE = "VideoMAEImageProcessor"
)

// maxPixels is the longest edge that a checkpoint may ask for.
const maxPixels = 2048

type rawPreprocess struct {
	Class      string          `json:"image_processor_type"`
	OldClass   string          `json:"feature_extractor_type"`
	Resize     *bool           `json:"do_resize"`
	Size       json.RawMessage `json:"size"`
	Resample   *int            `json:"resample"`
	Crop       *bool           `json:"do_center_crop"`
	CropSize   json.RawMessage `json:"crop_size"`
	Rescale    *bool           `json:"do_rescale"`
	Factor     *float64        `json:"rescale_factor"`
	Normalize  *bool           `json:"do_normalize"`
	Mean       *channels       `json:"image_mean"`
	Std        *channels       `json:"image_std"`
	ConvertRGB *bool           `json:"do_convert_rgb"`
}

// channels is one number for all channels, or one for each.
type channels [3]float64

func (c *channels) UnmarshalJSON(data []byte) error {
	var one float64
	if json.Unmarshal(data, &one) == nil {
		*c = channels{one, one, one}
		return nil
	}
	var list []float64
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	if len(list) != 3 {
		return fmt.Errorf("%d numbers for 3 channels", len(list))
	}
	*c = channels(list)
	return nil
}

// loadPreprocess reads preprocessor_config.json, else the image_processor in
// processor_config.json.
func (c *Checkpoint) loadPreprocess(fsys fs.FS) error {
	name, data, err := findPreprocess(fsys)
	if err != nil {
		return err
	}
	p, err := parsePreprocess(data)
	if err == nil {
		err = p.suits(c.Config)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	c.Preprocess = p
	return nil
}

func findPreprocess(fsys fs.FS) (string, []byte, error) {
	const own, nested = "preprocessor_config.json", "processor_config.json"
	data, err := readFile(fsys, own, maxJSON)
	if !errors.Is(err, fs.ErrNotExist) {
		return own, data, err
	}
	data, err = readFile(fsys, nested, maxJSON)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nested, nil, err
	}
	var outer struct {
		Inner json.RawMessage `json:"image_processor"`
	}
	if err == nil {
		if err := json.Unmarshal(data, &outer); err != nil {
			return nested, nil, fmt.Errorf("read %s: %w", nested, err)
		}
	}
	if len(outer.Inner) == 0 || isNull(outer.Inner) {
		return own, nil, fmt.Errorf("no %s (nor %s with an image_processor): how pictures are resized and normalised is not known; copy the file from the checkpoint's source", own, nested)
	}
	return nested, outer.Inner, nil
}

func isNull(data json.RawMessage) bool { return strings.TrimSpace(string(data)) == "null" }

func parsePreprocess(data []byte) (Preprocess, error) {
	var raw rawPreprocess
	if err := json.Unmarshal(data, &raw); err != nil {
		return Preprocess{}, err
	}
	p := Preprocess{Class: clip, Filter: Bicubic, Normalize: or(raw.Normalize, true), ConvertRGB: or(raw.ConvertRGB, true)}
	p.Mean = [3]float64{0.48145466, 0.4578275, 0.40821073}
	p.Std = [3]float64{0.26862954, 0.26130258, 0.27577711}
	switch class := raw.class(); class {
	case clip:
	case videoMAE:
		p.Class, p.Filter, p.ConvertRGB = class, Bilinear, false
		p.Mean, p.Std = [3]float64{0.5, 0.5, 0.5}, [3]float64{0.5, 0.5, 0.5}
	default:
		return Preprocess{}, fmt.Errorf("image_processor_type is %q: supported are %s and %s", class, clip, videoMAE)
	}
	p.Mean = or(raw.Mean, channels(p.Mean))
	p.Std = or(raw.Std, channels(p.Std))
	p.Filter = Filter(or(raw.Resample, int(p.Filter)))
	if or(raw.Rescale, true) {
		p.Scale = or(raw.Factor, 1.0/255)
	}
	return p, errors.Join(p.sizes(raw), p.check())
}

// class is the processor's name without the suffixes that do not matter here: the fast
// variants compute the same but for rounding, the feature extractors are their old names.
func (r rawPreprocess) class() string {
	name := r.Class
	if name == "" {
		name = strings.ReplaceAll(r.OldClass, "FeatureExtractor", "ImageProcessor")
	}
	if name == "" {
		return clip // what transformers takes for model_type git
	}
	return strings.TrimSuffix(name, "Fast")
}

// sizes reads size and crop_size as get_size_dict of transformers' image_processing_utils.
func (p *Preprocess) sizes(raw rawPreprocess) error {
	var errs []error
	if or(raw.Resize, true) {
		s, err := parseSize("size", raw.Size, rawSize{Shortest: 224})
		p.ShortestEdge, p.Width, p.Height = s.Shortest, s.Width, s.Height
		errs = append(errs, err)
	}
	if or(raw.Crop, true) {
		s, err := parseSize("crop_size", raw.CropSize, rawSize{Width: 224, Height: 224})
		if s.Shortest > 0 && !isNumber(raw.CropSize) {
			err = errors.New("crop_size: needs height and width")
		}
		if isNumber(raw.CropSize) {
			s.Width, s.Height = s.Shortest, s.Shortest
		}
		p.CropWidth, p.CropHeight = s.Width, s.Height
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

type rawSize struct {
	Shortest int `json:"shortest_edge"`
	Width    int `json:"width"`
	Height   int `json:"height"`
}

func isNumber(data json.RawMessage) bool {
	var n int
	return len(data) > 0 && !isNull(data) && json.Unmarshal(data, &n) == nil
}

// parseSize reads a number (the shortest edge), a pair [height, width], or an object.
func parseSize(name string, data json.RawMessage, absent rawSize) (rawSize, error) {
	if len(data) == 0 || isNull(data) {
		return absent, nil
	}
	var s rawSize
	var pair []int
	switch {
	case json.Unmarshal(data, &s.Shortest) == nil:
	case json.Unmarshal(data, &pair) == nil && len(pair) == 2:
		s.Height, s.Width = pair[0], pair[1]
	case json.Unmarshal(data, &s) != nil:
		return rawSize{}, fmt.Errorf("%s: not a number, a pair or an object of whole numbers", name)
	}
	if s.Shortest != 0 { // what stands beside it is not read by the processors
		s.Width, s.Height = 0, 0
		return s, within(name, int64(s.Shortest), 1, maxPixels)
	}
	return s, errors.Join(
		within(name+": height", int64(s.Height), 1, maxPixels),
		within(name+": width", int64(s.Width), 1, maxPixels))
}

func (p Preprocess) check() error {
	var errs []error
	if p.Filter != Bilinear && p.Filter != Bicubic {
		errs = append(errs, fmt.Errorf("resample is %d%s: supported are 2 (bilinear) and 3 (bicubic)", p.Filter, p.Filter.name()))
	}
	if p.Scale < 0 || p.Scale > 1e6 {
		errs = append(errs, fmt.Errorf("rescale_factor is %g: it must be from 0 to 1e6", p.Scale))
	}
	for i := range 3 {
		if p.Normalize && !(p.Std[i] > 0) {
			errs = append(errs, fmt.Errorf("image_std is %v: every number must be above 0", p.Std))
			break
		}
	}
	return errors.Join(errs...)
}

// name is Pillow's name of a filter that is not supported.
func (f Filter) name() string {
	names := map[Filter]string{0: "nearest", 1: "Lanczos", 4: "box", 5: "Hamming"}
	if name := names[f]; name != "" {
		return " (" + name + ")"
	}
	return ""
}

// suits checks that the encoder can read what leaves the preprocessing: a crop of
// image_size, or without a crop a fixed size (positions are then interpolated).
func (p Preprocess) suits(c Config) error {
	switch {
	case p.CropWidth > 0 && (int64(p.CropWidth) != c.ImageSize || int64(p.CropHeight) != c.ImageSize):
		return fmt.Errorf("crop_size is %d x %d and config.json's image_size %d: the files are not of the same checkpoint", p.CropWidth, p.CropHeight, c.ImageSize)
	case p.CropWidth > 0:
		return nil
	case p.Width == 0:
		return errors.New("pictures would keep their own shape: do_center_crop, or a size of height and width, is needed")
	}
	return errors.Join(
		within("size: width", int64(p.Width), c.PatchSize, maxPixels),
		within("size: height", int64(p.Height), c.PatchSize, maxPixels))
}
