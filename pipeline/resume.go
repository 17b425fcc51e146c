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

// rest is the windows that have no caption yet. A caption ends where a window ends, also where
// it stands for several, and is made when what follows is known to be another: so the
// captions of the rest are those that would have followed.
func (j Job) rest(windows iter.Seq[frames.Window]) iter.Seq[frames.Window] {
	if j.After == nil {
		return windows
	}
	return func(yield func(frames.Window) bool) {
		for w := range windows {
			if sinks.SecondsOf(w.End) > j.After.End && !yield(w) {
				return
			}
		}
	}
}
