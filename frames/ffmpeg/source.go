package ffmpeg

import (
	"errors"
	"fmt"
	"io"

	"github.com/asticode/go-astiav"
)

// ioBuffer is how much the demuxer reads at a time.
const ioBuffer = 64 << 10

// seekSize is libavformat's question for the size of the input (AVSEEK_SIZE); the force
// flag (AVSEEK_FORCE) may be added to any seek.
const (
	seekSize  = 0x10000
	seekForce = 0x20000
)

// source gives a demuxer the bytes of a descriptor. go-astiav never forgets its callbacks,
// so they hold this small object alone, and close lets go of the reader.
type source struct {
	r    io.ReadSeeker
	size int64
	err  error // the first failure that was not the end of the file
}

func newSource(r io.ReadSeeker) (*source, error) {
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("find size of input: %w", err)
	}
	return &source{r: r, size: size}, nil
}

func (s *source) read(b []byte) (n int, err error) {
	defer s.guard(&err)
	n, err = s.r.Read(b)
	switch {
	case n > 0:
		return n, nil
	case err == nil || errors.Is(err, io.EOF):
		return 0, astiav.ErrEof
	}
	s.err = errors.Join(s.err, err)
	return 0, astiav.ErrEio
}

func (s *source) seek(offset int64, whence int) (n int64, err error) {
	defer s.guard(&err)
	if whence&seekSize != 0 {
		return s.size, nil
	}
	n, err = s.r.Seek(offset, whence&^seekForce)
	if err != nil {
		return 0, astiav.ErrEio
	}
	return n, nil
}

// guard turns a panic into an error: one that crossed into C would end the process.
func (s *source) guard(err *error) {
	if p := recover(); p != nil {
		s.err = fmt.Errorf("read input: %v", p)
		*err = astiav.ErrEio
	}
}

// live counts the native objects that a Clip holds, so that tests can see a leak.
type live struct{ inputs, decoders, frames, packets, graphs int }
