package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"

	"github.com/captiond/captiond/configs"
	"github.com/captiond/captiond/frames/ffmpeg"
	"github.com/captiond/captiond/frames/sandbox"
	"github.com/captiond/captiond/frames/wire"
	"github.com/captiond/captiond/frames/worker"
)

// decodeWorker is the first argument of the sandboxed decode child; the second is its
// address space in bytes, the third "strict" or "weak".
const decodeWorker = "decode-worker"

// newDecoder starts children of this program, or of executable where it is not empty:
// tests give a build without the race detector, which needs more address space than a
// child is allowed.
func newDecoder(executable string, c configs.Decode, log *slog.Logger) worker.Decoder {
	return worker.Decoder{
		Executable: executable,
		Args:       []string{decodeWorker, strconv.FormatInt(int64(c.Memory), 10), c.Sandbox},
		MaxPixels:  c.MaxPixels,
		Log:        log,
	}
}

// runDecodeWorker is the decode child: it confines itself, says so, and serves its
// parent. Nothing else of the program has been set up when it runs.
func runDecodeWorker(args []string) int {
	if err := serveDecoder(args); err != nil {
		fmt.Fprintln(os.Stderr, "decode-worker:", err)
		return exitFailed
	}
	return exitDone
}

func serveDecoder(args []string) error {
	limits := sandbox.DefaultLimits()
	if len(args) == 2 {
		memory, err := strconv.ParseUint(args[0], 10, 63)
		if err != nil {
			return fmt.Errorf("read memory limit: %w", err)
		}
		limits.Memory, limits.Weak = memory, args[1] == "weak"
	}
	input, requests, reports := wire.Inherited()
	level, err := sandbox.Enter(limits)
	if err != nil {
		if errors.Is(err, sandbox.ErrUnsupported) {
			err = fmt.Errorf("%w; --decode-sandbox weak goes on without", err)
		}
		return fmt.Errorf("enter sandbox: %w", err)
	}
	ready := wire.Ready{Libraries: ffmpeg.Libraries(), Landlock: level.Landlock, Seccomp: level.Seccomp}
	if err := reports.Write(ready); err != nil {
		return err
	}
	return ffmpeg.Serve(input, requests, reports)
}
