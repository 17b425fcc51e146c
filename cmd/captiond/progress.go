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
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || steps <= 0 {
		return progress{}
	}
	return progress{progressbar.NewOptions64(steps,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(title),
		progressbar.OptionSetElapsedTime(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)}
}

// reach says that the input has been captioned up to at. A bar that cannot be drawn is
// no reason to stop.
func (p progress) reach(at time.Duration) {
	if p.bar != nil {
		_ = p.bar.Set64(at.Milliseconds())
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
