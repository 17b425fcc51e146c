package ffmpeg

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// sniffed is how much of a file is looked at before FFmpeg sees any of it.
const sniffed = 4096

// sniff refuses what is not by its first bytes one of the containers that captiond
// accepts. It keeps text from FFmpeg's probing altogether: playlists, SDP, concat scripts.
func sniff(r io.ReaderAt) error {
	b := make([]byte, sniffed)
	n, err := r.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read input: %w", err)
	}
	return recognise(b[:n])
}

func recognise(b []byte) error {
	switch {
	case len(b) == 0:
		return errors.New("the file is empty")
	case text(b):
		return errors.New("this is a text file, not a video: give the video itself (playlists and scripts are not followed)")
	case container(b):
		return nil
	}
	return errors.New("this is not a video that captiond knows: give an mp4, mov, mkv, webm, ts, mpg, avi, flv, wmv, ogv or gif, or convert it with ffmpeg -i IN OUT.mp4")
}

// container knows the magic of each accepted container.
func container(b []byte) bool {
	at := func(i int, s string) bool { return len(b) >= i+len(s) && string(b[i:i+len(s)]) == s }
	switch {
	case at(0, "\x1aE\xdf\xa3"), // EBML: Matroska, WebM
		at(0, "RIFF") && at(8, "AVI "), at(0, "FLV\x01"), at(0, "OggS"),
		at(0, "0&\xb2u\x8ef\xcf\x11"), // ASF header object
		at(0, "GIF87a"), at(0, "GIF89a"),
		at(0, "\x00\x00\x01\xba"), at(0, "\x00\x00\x01\xb3"): // MPEG program or video stream
		return true
	}
	return isoMedia(b) || transport(b)
}

// isoMedia knows ISO base media files and old QuickTime by their first atom.
func isoMedia(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	for _, atom := range []string{"ftyp", "moov", "mdat", "wide", "free", "skip", "pnot", "styp", "moof", "sidx"} {
		if string(b[4:8]) == atom {
			return true
		}
	}
	return false
}

// transport looks for the sync byte at the distance of packets: 188 bytes, 192 with a time
// code (M2TS) or 204 with error correction. Capture may begin within a packet.
func transport(b []byte) bool {
	for _, size := range []int{188, 192, 204} {
		for first := range size {
			if synced(b, first, size) {
				return true
			}
		}
	}
	return false
}

func synced(b []byte, first, size int) bool {
	seen := 0
	for i := first; i < len(b); i += size {
		if b[i] != 0x47 {
			return false
		}
		seen++
	}
	return seen >= 4 || seen > 0 && first == 0 && len(b) < 4*size && len(b) >= size
}

// text reports whether the bytes are valid UTF-8 (the last rune may be cut) without NUL.
func text(b []byte) bool {
	if bytes.IndexByte(b, 0) >= 0 {
		return false
	}
	for i := 0; i < utf8.UTFMax && i < len(b); i++ {
		if utf8.Valid(b[:len(b)-i]) {
			return true
		}
	}
	return false
}
