package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// A live stream is decoded without a file: the parent begins with Live, in place of Open,
// and sends access units. For each frame that comes on screen the child says Moved, and
// before it, where the frame that leaves was on screen at an instant of the Grid, that
// frame as a Picture. The child decides by PTS alone; both sides go on at their own pace.

// Live is the parent's first message for a live stream.
type Live struct {
	Codec     string `json:"codec"` // h264, h265 or mjpeg
	MaxPixels int    `json:"max_pixels"`
	Threads   int    `json:"threads"`
}

// Unit is one access unit: Annex B, or a JPEG. It is binary.
type Unit struct {
	PTS  time.Duration
	Key  bool // decoding can begin here
	Lost bool // packets were lost before it: what refers to earlier frames is damaged
	Data []byte
}

// Grid asks for the frames on screen at From, From+Every and so on. It replaces the grid
// before.
type Grid struct {
	From  time.Duration `json:"from"`
	Every time.Duration `json:"every"`
}

// Drain says that no unit follows: the child decodes what it holds, gives the frame on
// screen and says Shown.
type Drain struct{}

// Moved says that a frame came on screen.
type Moved struct {
	PTS     time.Duration `json:"pts"`
	Skipped int64         `json:"skipped"` // frames so far that were damaged
}

const (
	kindLive  kind = 'L'
	kindUnit  kind = 'U'
	kindGrid  kind = 'G'
	kindDrain kind = 'D'
	kindMoved kind = 'm'

	// MaxUnit is the largest access unit, in bytes.
	MaxUnit = 16 << 20
	// A Unit's payload is its PTS in nanoseconds (8), flags (1), and its data.
	unitSize       = 9
	flagKey   byte = 1
	flagLost  byte = 2
	leastGrid      = time.Millisecond
)

func (Live) kind() kind  { return kindLive }
func (Unit) kind() kind  { return kindUnit }
func (Grid) kind() kind  { return kindGrid }
func (Drain) kind() kind { return kindDrain }
func (Moved) kind() kind { return kindMoved }

func (m Live) check() (Live, error) {
	m.Codec = Clean(m.Codec, maxName)
	if m.MaxPixels <= 0 || m.Threads <= 0 {
		return m, fmt.Errorf("a live stream with %d pixels and %d threads", m.MaxPixels, m.Threads)
	}
	return m, nil
}

func (m Grid) check() (Grid, error) {
	if !plausible(m.From) || m.Every < leastGrid || m.Every > MaxTime {
		return m, fmt.Errorf("a grid from %v every %v", m.From, m.Every)
	}
	return m, nil
}

func (m Drain) check() (Drain, error) { return m, nil }

func (m Moved) check() (Moved, error) {
	if !plausible(m.PTS) || m.Skipped < 0 {
		return m, fmt.Errorf("frame at %v, %d skipped", m.PTS, m.Skipped)
	}
	return m, nil
}

func encodeUnit(u Unit) (head, data []byte, err error) {
	if len(u.Data) == 0 || len(u.Data) > MaxUnit || !plausible(u.PTS) {
		return nil, nil, fmt.Errorf("send unit: %d bytes at %v", len(u.Data), u.PTS)
	}
	var flags byte
	if u.Key {
		flags |= flagKey
	}
	if u.Lost {
		flags |= flagLost
	}
	return append(binary.BigEndian.AppendUint64(nil, uint64(u.PTS)), flags), u.Data, nil
}

// unit reads an access unit.
func (r *Reader) unit(length int64) (Message, error) {
	if length <= unitSize || length > unitSize+MaxUnit {
		return nil, fmt.Errorf("%w: a unit of %d bytes", ErrInvalid, length)
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(r.r, b); err != nil {
		return nil, cut(err)
	}
	u := Unit{PTS: time.Duration(binary.BigEndian.Uint64(b)), Key: b[8]&flagKey != 0, Lost: b[8]&flagLost != 0, Data: b[unitSize:]}
	if !plausible(u.PTS) || b[8] > flagKey|flagLost {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, errors.New("a unit out of range"))
	}
	return u, nil
}
