package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/captiond/captiond/frames/magic"
)

// spool copies a stream into a temporary file that has no name, so that nothing is left of
// it whatever happens. What is no video is refused as soon as its first bytes are there.
func spool(ctx context.Context, f *os.File, l Limits) (*Input, error) {
	tmp, err := unnamed(l.Dir)
	if err != nil {
		return nil, fmt.Errorf("create temporary file (set TMPDIR to a folder with space): %w", err)
	}
	defer tmp.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, l.Time,
		fmt.Errorf("it has not ended after %v: save it to a file and give that, or allow more time with --decode-spool-time", l.Time))
	defer cancel()
	s := spooler{from: stream{f, l.Stall}, to: tmp, limit: l.Spool}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	// What reads it, a decoder perhaps that a video has taken over, must not write to it.
	r, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", tmp.Fd()))
	if err != nil {
		return nil, fmt.Errorf("open temporary file: %w", err)
	}
	return &Input{File: r, Size: s.size, Head: s.head, Kind: s.kind}, nil
}

// unnamed creates a temporary file without a name.
func unnamed(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
	if err == nil {
		return f, nil
	}
	if f, err = os.CreateTemp(dir, "captiond-"); err != nil { // no O_TMPFILE there
		return nil, err
	}
	return f, os.Remove(f.Name())
}

type spooler struct {
	from  stream
	to    io.Writer
	limit int64

	size int64
	head []byte
	kind magic.Kind
}

func (s *spooler) run(ctx context.Context) error {
	buf := make([]byte, 1<<20)
	for {
		n, err := s.from.read(ctx, buf)
		if err == nil {
			err = s.take(buf[:n])
		}
		if errors.Is(err, io.EOF) {
			return s.sniff()
		}
		if err != nil {
			return err
		}
	}
}

func (s *spooler) take(b []byte) error {
	if s.size+int64(len(b)) > s.limit {
		return fmt.Errorf("there is no end after %d bytes: save it to a file and give that", s.limit)
	}
	if _, err := s.to.Write(b); err != nil {
		return fmt.Errorf("write temporary file (set TMPDIR to a folder with space): %w", err)
	}
	s.size += int64(len(b))
	if missing := magic.HeadSize - len(s.head); missing > 0 {
		s.head = append(s.head, b[:min(len(b), missing)]...)
		if len(s.head) == magic.HeadSize {
			return s.sniff()
		}
	}
	return nil
}

func (s *spooler) sniff() (err error) {
	s.kind, err = magic.Sniff(s.head)
	return err
}

// A stream is a pipe or the like that is read with a limit on silence. The descriptor may
// be shared with other programs, so its mode is left alone and it is polled.
type stream struct {
	f     *os.File
	stall time.Duration
}

// pollEvery is how soon a cancelled context is seen.
const pollEvery = 100 * time.Millisecond

// read waits for bytes and returns what is there. It is io.EOF at the end.
func (s stream) read(ctx context.Context, b []byte) (int, error) {
	fd := int(s.f.Fd())
	for begun := time.Now(); time.Since(begun) < s.stall; {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(pollEvery.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return 0, fmt.Errorf("wait for input: %w", err)
		}
		if ready <= 0 {
			continue
		}
		n, err := unix.Read(fd, b)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR):
			return 0, fmt.Errorf("read: %w", err)
		}
	}
	return 0, fmt.Errorf("nothing came for %v: see that something writes to it, or save it to a file and give that", s.stall)
}
