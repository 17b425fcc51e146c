package ffmpeg

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/captiond/captiond/frames/wire"
)

// Serve is the work of a decode child: it answers the Open and the Shows of its parent
// about the file behind input, or decodes the units of a Live stream. The caller has closed the sandbox and said Ready before.
// What is wrong with the file is said as a Failure and ends Serve without an error, as
// does the end of the requests; an error is one of the conversation itself.
func Serve(input *os.File, in *wire.Reader, out *wire.Writer) error {
	Quiet()
	m, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("serve decoder: %w", err)
	}
	s := &server{in: in, out: out}
	switch m := m.(type) {
	case wire.Open:
		return s.serveFile(input, m)
	case wire.Live:
		return s.serveLive(m)
	}
	return fmt.Errorf("serve decoder: the first request is a %T", m)
}

func (s *server) serveFile(input *os.File, o wire.Open) error {
	stat, err := input.Stat()
	if err != nil {
		return s.fail(fmt.Errorf("read input: %w", err))
	}
	c, err := Open(input, stat.Size(), Limits{MaxPixels: o.MaxPixels, Threads: o.Threads, Progress: s.progress})
	if err != nil {
		return s.fail(err)
	}
	defer c.Close()
	return s.serve(c)
}

// server is one conversation. Its err is the first failure to write.
type server struct {
	in  *wire.Reader
	out *wire.Writer
	err error
}

func (s *server) say(m wire.Message) error {
	if s.err == nil {
		s.err = s.out.Write(m)
	}
	return s.err
}

func (s *server) progress(p wire.Progress) { _ = s.say(p) } // kept in s.err

// fail tells the parent why there will be nothing more.
func (s *server) fail(err error) error {
	if s.err == nil {
		_ = s.say(wire.Failure{Message: err.Error()})
	}
	return s.err
}

func (s *server) serve(c *Clip) error {
	i := c.Info()
	if err := s.say(wire.Opened{Container: i.Container, Codec: i.Codec, Width: i.Width, Height: i.Height,
		Duration: i.Duration, Created: i.Created, Title: i.Title, Damage: i.Damage}); err != nil {
		return err
	}
	for {
		m, err := s.in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("serve decoder: %w", err)
		}
		show, ok := m.(wire.Show)
		if !ok {
			return fmt.Errorf("serve decoder: a request is a %T", m)
		}
		if err := c.Show(show.Instants, func(p wire.Picture) error { return s.say(p) }); err != nil {
			return s.fail(err)
		}
		if err := s.say(wire.Shown{Damage: c.Damage()}); err != nil {
			return err
		}
	}
}
