// Command child is the decode child and nothing else: the sandbox around FFmpeg.
package main

import (
	"fmt"
	"os"

	"github.com/captiond/captiond/frames/ffmpeg"
	"github.com/captiond/captiond/frames/sandbox"
	"github.com/captiond/captiond/frames/wire"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	level, err := sandbox.Enter(sandbox.DefaultLimits())
	if err != nil {
		return err
	}
	input, in, out := wire.Inherited()
	if err := out.Write(wire.Ready{Libraries: ffmpeg.Libraries(), Landlock: level.Landlock, Seccomp: level.Seccomp}); err != nil {
		return err
	}
	return ffmpeg.Serve(input, in, out)
}
