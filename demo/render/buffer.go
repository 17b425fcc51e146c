package main

import "io"

// buffer is a file in memory.
type buffer struct {
	data []byte
	at   int64
}

func (b *buffer) Write(p []byte) (int, error) {
	if missing := b.at + int64(len(p)) - int64(len(b.data)); missing > 0 {
		b.data = append(b.data, make([]byte, missing)...)
	}
	b.at += int64(copy(b.data[b.at:], p))
	return len(p), nil
}

// Seek implements io.Seeker; it trusts its caller with the offset.
func (b *buffer) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.at
	case io.SeekEnd:
		offset += int64(len(b.data))
	}
	b.at = offset
	return offset, nil
}
