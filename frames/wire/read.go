package wire

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"time"
)

// ErrInvalid is wrapped by the error of a Read that met something other than a message as
// this package describes them. What follows cannot be read.
var ErrInvalid = errors.New("invalid message")

// A Frame is a Picture as a Reader gives it: checked, with its pixels expanded to RGBA,
// alpha 255, in memory that nobody else holds.
type Frame struct {
	First, Count int
	PTS          time.Duration
	Image        *image.RGBA
}

// A Reader receives messages. It is used by one goroutine at a time.
type Reader struct {
	r         *bufio.Reader
	maxPixels int
	row       []byte
}

// NewReader returns a Reader on r that accepts pictures of at most maxPixels pixels: 0
// where none is expected.
func NewReader(r io.Reader, maxPixels int) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 64<<10), maxPixels: maxPixels}
}

// Read returns the next message: a value of one of the types of this package, a Frame for
// a Picture. Its error is io.EOF where the other side has closed the pipe between two
// messages; it wraps ErrInvalid where what came is no message.
func (r *Reader) Read() (Message, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r.r, h[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("read message: %w", err)
	}
	if binary.BigEndian.Uint32(h[:]) != magic || h[5]|h[6]|h[7] != 0 {
		return nil, fmt.Errorf("%w: header % x", ErrInvalid, h)
	}
	m, err := r.payload(kind(h[4]), int64(binary.BigEndian.Uint32(h[8:])))
	if err != nil {
		return nil, fmt.Errorf("read message of kind %q: %w", h[4], err)
	}
	return m, nil
}

func (r *Reader) payload(k kind, length int64) (Message, error) {
	switch k {
	case kindPicture:
		return r.frame(length)
	case kindOpen:
		return decode(r, k, length, Open.check)
	case kindShow:
		return decode(r, k, length, Show.check)
	case kindReady:
		return decode(r, k, length, Ready.check)
	case kindOpened:
		return decode(r, k, length, Opened.check)
	case kindProgress:
		return decode(r, k, length, Progress.check)
	case kindShown:
		return decode(r, k, length, Shown.check)
	case kindFailure:
		return decode(r, k, length, Failure.check)
	case kindLive:
		return decode(r, k, length, Live.check)
	case kindUnit:
		return r.unit(length)
	case kindGrid:
		return decode(r, k, length, Grid.check)
	case kindDrain:
		return decode(r, k, length, Drain.check)
	case kindMoved:
		return decode(r, k, length, Moved.check)
	}
	return nil, fmt.Errorf("%w: unknown kind", ErrInvalid)
}

// decode reads a JSON message and has it checked and cleaned.
func decode[M Message](r *Reader, k kind, length int64, check func(M) (M, error)) (Message, error) {
	if length > int64(longest(k)) {
		return nil, fmt.Errorf("%w: %d bytes are too many", ErrInvalid, length)
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(r.r, payload); err != nil {
		return nil, cut(err)
	}
	var m M
	if err := json.Unmarshal(payload, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	m, err := check(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return m, nil
}

// frame reads a picture. Nothing is allocated before its size is known to be right.
func (r *Reader) frame(length int64) (Message, error) {
	var h [pictureSize]byte
	if length < pictureSize || length > pictureSize+3*int64(r.maxPixels) {
		return nil, fmt.Errorf("%w: a picture of %d bytes", ErrInvalid, length)
	}
	if _, err := io.ReadFull(r.r, h[:]); err != nil {
		return nil, cut(err)
	}
	var n [4]int
	for i := range n {
		n[i] = int(int32(binary.BigEndian.Uint32(h[4*i:])))
	}
	f := Frame{First: n[0], Count: n[1], PTS: time.Duration(binary.BigEndian.Uint64(h[16:]))}
	if err := r.checkFrame(f, n[2], n[3], length-pictureSize); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	f.Image = image.NewRGBA(image.Rect(0, 0, n[2], n[3]))
	return f, r.pixels(f.Image)
}

func (r *Reader) checkFrame(f Frame, width, height int, size int64) error {
	switch {
	case width <= 0 || height <= 0 || width > MaxSide || height > MaxSide ||
		int64(width)*int64(height) > int64(r.maxPixels):
		return fmt.Errorf("a picture of %dx%d pixels is not within %d pixels", width, height, r.maxPixels)
	case size != 3*int64(width)*int64(height):
		return fmt.Errorf("%d bytes are no %dx%d RGB picture", size, width, height)
	case f.First < 0 || f.Count <= 0:
		return fmt.Errorf("a picture for %d instants from number %d", f.Count, f.First)
	case !plausible(f.PTS):
		return fmt.Errorf("time %v is out of range", f.PTS)
	}
	return nil
}

// pixels fills an image from packed RGB, row by row.
func (r *Reader) pixels(img *image.RGBA) error {
	width := img.Rect.Dx()
	if cap(r.row) < 3*width {
		r.row = make([]byte, 3*width)
	}
	row := r.row[:3*width]
	for y := range img.Rect.Dy() {
		if _, err := io.ReadFull(r.r, row); err != nil {
			return cut(err)
		}
		expand(img.Pix[y*img.Stride:y*img.Stride+4*width], row)
	}
	return nil
}

// expand writes packed RGB as RGBA with alpha 255.
func expand(rgba, rgb []byte) {
	for len(rgba) >= 4 && len(rgb) >= 3 {
		rgba[0], rgba[1], rgba[2], rgba[3] = rgb[0], rgb[1], rgb[2], 255
		rgba, rgb = rgba[4:], rgb[3:]
	}
}

// cut turns an end of input within a message into what it is.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
