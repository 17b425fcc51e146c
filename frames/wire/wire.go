// Package wire is what a decode child and its parent say to each other over two pipes:
// requests from the parent (Open, Show; Live, Unit, Grid, Drain), reports from the child (Ready,
// Opened, Progress, Moved, Shown, Failure, and Pictures; Units and Pictures are binary, the
// rest is JSON). The child has parsed a stranger's video, so its parent trusts nothing that
// it reads: every length is bounded before memory is taken, every field checked, every
// string cleaned.
//
// A Writer may be used by several goroutines at once, a Reader by one.
package wire

import "time"

// The descriptors that a child inherits, after standard input, output and error.
const (
	InputFD   = 3 // the file to decode, for reading
	RequestFD = 4 // a pipe of requests, for reading
	ReportFD  = 5 // a pipe of reports, for writing
)

// Bounds on what may be said. They are generous: what is beyond them is an attack or a
// mistake.
const (
	// MaxSide is the largest width or height of a picture, in pixels.
	MaxSide = 1 << 16
	// MaxTime bounds every time stamp, on both sides of zero.
	MaxTime = 100 * 365 * 24 * time.Hour

	maxRequest = 4 << 20  // bytes of a request: as many instants as fit
	maxReport  = 64 << 10 // bytes of a report other than a Picture
	maxName    = 64       // bytes of a container's, codec's or library's name
	maxTitle   = 256      // bytes of a title
	maxMessage = 1024     // bytes of a Damage or a Failure's Message
	maxNames   = 32       // libraries
)

// A Message is one of the types below.
type Message interface{ kind() kind }

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

// Picture is one frame as the child sends it: packed RGB, len(Pixels) == 3*Width*Height.
// A Reader gives it as a Frame.
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

// kind is the byte that names a message's type.
type kind byte

const (
	kindOpen     kind = 'O'
	kindShow     kind = 'S'
	kindReady    kind = 'r'
	kindOpened   kind = 'o'
	kindPicture  kind = 'p'
	kindProgress kind = 'w'
	kindShown    kind = 's'
	kindFailure  kind = 'f'
)

func (Open) kind() kind     { return kindOpen }
func (Show) kind() kind     { return kindShow }
func (Ready) kind() kind    { return kindReady }
func (Opened) kind() kind   { return kindOpened }
func (Picture) kind() kind  { return kindPicture }
func (Frame) kind() kind    { return kindPicture }
func (Progress) kind() kind { return kindProgress }
func (Shown) kind() kind    { return kindShown }
func (Failure) kind() kind  { return kindFailure }
