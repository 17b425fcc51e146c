package wire

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// magic begins every message: "cd" and the version of the protocol.
const magic = 0x63640001

// A message is a header of headerSize bytes, big-endian: magic (4), kind (1), zeros (3),
// length of the payload (4). A Picture's payload is pictureSize bytes, First, Count, Width,
// Height (4 each) and PTS in nanoseconds (8), and then its pixels.
const (
	headerSize  = 12
	pictureSize = 24
)

// A Writer sends messages. It may be used by several goroutines at once.
type Writer struct {
	mu sync.Mutex
	w  *bufio.Writer
}

// NewWriter returns a Writer on w, which is written to once or more for each message.
func NewWriter(w io.Writer) *Writer { return &Writer{w: bufio.NewWriter(w)} }

// Write sends one message in full.
func (w *Writer) Write(m Message) error {
	payload, pixels, err := encode(m)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, part := range [][]byte{header(m.kind(), len(payload)+len(pixels)), payload, pixels} {
		if _, err := w.w.Write(part); err != nil {
			return fmt.Errorf("send message: %w", err)
		}
	}
	if err := w.w.Flush(); err != nil {
		return fmt.Errorf("send message: %w", err)
	}
	return nil
}

func header(k kind, length int) []byte {
	h := make([]byte, headerSize)
	binary.BigEndian.PutUint32(h, magic)
	h[4] = byte(k)
	binary.BigEndian.PutUint32(h[8:], uint32(length))
	return h
}

// encode returns a message's payload, a picture's in two parts so that its pixels are not
// copied. Strings are cut to what a Reader accepts.
func encode(m Message) (payload, pixels []byte, err error) {
	switch m := m.(type) {
	case Picture:
		return encodePicture(m)
	case Unit:
		return encodeUnit(m)
	case Frame:
		return nil, nil, errors.New("send message: a frame is sent as a picture")
	case Opened:
		m.clean()
		payload, err = json.Marshal(m)
	case Shown:
		m.Damage = Clean(m.Damage, maxMessage)
		payload, err = json.Marshal(m)
	case Failure:
		m.Message = Clean(m.Message, maxMessage)
		payload, err = json.Marshal(m)
	default:
		payload, err = json.Marshal(m)
	}
	if err == nil && len(payload) > longest(m.kind()) {
		err = fmt.Errorf("%d bytes are too many", len(payload))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("send message: %w", err)
	}
	return payload, nil, nil
}

func encodePicture(p Picture) (head, pixels []byte, err error) {
	if p.Width <= 0 || p.Height <= 0 || p.Width > MaxSide || p.Height > MaxSide || len(p.Pixels) != 3*p.Width*p.Height {
		return nil, nil, fmt.Errorf("send picture: %d bytes are no %dx%d RGB picture", len(p.Pixels), p.Width, p.Height)
	}
	head = make([]byte, 0, pictureSize)
	for _, n := range []int{p.First, p.Count, p.Width, p.Height} {
		head = binary.BigEndian.AppendUint32(head, uint32(n))
	}
	return binary.BigEndian.AppendUint64(head, uint64(p.PTS)), p.Pixels, nil
}

// longest is the most bytes that a JSON message of a kind may have.
func longest(k kind) int {
	if k == kindOpen || k == kindShow {
		return maxRequest
	}
	return maxReport
}
