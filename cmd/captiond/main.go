// Command captiond turns video into timestamped text. This package is the wiring: one
// file per command, and the only importer of drivers and of configs. The same binary,
// re-executed as "decode-worker", is the sandboxed decoder.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// The exit statuses.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == decodeWorker {
		os.Exit(runDecodeWorker(os.Args[2:]))
	}
	// A reader that goes away is an error of the write, reported like any other.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Environ()}))
}

// streams is what a process has: tests give their own.
type streams struct {
	in       *os.File
	out, err io.Writer
	env      []string
	decoder  string // the program that decodes, "" for this one
}

// getenv is the value of an environment variable, "" where there is none.
func (s streams) getenv(name string) string {
	for _, e := range s.env {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// run is the program: it returns the exit status.
func run(ctx context.Context, args []string, s streams) int {
	cmd := newRoot(s)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil:
		fmt.Fprintln(s.err, "captiond: interrupted; what was written is complete as far as it goes")
		return exitInterrupted
	}
	fmt.Fprintln(s.err, "captiond:", err)
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailed
}

// A usageError is a wrong command line or configuration: exit status 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }
