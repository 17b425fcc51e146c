package ffmpeg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/asticode/go-astiav"

	"github.com/captiond/captiond/frames/wire"
)

// maxAspect is the longest sample that is believed; a longer one is a mistake of the file.
const maxAspect = 10

// shape is a picture's size with square samples, before it is turned. As players do, the
// height stays and the width follows the sample aspect ratio; where that would exceed
// maxPixels the height shrinks instead.
func shape(s *astiav.Stream, f *astiav.Frame, maxPixels int) (width, height int) {
	w, h := f.Width(), f.Height()
	num, den := aspect(s, f)
	if num <= 0 || den <= 0 || num > maxAspect*den || den > maxAspect*num {
		return w, h
	}
	ratio := float64(num) / float64(den)
	if wide := float64(w) * ratio; wide*float64(h) <= float64(maxPixels) && wide <= wire.MaxSide {
		return max(1, int(math.Round(wide))), h
	}
	return w, max(1, int(math.Round(float64(h)/ratio)))
}

// turn is how a picture is brought upright, as filters.
type turn string

func (t turn) turned() bool { return strings.HasPrefix(string(t), "transpose") }

// orientation reads the display matrix: the container's, else the one in the picture. Its
// first two columns say where right and down go; angles between are taken to the nearest
// quarter (libavutil/display.h).
func orientation(s *astiav.Stream, f *astiav.Frame) turn {
	var b []byte
	if s != nil {
		b = s.SideData(astiav.PacketSideDataTypeDisplaymatrix)
	}
	if len(b) < 36 {
		if d := f.SideData(astiav.FrameSideDataTypeDisplaymatrix); d != nil {
			b = d.Data()
		}
	}
	if len(b) < 36 {
		return ""
	}
	m := func(i int) float64 { return float64(int32(binary.NativeEndian.Uint32(b[4*i:]))) }
	return turnOf(m(0), m(1), m(3), m(4))
}

// turnOf names the quarter turn of x' = ax + cy, y' = bx + dy.
func turnOf(a, b, c, d float64) turn {
	if math.Abs(a)+math.Abs(d) >= math.Abs(b)+math.Abs(c) {
		switch {
		case a < 0 && d < 0:
			return "hflip,vflip"
		case a < 0:
			return "hflip"
		case d < 0:
			return "vflip"
		}
		return ""
	}
	switch {
	case b > 0 && c < 0:
		return "transpose=clock"
	case b < 0 && c > 0:
		return "transpose=cclock"
	case b < 0 && c < 0:
		return "transpose=clock_flip"
	}
	return "transpose=cclock_flip"
}

// filters is the chain that makes a decoded picture upright packed RGB with square pixels.
func filters(s *astiav.Stream, f *astiav.Frame, maxPixels int) string {
	var chain []string
	if interlaced(f) {
		// From this picture alone, so that it is the same wherever decoding began.
		chain = append(chain, "estdif=mode=frame:deint=all")
	}
	w, h := shape(s, f, maxPixels)
	chain = append(chain, colours(f, w, h)...)
	chain = append(chain, "format=rgb24")
	if t := orientation(s, f); t != "" {
		chain = append(chain, string(t))
	}
	return strings.Join(chain, ",")
}

// colours converts to full-range RGB. High dynamic range is brought to the standard one:
// linear light, 203 cd/m2 (the reference white of BT.2408) to white, brighter parts rolled
// off, BT.709 primaries and transfer. Alpha is dropped.
func colours(f *astiav.Frame, w, h int) []string {
	c := colourOf(f)
	if (c.transfer == transferPQ || c.transfer == transferHLG) && !rgb(f) {
		return toneMap(c, w, h)
	}
	scale := fmt.Sprintf("scale=w=%d:h=%d:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact", w, h)
	if rgb(f) {
		return []string{scale}
	}
	return []string{scale + ":in_color_matrix=" + matrix(c, f) + ":in_range=" + inRange(c, f) + ":out_range=pc"}
}

func toneMap(c colour, w, h int) []string {
	in := "tin=smpte2084"
	if c.transfer == transferHLG {
		in = "tin=arib-std-b67"
	}
	in += ":pin=bt2020:min=bt2020nc"
	if c.matrix == matrix709 {
		in += ":min=bt709"
	}
	if c.full {
		in += ":rin=pc"
	} else {
		in += ":rin=tv"
	}
	return []string{
		fmt.Sprintf("zscale=w=%d:h=%d:f=bicubic:%s:t=linear:npl=203", w, h, in), "format=gbrpf32le",
		"zscale=p=bt709", "tonemap=tonemap=mobius:param=0.7:desat=0:peak=5", "zscale=t=bt709:r=pc", "format=gbrp",
		"scale=flags=accurate_rnd+bitexact",
	}
}

