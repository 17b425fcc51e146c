package outbox

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"time"
)

// A record begins with its length, which counts what follows the checksum, and the checksum.
const (
	recordHead = 8
	recordTime = 8
)

// errCorrupt says that a record has not the checksum it should have; errEnd that there is no
// other record where one could begin.
var (
	errCorrupt = errors.New("corrupt record")
	errEnd     = errors.New("no record")
)

func castagnoli(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// appendRecord adds a record of an event's JSON.
func appendRecord(to []byte, accepted time.Time, event []byte) []byte {
	body := binary.BigEndian.AppendUint64(nil, uint64(accepted.UnixMilli()))
	body = append(body, event...)
	to = binary.BigEndian.AppendUint32(to, uint32(len(body)))
	to = binary.BigEndian.AppendUint32(to, castagnoli(body))
	return append(to, body...)
}

// A record is one that was read.
type record struct {
	accepted time.Time
	event    []byte
	size     int64 // in the segment
}

// readRecord reads the record at an offset of a segment of which size bytes are safe. A
// record that is corrupt has its size all the same, so that the next can be tried.
func readRecord(r io.ReaderAt, at, size int64) (record, error) {
	var head [recordHead]byte
	if size-at < recordHead+recordTime {
		return record{}, errEnd
	}
	if _, err := r.ReadAt(head[:], at); err != nil {
		return record{}, err
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n < recordTime || n > maxEvent+recordTime || n > size-at-recordHead {
		return record{}, errEnd
	}
	body := make([]byte, n)
	if _, err := r.ReadAt(body, at+recordHead); err != nil {
		return record{}, err
	}
	rec := record{size: recordHead + n}
	if castagnoli(body) != binary.BigEndian.Uint32(head[4:]) {
		return rec, errCorrupt
	}
	rec.accepted = time.UnixMilli(int64(binary.BigEndian.Uint64(body)))
	rec.event = body[recordTime:]
	return rec, nil
}
