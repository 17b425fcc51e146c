// Package magic tells by its first bytes whether a file is one of the containers and
// pictures that captiond accepts. It is the gate before FFmpeg, which would take almost
// anything: text above all is refused, since playlists and scripts make demuxers open
// other files. Both sides of the decode child ask it. It keeps no state.
package magic

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// HeadSize is how many first bytes are looked at.
const HeadSize = 8 << 10

// Kind is what the first bytes of a file say it is.
type Kind string

// The kinds.
const (
	Video   Kind = "video"
	Picture Kind = "picture"
	GIF     Kind = "gif" // a picture, or a video if it moves
)

// Sniff tells a video from a picture by the magic of its container, and refuses all else
// with what to do.
func Sniff(head []byte) (Kind, error) {
	switch {
	case len(head) == 0:
		return "", errors.New("the file is empty: copy or download it again")
	case isText(head):
		return "", errors.New("this is text, not a video: give the video itself (playlists, scripts and addresses in files are not followed)")
	case at(head, 0, "GIF87a"), at(head, 0, "GIF89a"):
		return GIF, nil
	case isPicture(head):
		return Picture, nil
	case isVideo(head):
		return Video, nil
	}
	return "", errors.New("this is no video or picture that captiond knows: give mp4, mov, mkv, webm, ts, mpg, avi, flv, wmv, ogv, gif, jpeg, png, webp or bmp, or convert it (ffmpeg -i IN OUT.mp4)")
}

// isText says that all is UTF-8 without control characters, as no container's head is. The
// last character may be cut.
func isText(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return !utf8.FullRune(b)
		}
		if r < ' ' && !strings.ContainsRune("\t\n\v\f\r\x1b", r) {
			return false
		}
		b = b[n:]
	}
	return true
}

func isPicture(b []byte) bool {
	return at(b, 0, "\xff\xd8\xff") || at(b, 0, "\x89PNG\r\n\x1a\n") ||
		at(b, 0, "RIFF") && at(b, 8, "WEBP") || at(b, 0, "BM") && at(b, 6, "\x00\x00\x00\x00")
}

func isVideo(b []byte) bool {
	return at(b, 0, "\x1a\x45\xdf\xa3") || // EBML: Matroska, WebM
		at(b, 0, "RIFF") && at(b, 8, "AVI ") ||
		at(b, 0, "FLV\x01") || at(b, 0, "OggS\x00") ||
		at(b, 0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11") || // ASF's header object
		at(b, 0, "\x00\x00\x01\xba") || // MPEG program stream's pack header
		isISOMedia(b) || isTransportStream(b)
}

func at(b []byte, offset int, magic string) bool {
	return len(b) >= offset+len(magic) && string(b[offset:offset+len(magic)]) == magic
}

// isISOMedia knows ISO base media files, their fragments and old QuickTime by their first
// atom: its type,
// and a size that an atom can have (0: to the end of the file, 1: 64 bits follow).
func isISOMedia(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	size, name := binary.BigEndian.Uint32(b), string(b[4:8])
	switch {
	case name == "ftyp":
		return size >= 16 && size <= 4096
	case !slices.Contains([]string{"moov", "mdat", "free", "skip", "wide", "pnot", "styp", "moof", "sidx"}, name):
		return false
	}
	return size >= 8 || size <= 1
}

// isTransportStream looks for MPEG-TS packets of 188 bytes, of 192 with a time code (M2TS)
// or of 204 with error correction: each begins with a sync byte. A recording may begin
// within a packet.
func isTransportStream(b []byte) bool {
	for _, size := range []int{188, 192, 204} {
		for first := range min(size, len(b)) {
			if synced(b[first:], size) {
				return true
			}
		}
	}
	return false
}

// minPackets is how many sync bytes in a row are no coincidence.
const minPackets = 4

func synced(b []byte, size int) bool {
	n := 0
	for ; len(b) > 0; n++ {
		if b[0] != 0x47 {
			return false
		}
		b = b[min(size, len(b)):]
	}
	return n >= minPackets
}
