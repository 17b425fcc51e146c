// Package wire is what a decode child and its parent say to each other over two
// pipes. The parent trusts nothing that it reads: every length is bounded before
// memory is taken and every field is checked.
package wire

import "time"

// Open is the parent's first message: how to open the clip whose bytes are behind the
// inherited descriptor.
type Open struct {
	MaxPixels int `json:"max_pixels"` // largest width*height that is decoded
	Threads   int `json:"threads"`    // decoder threads
}

// Show asks for the frames on screen at the given instants, ascending. The child
// answers with one Picture for each distinct frame, in order, then Shown.
type Show struct {
	Instants []time.Duration `json:"instants"`
}

// Ready is the child's first message, sent from inside the sandbox.
type Ready struct {
	Libraries map[string]string `json:"libraries"` // "libavcodec": "59.37.100", …
	Landlock  int               `json:"landlock"`  // ABI in force, 0 where the kernel has none
	Seccomp   bool              `json:"seccomp"`
}

// Opened answers Open.
type Opened struct {
	Container string        `json:"container"`
	Codec     string        `json:"codec"`
	Width     int           `json:"width"`
	Height    int           `json:"height"`
	Duration  time.Duration `json:"duration"`
	Created   time.Time     `json:"created,omitzero"`
	Title     string        `json:"title,omitempty"`
	Damage    string        `json:"damage,omitempty"`
}

// Picture is one frame: packed RGB, len(Pixels) == 3*Width*Height.
type Picture struct {
	First, Count  int           // the instants of the request it stands for
	PTS           time.Duration // on the clip's timeline
	Width, Height int
	Pixels        []byte
}

// Progress says that work goes on where nothing else is said for a while: at least once
// a second of decoding. The parent's time-out and CPU allowance follow it.
type Progress struct {
	Packets int64         `json:"packets"` // read so far
	Frames  int64         `json:"frames"`  // decoded so far
	PTS     time.Duration `json:"pts"`
}

// Shown ends the answer to a Show. Damage is what was found wrong on the way.
type Shown struct {
	Damage string `json:"damage,omitempty"`
}

// Failure ends the child: nothing follows it.
type Failure struct {
	Message string `json:"message"`
}
