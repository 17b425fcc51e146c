package ffmpeg

import (
	"errors"
	"fmt"
	"io"

	"github.com/captiond/captiond/frames/magic"
)

// sniff refuses what is not by its first bytes one of the containers that captiond
// accepts, before FFmpeg's own probing sees any of it.
func sniff(r io.ReaderAt) error {
	head := make([]byte, magic.HeadSize)
	n, err := io.ReadFull(io.NewSectionReader(r, 0, magic.HeadSize), head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read input: %w", err)
	}
	kind, err := magic.Sniff(head[:n])
	if err == nil && kind == magic.Picture {
		err = errors.New("this is a picture, not a video")
	}
	return err
}
