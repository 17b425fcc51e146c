// Package intake opens what a person names as input: a file in place, standard input and
// named pipes by way of an unlinked temporary file of limited size, because a video must be
// read from more than one place. It looks at the first bytes and refuses, with what to do
// instead, whatever is not by them a video or picture: text above all, since playlists and
// scripts make demuxers open other files. It decodes nothing.
//
// An Input may be used by several goroutines at once: nothing here moves its offset.
package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/captiond/captiond/frames/magic"
)

// Limits bounds what is read from a stream before anything is decoded. The zero value is
// ready for use.
type Limits struct {
	Spool int64         // bytes; 0 is DefaultSpool
	Stall time.Duration // without a byte; 0 is DefaultStall
	Time  time.Duration // in all; 0 is DefaultTime
	Dir   string        // for the temporary file; "" is os.TempDir
}

// The defaults of Limits.
const (
	DefaultSpool = 1 << 30
	DefaultStall = 6 * time.Second
	// DefaultTime is short, because nothing is said before a stream has ended: whoever
	// pipes an endless one in shall know soon.
	DefaultTime = 8 * time.Second
)

func (l Limits) withDefaults() Limits {
	if l.Spool == 0 {
		l.Spool = DefaultSpool
	}
	if l.Stall == 0 {
		l.Stall = DefaultStall
	}
	if l.Time == 0 {
		l.Time = DefaultTime
	}
	if l.Dir == "" {
		l.Dir = os.TempDir()
	}
	return l
}

// An Input is an open file that begins like a video or a picture.
type Input struct {
	File *os.File   // for reading, at any offset
	Size int64      // bytes
	Head []byte     // the first bytes, at most magic.HeadSize
	Kind magic.Kind // what they say
}

// Open opens a file by its path, or standard input for "-". Its error names the input and
// says what to do.
func Open(ctx context.Context, path string, stdin *os.File, l Limits) (*Input, error) {
	in, err := open(ctx, path, stdin, l.withDefaults())
	if err == nil {
		return in, nil
	}
	if path == "-" {
		path = "standard input"
	}
	return nil, fmt.Errorf("open %s: %w", path, err)
}

func open(ctx context.Context, path string, stdin *os.File, l Limits) (*Input, error) {
	if path == "-" {
		// The caller keeps its descriptor, the Input gets one of its own.
		fd, err := unix.FcntlInt(stdin.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, err
		}
		return accept(ctx, os.NewFile(uintptr(fd), stdin.Name()), l)
	}
	// Before it is opened: opening alone has effects on devices.
	info, err := os.Stat(path)
	if err != nil {
		return nil, advise(err)
	}
	if err := checkType(info.Mode()); err != nil {
		return nil, err
	}
	// Non-blocking, for a named pipe without a writer would block.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, advise(err)
	}
	return accept(ctx, f, l)
}

func advise(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such file: check the name (addresses are not read: download the file first)")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("permission denied: make it readable for this user (chmod +r)")
	}
	if pe := new(fs.PathError); errors.As(err, &pe) {
		return pe.Err // without the path, which is named already
	}
	return err
}

// checkType refuses what is neither a file nor a pipe.
func checkType(m fs.FileMode) error {
	switch {
	case m.IsDir():
		return errors.New("this is a folder: name the files in it")
	case m&fs.ModeSocket != 0:
		return errors.New("this is a socket: give a file, or pipe the video into standard input (-)")
	case m&fs.ModeDevice != 0:
		return errors.New("this is a device: give a file")
	}
	return nil
}

// accept takes over f: it is the Input's file, or closed.
func accept(ctx context.Context, f *os.File, l Limits) (in *Input, err error) {
	defer func() {
		if in == nil || in.File != f {
			f.Close()
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch m := info.Mode(); {
	case m.IsRegular():
		return inPlace(f, info.Size())
	case m.IsDir(), isTerminal(f):
		return nil, errors.New("there is no video in it: give a file, or pipe the video in")
	default:
		return spool(ctx, f, l)
	}
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

func inPlace(f *os.File, size int64) (*Input, error) {
	head := make([]byte, min(size, magic.HeadSize))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read: %w", err)
	}
	kind, err := magic.Sniff(head)
	if err != nil {
		return nil, err
	}
	return &Input{File: f, Size: size, Head: head, Kind: kind}, nil
}

// Close closes the file; a spooled one is gone then.
func (in *Input) Close() error { return in.File.Close() }

// Reader returns a reader over the content from its beginning.
func (in *Input) Reader() *io.SectionReader { return io.NewSectionReader(in.File, 0, in.Size) }

// Sum returns the SHA-256 of the content in hexadecimal.
func (in *Input) Sum(ctx context.Context) (string, error) {
	h := sha256.New()
	for r := in.Reader(); ; {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		_, err := io.CopyN(h, r, 4<<20)
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", fmt.Errorf("read %s: %w", in.File.Name(), err)
		}
	}
}
