package frames

import (
	"image"
	"time"
)

// Codec is how a live stream's pictures are coded.
type Codec string

// The codecs that are read.
const (
	H264  Codec = "h264"
	H265  Codec = "h265"
	MJPEG Codec = "mjpeg"
)

// Unit is an access unit: what makes up one picture of a live stream.
type Unit struct {
	Codec Codec
	Data  []byte // Annex B for H.264 and H.265, one JPEG for MJPEG
	Key   bool   // decoding can begin here; the parameter sets are in Data
	Lost  uint64 // packets lost on the way since the unit before
	Stamp
}

// Seen is what a decoder says of a live stream: that a frame came on screen, or what the
// one that is leaving it looked like.
type Seen struct {
	PTS     time.Duration
	Image   *image.RGBA // of the frame that was on screen at an instant asked for; else nil
	Skipped int64       // frames so far that were damaged, or refer to what was
	Drained bool        // all units have been decoded: nothing else is said here
}
