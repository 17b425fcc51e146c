package picture

import (
	"encoding/binary"
	"image"
)

// orientation reads tag 274 of a TIFF structure's first directory (TIFF 6.0, section 2):
// 1 to 8, and 1 for everything that cannot be understood.
func orientation(exif []byte) int {
	const tag, short, long = 274, 3, 4
	if len(exif) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if exif[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(exif[4:]))
	if at+2 > int64(len(exif)) {
		return 1
	}
	entries := exif[at+2:]
	for range order.Uint16(exif[at:]) {
		if len(entries) < 12 {
			break
		}
		value := uint32(order.Uint16(entries[8:]))
		if order.Uint16(entries[2:]) == long {
			value = order.Uint32(entries[8:])
		}
		if kind := order.Uint16(entries[2:]); order.Uint16(entries) == tag && (kind == short || kind == long) && value >= 1 && value <= 8 {
			return int(value)
		}
		entries = entries[12:]
	}
	return 1
}

// upright undoes an orientation: 2 to 4 mirror and turn by 180 degrees, 5 to 8 exchange
// rows and columns as well.
func upright(img *image.RGBA, orientation int) *image.RGBA {
	if orientation == 1 {
		return img
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	mirrorX := orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8
	mirrorY := orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7
	size := image.Rect(0, 0, w, h)
	if orientation >= 5 {
		size = image.Rect(0, 0, h, w)
	}
	out := image.NewRGBA(size)
	for y := range size.Dy() {
		for x := range size.Dx() {
			fromX, fromY := x, y
			if orientation >= 5 {
				fromX, fromY = y, x
			}
			if mirrorX {
				fromX = w - 1 - fromX
			}
			if mirrorY {
				fromY = h - 1 - fromY
			}
			copy(out.Pix[y*out.Stride+4*x:][:4], img.Pix[fromY*img.Stride+4*fromX:])
		}
	}
	return out
}
