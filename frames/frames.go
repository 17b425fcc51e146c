// Package frames says what a decoded picture is, what a clip is and at which
// instants a clip is looked at. It is pure Go: reading, decoding and sandboxing
// live in its sub-packages.
//
// Times are durations on the source's own timeline: a file's begins at 0 with its
// first picture's PTS and ends where its last picture ends (PTS + duration).
package frames

import (
	"image"
	"time"
)

// Frame is one decoded picture, upright, with square pixels, in full-range sRGB and
// alpha 255. It is immutable once returned and may be shared.
type Frame struct {
	Image *image.RGBA
	PTS   time.Duration // when it comes on screen
}

// Sample is a Frame and the instants it was on screen for: Instants[First] to
// Instants[First+Count-1] of the request. Each distinct frame is returned once.
type Sample struct {
	Frame
	First, Count int
}

// Info is what is known of a clip before any of it is shown.
type Info struct {
	Container, Codec string        // FFmpeg's names: "mov,mp4,m4a,3gp,3g2,mj2", "h264"
	Width, Height    int           // as shown: after rotation and sample aspect ratio
	Duration         time.Duration // from the first picture to the end of the last one
	Created          time.Time     // the container's creation time; zero where it states none
	Title            string        // the container's title, "" where it states none
	Damage           string        // what is wrong with the file as far as it was seen: "" when whole
}