func rgb(f *astiav.Frame) bool {
	n := f.PixelFormat().Name()
	return colourOf(f).matrix == matrixRGB || strings.Contains(n, "rgb") || strings.Contains(n, "bgr") || strings.HasPrefix(n, "gbr") || n == "pal8"
}

// matrix names the matrix as the scale filter does. What the file does not say is guessed
// as players guess it: BT.709 for high definition, else BT.601.
func matrix(c colour, f *astiav.Frame) string {
	switch c.matrix {
	case matrix709:
		return "bt709"
	case matrix470, matrix170:
		return "bt601"
	case matrixFCC:
		return "fcc"
	case matrix240:
		return "smpte240m"
	case matrix2020, matrix2020const:
		return "bt2020"
	}
	if f.Width() >= 1280 || f.Height() > 576 {
		return "bt709"
	}
	return "bt601"
}

// inRange names the range: JPEG's pixel formats are full whatever else is said.
func inRange(c colour, f *astiav.Frame) string {
	if c.full || strings.HasPrefix(f.PixelFormat().Name(), "yuvj") {
		return "pc"
	}
	return "tv"
}

// convert makes upright packed RGB of a decoded picture; a live one has no stream. The filter graph is made for this
// one picture: few are converted, and size, format and shape may change from one to the
// next.
func convert(s *astiav.Stream, f *astiav.Frame, l Limits, lv *live) (wire.Picture, error) {
	g := astiav.AllocFilterGraph()
	if g == nil {
		return wire.Picture{}, errors.New("convert picture: out of memory")
	}
	lv.graphs++
	defer func() { g.Free(); lv.graphs-- }()
	g.SetThreadCount(l.Threads)
	out := astiav.AllocFrame()
	lv.frames++
	defer func() { out.Free(); lv.frames-- }()
	if err := run(g, filters(s, f, l.MaxPixels), f, out); err != nil {
		return wire.Picture{}, fmt.Errorf("convert picture of %dx%d %s: %w", f.Width(), f.Height(), f.PixelFormat().Name(), err)
	}
	pixels, err := out.Data().Bytes(1)
	if err != nil {
		return wire.Picture{}, fmt.Errorf("convert picture: %w", err)
	}
	return wire.Picture{Width: out.Width(), Height: out.Height(), Pixels: pixels}, nil
}

// run sends one picture through a chain of filters.
func run(g *astiav.FilterGraph, chain string, in, out *astiav.Frame) error {
	src, sink, err := build(g, chain, in)
	if err != nil {
		return err
	}
	defer src.Free()
	defer sink.Free()
	if err := src.BuffersrcAddFrame(in, astiav.NewBuffersrcFlags(astiav.BuffersrcFlagKeepRef)); err != nil {
		return err
	}
	if err := src.BuffersrcAddFrame(nil, astiav.NewBuffersrcFlags()); err != nil {
		return err
	}
	return sink.BuffersinkGetFrame(out, astiav.NewBuffersinkFlags())
}

// build makes a graph of a chain for pictures like the one given. The ends are freed by
// the caller, before the graph.
func build(g *astiav.FilterGraph, chain string, like *astiav.Frame) (src, sink *astiav.FilterContext, err error) {
	src, err = g.NewFilterContext(astiav.FindFilterByName("buffer"), "in", astiav.FilterArgs{
		"video_size":   fmt.Sprintf("%dx%d", like.Width(), like.Height()),
		"pix_fmt":      fmt.Sprint(int(like.PixelFormat())),
		"time_base":    "1/1000000",
		"pixel_aspect": "1/1",
	})
	if err != nil {
		return nil, nil, err
	}
	sink, err = g.NewFilterContext(astiav.FindFilterByName("buffersink"), "out", nil)
	if err == nil {
		err = connect(g, chain, src, sink)
	}
	if err != nil {
		src.Free()
		if sink != nil {
			sink.Free()
		}
		return nil, nil, err
	}
	return src, sink, nil
}

func connect(g *astiav.FilterGraph, chain string, src, sink *astiav.FilterContext) error {
	outputs, inputs := astiav.AllocFilterInOut(), astiav.AllocFilterInOut()
	defer outputs.Free()
	defer inputs.Free()
	outputs.SetName("in")
	outputs.SetFilterContext(src)
	inputs.SetName("out")
	inputs.SetFilterContext(sink)
	if err := g.Parse(chain, inputs, outputs); err != nil {
		return err
	}
	return g.Configure()
}
