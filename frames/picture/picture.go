// Package picture decodes still pictures (JPEG, PNG, WebP, BMP, GIF) in memory-safe Go:
// upright as their EXIF orientation says, alpha dropped, palettes and grey expanded, 16
// bit cut to 8, as Pillow's exif_transpose and convert("RGB") give them.
//
// One thing differs from Pillow on purpose: 16-bit grey is cut to its upper 8 bits, where
// Pillow takes all above 255 for white. What moves is not decoded here: an animated GIF
// is reported as ErrAnimated, for the video decoder to show.
//
// It keeps no state; every function is safe for concurrent use.
package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"
)

// ErrAnimated says that a GIF has more than one frame: it is a video.
var ErrAnimated = errors.New("the picture is animated")

// Limits bound what is decoded; a zero field stands for its default.
type Limits struct {
	Pixels int64 // width x height; default 35,389,440 (8192 x 4320), as of a video
	Bytes  int64 // of the file; default 256 MiB
}

const (
	defaultPixels = 8192 * 4320
	defaultBytes  = 256 << 20
)

// SniffLen is how many bytes Sniff needs to tell every kind.
const SniffLen = 12

// Sniff tells the kind of a picture by its first bytes: "jpeg", "png", "webp", "bmp" or
// "gif"; ok is false for anything else.
func Sniff(head []byte) (kind string, ok bool) {
	begins := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case begins("\xff\xd8\xff"):
		return "jpeg", true
	case begins("\x89PNG\r\n\x1a\n"):
		return "png", true
	case begins("RIFF") && len(head) >= SniffLen && string(head[8:12]) == "WEBP":
		return "webp", true
	case begins("BM"):
		return "bmp", true
	case begins("GIF87a"), begins("GIF89a"):
		return "gif", true
	}
	return "", false
}

// decoder is what one kind of picture needs. look is optional.
type decoder struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	// look reads what Go's decoder leaves out, before anything is decoded.
	look func(data []byte, limit int64) (extra, error)
}

// extra is what the container says beside the pixels.
type extra struct {
	exif    []byte      // a TIFF structure
	canvas  image.Point // a GIF's screen
	palette []byte      // a GIF's colours, transparent ones too: red, green, blue
	studio  bool        // luma is 16 to 235 (WebP)
}

func decoderOf(kind string) decoder {
	switch kind {
	case "jpeg":
		return decoder{jpeg.DecodeConfig, jpeg.Decode, lookJPEG}
	case "png":
		return decoder{png.DecodeConfig, png.Decode, lookPNG}
	case "webp":
		return decoder{webp.DecodeConfig, webp.Decode, lookWebP}
	case "bmp":
		return decoder{bmp.DecodeConfig, bmp.Decode, lookBMP}
	}
	return decoder{gif.DecodeConfig, gif.Decode, lookGIF}
}

// Decode reads one picture from the beginning of r. Its alpha is 255 everywhere and its
// bounds begin at (0, 0). The error is ErrAnimated for a GIF of several frames; every
// other says what is wrong with the file.
func Decode(r io.Reader, l Limits) (*image.RGBA, error) {
	if l.Pixels == 0 {
		l.Pixels = defaultPixels
	}
	if l.Bytes == 0 {
		l.Bytes = defaultBytes
	}
	data, err := io.ReadAll(io.LimitReader(r, l.Bytes+1))
	if err != nil {
		return nil, fmt.Errorf("read picture: %w", err)
	}
	if int64(len(data)) > l.Bytes {
		return nil, fmt.Errorf("read picture: more than %d bytes: use a smaller file", l.Bytes)
	}
	kind, ok := Sniff(data)
	if !ok {
		return nil, errors.New("read picture: neither JPEG, PNG, WebP, BMP nor GIF")
	}
	img, err := decode(kind, data, l.Pixels)
	if err != nil {
		return nil, fmt.Errorf("decode %s picture: %w", kind, err)
	}
	return img, nil
}

// decode turns a panic of a decoder into an error: the file comes from anybody, and must
// not end the program.
func decode(kind string, data []byte, limit int64) (img *image.RGBA, err error) {
	defer func() {
		if p := recover(); p != nil {
			img, err = nil, fmt.Errorf("the file is damaged: %v", p)
		}
	}()
	d := decoderOf(kind)
	config, err := d.config(bytes.NewReader(data))
	if err != nil {
		return nil, explain(err, kind, data)
	}
	if err := checkSize(config.Width, config.Height, limit); err != nil {
		return nil, err
	}
	more, err := d.look(data, limit)
	if err != nil {
		return nil, err
	}
	pixels, err := d.decode(bytes.NewReader(data))
	if err != nil {
		return nil, explain(err, kind, data)
	}
	img, err = opaque(pixels, more)
	if err != nil {
		return nil, err
	}
	return upright(img, orientation(more.exif)), nil
}

func checkSize(width, height int, limit int64) error {
	if width < 1 || height < 1 {
		return fmt.Errorf("the picture is %d x %d pixels", width, height)
	}
	if int64(width) > limit/int64(height) {
		return fmt.Errorf("the picture is %d x %d pixels, more than %d in all: scale it down first", width, height, limit)
	}
	return nil
}

// explain says of a file that cannot be decoded that it is cut short, where it is: the
// decoders have many words for it.
func explain(err error, kind string, data []byte) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || cutShort(kind, data) {
		return fmt.Errorf("the file is truncated, copy it again: %w", err)
	}
	return err
}

// cutShort tells whether a file lacks its kind's end.
func cutShort(kind string, data []byte) bool {
	end := bytes.TrimRight(data, "\x00")
	switch kind {
	case "jpeg":
		return !bytes.HasSuffix(end, []byte("\xff\xd9"))
	case "png":
		return !bytes.Contains(end, []byte("IEND"))
	case "webp":
		return int64(binary.LittleEndian.Uint32(data[4:]))+8 > int64(len(data))
	case "gif":
		return !bytes.HasSuffix(end, []byte(";"))
	}
	return false
}
