// Package worker decodes video files in child processes. FFmpeg reads a stranger's file
// only there: a child has an empty environment, the file's descriptor, two pipes and the
// limits of frames/sandbox; what it says is checked by frames/wire. A file that crashes or
// hangs the decoder costs its caller one error and nobody else anything.
//
// A child lives within one call of Decoder.Run: when Run returns, for whatever reason, the
// process is gone, its descriptors are closed and no goroutine is left. A child has nothing
// to save, so it is never asked to stop: it is killed.
package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/captiond/captiond/frames/wire"
)

// The defaults of a Decoder.
const (
	DefaultMaxPixels = 8192 * 4320
	DefaultStall     = 10 * time.Second
	// DefaultCPU equals what sandbox.DefaultLimits begins with.
	DefaultCPU = time.Minute
	// maxThreads is where more threads for one file stop helping.
	maxThreads = 8
)

// A Decoder starts decode children. Its zero value is ready for use, by any number of
// goroutines.
type Decoder struct {
	Executable string        // the program to start; "" is this one
	Args       []string      // its arguments; nil is "decode-worker"
	MaxPixels  int           // largest width*height that is decoded; 0 is DefaultMaxPixels
	Threads    int           // decoder threads; 0 is one for each processor, at most 8
	Stall      time.Duration // how long a child may go without progress; 0 is DefaultStall
	CPU        time.Duration // processor time that each step of progress grants; 0 is DefaultCPU
	Log        *slog.Logger  // what children print, at debug; nil is nowhere
	Progress   func()        // told whenever a child has got on: it has read or decoded further; nil is nobody
}

func (d Decoder) withDefaults() Decoder {
	if d.Executable == "" {
		d.Executable = "/proc/self/exe"
	}
	if d.Args == nil {
		d.Args = []string{"decode-worker"}
	}
	if d.MaxPixels == 0 {
		d.MaxPixels = DefaultMaxPixels
	}
	if d.Threads == 0 {
		d.Threads = min(runtime.NumCPU(), maxThreads)
	}
	if d.Stall == 0 {
		d.Stall = DefaultStall
	}
	if d.CPU == 0 {
		d.CPU = DefaultCPU
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Progress == nil {
		d.Progress = func() {}
	}
	return d
}

// Run opens the file in a child of its own and calls use with the clip. The clip is valid
// until use returns; then the child is ended. The file is not closed and its offset means
// nothing afterwards. The error is that of opening, that of use, or the context's.
func (d Decoder) Run(ctx context.Context, input *os.File, use func(context.Context, *Clip) error) error {
	return d.run(ctx, input, func(c *child) error {
		clip, err := open(c, d.withDefaults())
		if err != nil {
			return err
		}
		return use(ctx, clip)
	})
}

// Ready is what a child says of itself before it opens anything.
type Ready struct {
	Libraries map[string]string // FFmpeg's versions by name: "libavcodec": "59.37.100", …
	Landlock  int               // the ABI in force, 0 where the kernel has none
	Seccomp   bool
}

// Probe starts a child and returns what it says of itself: whether decoding works here.
func (d Decoder) Probe(ctx context.Context) (r Ready, err error) {
	none, err := os.Open(os.DevNull)
	if err != nil {
		return Ready{}, fmt.Errorf("%w: %w", ErrStart, err)
	}
	defer none.Close()
	err = d.run(ctx, none, func(c *child) error {
		r = c.ready
		return nil
	})
	return r, err
}

// run starts a child, waits until it is ready, calls use and ends the child.
func (d Decoder) run(ctx context.Context, input *os.File, use func(*child) error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	c, err := start(d.withDefaults(), input)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStart, err)
	}
	defer c.end()
	defer context.AfterFunc(ctx, c.kill)()
	if err := c.expectReady(); err != nil {
		return c.because(ctx, err)
	}
	return c.because(ctx, use(c))
}

// because prefers the context's end to the errors that it led to.
func (c *child) because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (c *child) expectReady() error {
	m, err := c.receive()
	if err != nil {
		return err
	}
	r, ok := m.(wire.Ready)
	if !ok {
		return c.unexpected(m)
	}
	c.ready = Ready(r)
	return nil
}

// unexpected is the error for a message that is none of those that may come now. A Failure
// may always come.
func (c *child) unexpected(m wire.Message) error {
	if f, ok := m.(wire.Failure); ok {
		return errors.New(f.Message)
	}
	return c.failed(fmt.Errorf("%w: %T out of turn", wire.ErrInvalid, m))
}

// failed says why the child cannot go on: its death, its silence, or its nonsense, and the
// last thing that FFmpeg said.
func (c *child) failed(err error) error {
	var cause error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		cause = fmt.Errorf("no progress for %v", c.stall)
	case errors.Is(err, wire.ErrInvalid):
		cause = fmt.Errorf("decoder does not keep to its protocol: %w", err)
	default: // the pipes are closed: it died, or will
		cause = c.fate(err)
	}
	c.kill()
	<-c.gone
	c.output.wait()
	if last := c.output.last(); last != "" {
		return fmt.Errorf("%w (last message: %q)", cause, last)
	}
	return cause
}

// closed tells the errors of a pipe whose other end is gone.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrClosed)
}
