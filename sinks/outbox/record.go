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

// What readRecord says of an offset where no record is.
var (
	errEnd     = errors.New("no record follows")
	errTorn    = errors.New("a record was not written to its end")
	errCorrupt = errors.New("corrupt record")
)

// checksum is the CRC-32C of a record's length and of what follows the checksum.
func checksum(length, body []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(length, table), table, body)
}

// appendRecord adds a record of an event's JSON.
func appendRecord(to []byte, accepted time.Time, event []byte) []byte {
	body := binary.BigEndian.AppendUint64(nil, uint64(accepted.UnixMilli()))
	body = append(body, event...)
	length := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	to = append(to, length...)
	to = binary.BigEndian.AppendUint32(to, checksum(length, body))
	return append(to, body...)
}

// A record is one that was read.
type record struct {
	accepted time.Time
	event    []byte
	size     int64 // in the segment
}

// readRecord reads the record at an offset of a segment of which size bytes are safe.
func readRecord(r io.ReaderAt, at, size int64) (record, error) {
	var head [recordHead]byte
	switch {
	case at >= size:
		return record{}, errEnd
	case size-at < recordHead:
		return record{}, errTorn
	}
	if err := readAt(r, head[:], at); err != nil {
		return record{}, err
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	switch {
	case !possible(n):
		return record{}, errCorrupt
	case n > size-at-recordHead:
		return record{}, errTorn
	}
	body := make([]byte, n)
	if err := readAt(r, body, at+recordHead); err != nil {
		return record{}, err
	}
	if checksum(head[:4], body) != binary.BigEndian.Uint32(head[4:]) {
		return record{}, errCorrupt
	}
	accepted := time.UnixMilli(int64(binary.BigEndian.Uint64(body)))
	return record{accepted, body[recordTime:], recordHead + n}, nil
}

// possible says whether a record may have this length.
func possible(n int64) bool { return n >= recordTime && n <= recordTime+maxEvent }

// readAt fills b. A file that is shorter than it was is damage, and no trouble with the disk.
func readAt(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return errCorrupt
	}
	return err
}

// nextRecord is the first record from an offset on, and how many bytes before it are none.
// Where there is none, the error says what the bytes are instead: errEnd for no bytes.
func nextRecord(r io.ReaderAt, at, size int64) (record, int64, error) {
	rec, err := readRecord(r, at, size)
	if !errors.Is(err, errTorn) && !errors.Is(err, errCorrupt) {
		return rec, 0, err
	}
	there := find(r, at+1, size)
	if there == size {
		return record{}, size - at, err
	}
	rec, err = readRecord(r, there, size)
	return rec, there - at, err
}

// find is the offset of the first record from an offset on, or size. A length is below 16
// MiB and so begins with a zero byte, which JSON does not have: no text of an event can
// pass for a record.
func find(r io.ReaderAt, from, size int64) int64 {
	chunk := make([]byte, 64<<10)
	for size-from >= recordHead+recordTime {
		chunk = chunk[:min(int64(len(chunk)), size-from)]
		if readAt(r, chunk, from) != nil {
			break
		}
		for i := range len(chunk) - recordHead + 1 {
			at := from + int64(i)
			if !possible(int64(binary.BigEndian.Uint32(chunk[i:]))) {
				continue
			}
			if _, err := readRecord(r, at, size); err == nil {
				return at
			}
		}
		from += int64(len(chunk) - recordHead + 1)
	}
	return size
}
