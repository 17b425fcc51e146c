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

// source gives a demuxer the bytes of a file. It keeps its own place, so that others may
// read the same descriptor. go-astiav never forgets its callbacks: they hold this small
// object alone, and Close lets go of the reader.
type source struct {
	r    io.ReaderAt
	at   int64
	size int64
	err  error // the first failures that were not the end of the file
}

func (s *source) read(b []byte) (n int, err error) {
	defer s.guard(&err)
	if s.r == nil || s.at >= s.size {
		return 0, astiav.ErrEof
	}
	n, err = s.r.ReadAt(b[:min(int64(len(b)), s.size-s.at)], s.at)
	s.at += int64(n)
	switch {
	case n > 0:
		return n, nil
	case err == nil || errors.Is(err, io.EOF):
		return 0, astiav.ErrEof
	case s.err == nil:
		s.err = fmt.Errorf("read input: %w", err)
	}
	return 0, astiav.ErrEio
}

func (s *source) seek(offset int64, whence int) (int64, error) {
	switch whence &^ seekForce {
	case seekSize:
		return s.size, nil
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.size
	}
	if offset < 0 {
		return 0, astiav.ErrEio
	}
	s.at = offset
	return offset, nil
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
