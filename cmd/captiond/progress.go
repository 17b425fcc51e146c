package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A progress shows how far the work has come, on a terminal only.
type progress struct{ bar *progressbar.ProgressBar }

// newProgress begins a bar for an input of the given length on w.
func newProgress(w io.Writer, title string, length time.Duration) progress {
	return newSteps(w, title, length.Milliseconds())
}

// newSteps begins a bar for a number of steps on w.
func newSteps(w io.Writer, title string, steps int64) progress {
	return newBar(w, title, steps, false)
}

// newBytes begins a bar for a number of bytes on w.
func newBytes(w io.Writer, title string, bytes int64) progress {
	return newBar(w, title, bytes, true)
}

func newBar(w io.Writer, title string, steps int64, bytes bool) progress {
	if !onTerminal(w) || steps <= 0 {
		return progress{}
	}
	return progress{progressbar.NewOptions64(steps,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(title),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionSetElapsedTime(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)}
}

func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// reach says that the input has been captioned up to at.
func (p progress) reach(at time.Duration) { p.set(at.Milliseconds()) }

// set says how many steps are done. A bar that cannot be drawn is no reason to stop.
func (p progress) set(steps int64) {
	if p.bar != nil {
		_ = p.bar.Set64(steps)
	}
}

// step says that one step more has been done.
func (p progress) step() {
	if p.bar != nil {
		_ = p.bar.Add(1)
	}
}

func (p progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
