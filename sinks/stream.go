package sinks

import "io"

// Stream writes records to a writer in order, each once. A write that failed halfway is
// taken up where it stopped when its record is put again, so that a retry neither
// repeats nor tears a record. It buffers nothing: what Put accepted is with the writer.
// It is used by one goroutine; the zero value is not usable.
type Stream struct {
	w    io.Writer
	last string // the id of the record put last
	rest []byte // what of it is not written yet
}

// NewStream is a stream to w, which it never closes.
func NewStream(w io.Writer) *Stream { return &Stream{w: w} }

// Repeats says whether id is that of the record put last: its bytes are settled, and
// putting it again finishes them or does nothing.
func (s *Stream) Repeats(id string) bool { return id != "" && id == s.last }

// Put writes the record of id in one write. The same id again writes only what is
// missing of it. A record that was left unfinished is finished before the next begins.
func (s *Stream) Put(id string, record []byte) error {
	if s.Repeats(id) {
		return s.flush()
	}
	if err := s.flush(); err != nil {
		return err
	}
	s.last, s.rest = id, record
	return s.flush()
}

func (s *Stream) flush() error {
	if len(s.rest) == 0 {
		return nil
	}
	n, err := s.w.Write(s.rest)
	s.rest = s.rest[n:]
	if err == nil && len(s.rest) > 0 {
		err = io.ErrShortWrite
	}
	return err
}
