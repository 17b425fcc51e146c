package pipeline

import (
	"iter"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/sinks"
)

// Made says whether a caption is one that this job would make about what it shows: the source
// is the same, and so are the model and the settings. Such a caption may be After.
func (j Job) Made(c *sinks.Caption) bool {
	mine := *c
	mine.Header, mine.Model, mine.Settings = j.header(c.Seq), j.Name, j.settings()
	sinks.Seal(&mine)
	return mine.ID == c.ID
}

// next is the number of the first caption.
func (j Job) next() int64 {
	if j.After == nil {
		return 0
	}
	return j.After.Seq + 1
}

// captioned says that an attempt before this one has captioned a window. A caption ends where a
// window ends, also where it stands for several, and is made when what follows is known to be
// another: so the captions of the rest are those that would have followed.
func (j Job) captioned(w frames.Window) bool {
	return j.After != nil && sinks.SecondsOf(w.End) <= j.After.End
}

// numbered is a window and which of those of its clip it is, from 0.
type numbered struct {
	frames.Window
	n int
}

// rest is the windows from the beginning of the group on that holds the first without a caption:
// each is captioned in the same company, and so to the last digit, wherever attempts end.
func (j Job) rest(windows iter.Seq[frames.Window]) iter.Seq[numbered] {
	return func(yield func(numbered) bool) {
		n, from := 0, j.begin(windows)
		for w := range windows {
			if from <= n && !yield(numbered{w, n}) {
				return
			}
			n++
		}
	}
}

// begin is the number of the first window of the rest.
func (j Job) begin(windows iter.Seq[frames.Window]) int {
	n := 0
	for w := range windows {
		if !j.captioned(w) {
			return j.group(n)
		}
		n++
	}
	return n
}

// group is the number of the first window of the group of window n. The first window has one of
// its own, so that the first caption comes soon.
func (v Voice) group(n int) int {
	if n == 0 {
		return 0
	}
	return n - (n-1)%max(v.Together, 1)
}

// last tells whether window n is the last of its group.
func (v Voice) last(n int) bool { return v.group(n+1) == n+1 }
