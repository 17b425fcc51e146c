package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"io"
)

func lookBMP([]byte, int64) (extra, error) { return extra{}, nil }

// lookJPEG finds the EXIF segment among those before the first scan.
func lookJPEG(data []byte, _ int64) (extra, error) {
	const app1, startOfScan = 0xE1, 0xDA
	for rest := data[2:]; len(rest) >= 4 && rest[0] == 0xFF && rest[1] != startOfScan; {
		if rest[1] == 0xFF { // fill
			rest = rest[1:]
			continue
		}
		n := 2 + int(binary.BigEndian.Uint16(rest[2:]))
		if n < 4 || n > len(rest) {
			break
		}
		if exif, ok := bytes.CutPrefix(rest[4:n], []byte("Exif\x00\x00")); ok && rest[1] == app1 {
			return extra{exif: exif}, nil
		}
		rest = rest[n:]
	}
	return extra{}, nil
}

// lookPNG finds the eXIf chunk, before or after the pixels.
func lookPNG(data []byte, _ int64) (extra, error) {
	for rest := data[8:]; len(rest) >= 12; {
		n := int64(binary.BigEndian.Uint32(rest)) + 12
		if n > int64(len(rest)) {
			break
		}
		if string(rest[4:8]) == "eXIf" {
			return extra{exif: bytes.TrimPrefix(rest[8:n-4], []byte("Exif\x00\x00"))}, nil
		}
		rest = rest[n:]
	}
	return extra{}, nil
}

// lookWebP finds the EXIF chunk, refuses what moves and checks the size that the pixels'
// own chunk states, which may be another than the file's header does.
func lookWebP(data []byte, limit int64) (extra, error) {
	const animation = 2
	e := extra{studio: true}
	for rest := data[12:]; len(rest) >= 8; {
		n := 8 + int64(binary.LittleEndian.Uint32(rest[4:]))
		body := rest[8:min(n, int64(len(rest)))]
		switch string(rest[:4]) {
		case "VP8X":
			if len(body) > 0 && body[0]&animation != 0 {
				return e, errors.New("the picture is animated: captiond does not read animated WebP, make it a GIF or MP4 first")
			}
		case "EXIF":
			e.exif = bytes.TrimPrefix(body, []byte("Exif\x00\x00"))
		case "VP8 ", "VP8L":
			if w, h, ok := webpSize(body); ok {
				if err := checkSize(w, h, limit); err != nil {
					return e, err
				}
			}
		}
		rest = rest[min(n+n&1, int64(len(rest))):]
	}
	return e, nil
}

// webpSize reads the size from a VP8 (RFC 6386, 9.1) or VP8L header.
func webpSize(body []byte) (width, height int, ok bool) {
	const lossless, mask = 0x2F, 1<<14 - 1
	switch {
	case len(body) >= 5 && body[0] == lossless:
		bits := int(binary.LittleEndian.Uint32(body[1:]))
		return bits&mask + 1, bits>>14&mask + 1, true
	case len(body) >= 10:
		return int(binary.LittleEndian.Uint16(body[6:])) & mask, int(binary.LittleEndian.Uint16(body[8:])) & mask, true
	}
	return 0, 0, false
}

// lookGIF walks over the blocks (GIF89a specification, 18 to 26) to count frames without
// decoding any, and keeps the first one's colours.
func lookGIF(data []byte, _ int64) (extra, error) {
	r := gifReader{data: data}
	head := r.take(13)
	if head == nil {
		return extra{}, io.ErrUnexpectedEOF
	}
	e := extra{canvas: image.Pt(int(binary.LittleEndian.Uint16(head[6:])), int(binary.LittleEndian.Uint16(head[8:])))}
	e.palette = r.colours(head[10])
	for frames := 0; ; {
		block := r.take(1)
		if block == nil || block[0] == ';' {
			return e, nil
		}
		switch block[0] {
		case '!':
			r.take(1)
		case ',':
			if frames++; frames > 1 {
				return e, ErrAnimated
			}
			descriptor := r.take(9)
			if descriptor == nil {
				return e, io.ErrUnexpectedEOF
			}
			if own := r.colours(descriptor[8]); own != nil {
				e.palette = own
			}
			r.take(1) // the least code size
		default:
			return e, nil // rubbish after the frames; the decoder stops here too
		}
		r.skipBlocks()
	}
}

// gifReader reads parts of a file one after the other, nil once it is at the end.
type gifReader struct{ data []byte }

func (r *gifReader) take(n int) []byte {
	if n > len(r.data) {
		r.data = nil
		return nil
	}
	part := r.data[:n]
	r.data = r.data[n:]
	return part
}

// colours reads the colour table that flags announce, if any.
func (r *gifReader) colours(flags byte) []byte {
	if flags&0x80 == 0 {
		return nil
	}
	return r.take(3 << (1 + flags&7))
}

func (r *gifReader) skipBlocks() {
	for {
		n := r.take(1)
		if n == nil || n[0] == 0 {
			return
		}
		r.take(int(n[0]))
	}
}
