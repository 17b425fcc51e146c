package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A progress shows how far an input has been captioned, on a terminal only.
type progress struct{ bar *progressbar.ProgressBar }

// newProgress begins a bar for an input of the given length on w.
func newProgress(w io.Writer, title string, length time.Duration) progress {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || length <= 0 {
		return progress{}
	}
	return progress{progressbar.NewOptions64(length.Milliseconds(),
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

func (p progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
