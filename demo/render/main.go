// Command render renders the moving-shapes world: as samples for training, or as H.264 files
// with the truth about them.
//
//	render pool -seed 1 -n 1500 -o pool     scenes as an H.264 decoder returns them, for samples
//	render samples -seed 2 -pool pool       an endless stream of samples, for train.py
//	render dataset -seed 3 -n 100 -o DIR    films and their truth, for captiond eval
//	render frames -seed 4 -n 1             six frames of each scene, as they are drawn
//
// The same arguments give the same output.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"syscall"

	"github.com/captiond/captiond/frames/ffmpeg"
)

func main() {
	ffmpeg.Quiet()
	commands := map[string]func([]string) error{"pool": runPool, "samples": runSamples, "dataset": runDataset, "frames": runFrames}
	err := errors.New("give a command: pool, samples, dataset or frames")
	if len(os.Args) > 1 && commands[os.Args[1]] != nil {
		err = commands[os.Args[1]](os.Args[2:])
	}
	if err != nil && !errors.Is(err, syscall.EPIPE) { // whoever reads samples stops when it has enough
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

// arguments are the flags that all commands have.
type arguments struct {
	*flag.FlagSet
	seed uint64
	n    int
	out  string
}

func newArguments(command string) *arguments {
	a := &arguments{FlagSet: flag.NewFlagSet(command, flag.ExitOnError)}
	a.Uint64Var(&a.seed, "seed", 1, "what all randomness follows from")
	return a
}

// files adds what the commands that write files need.
func (a *arguments) files() {
	a.IntVar(&a.n, "n", 100, "number of scenes")
	a.StringVar(&a.out, "o", "", "where to write")
}
