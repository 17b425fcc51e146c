package pixels

import (
	"fmt"
	"image"
	"math"
	"strconv"
	"strings"
)

// View is the part of a picture that the model sees. The zero value is the checkpoint's
// own: usually the square at the centre.
type View struct {
	squash bool
	part   part
}

// part is a rectangle in parts of the picture. The zero value is the whole of it.
type part struct{ x, y, w, h float64 }

// ParseView reads "crop" (the checkpoint's own; also ""), "squash" (the whole picture,
// its aspect not kept) or "x,y,w,h": a rectangle in parts of the picture from its upper
// left corner, put through the checkpoint's own transform.
func ParseView(s string) (View, error) {
	switch s {
	case "", "crop":
		return View{}, nil
	case "squash":
		return View{squash: true}, nil
	}
	fields := strings.Split(s, ",")
	var n [4]float64
	if len(fields) != len(n) {
		return View{}, viewError(s)
	}
	for i, field := range fields {
		x, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
		if err != nil || !(x >= 0 && x <= 1) {
			return View{}, viewError(s)
		}
		n[i] = x
	}
	const slack = 1e-9 // 0.1,0,0.9,1 ends at 1 whatever its binary digits
	p := part{n[0], n[1], n[2], n[3]}
	if p.w == 0 || p.h == 0 || p.x+p.w > 1+slack || p.y+p.h > 1+slack {
		return View{}, viewError(s)
	}
	return View{part: p}, nil
}

func viewError(s string) error {
	return fmt.Errorf("read view %.80q: want crop, squash, or x,y,w,h in parts of the picture, such as 0.5,0,0.5,1 for its right half", s)
}

// String is what ParseView reads.
func (v View) String() string {
	switch {
	case v.squash:
		return "squash"
	case v.part == part{}:
		return "crop"
	}
	var fields [4]string
	for i, x := range [4]float64{v.part.x, v.part.y, v.part.w, v.part.h} {
		fields[i] = strconv.FormatFloat(x, 'g', -1, 64)
	}
	return strings.Join(fields[:], ",")
}

// rect is the view in a picture of w x h pixels, edges rounded to the nearest pixel, at
// least one pixel wide and high.
func (v View) rect(w, h int) image.Rectangle {
	if v.part == (part{}) {
		return image.Rect(0, 0, w, h)
	}
	x0, x1 := span(v.part.x, v.part.w, w)
	y0, y1 := span(v.part.y, v.part.h, h)
	return image.Rect(x0, y0, x1, y1)
}

func span(from, length float64, n int) (start, end int) {
	start = min(int(math.Round(from*float64(n))), n-1)
	end = int(math.Round((from + length) * float64(n)))
	return start, max(start+1, min(end, n))
}
