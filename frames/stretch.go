package frames

import (
	"fmt"
	"time"
)

// Stretch is the part of a clip that somebody means. The zero value is all of it.
type Stretch struct {
	From time.Duration
	To   time.Duration // 0 is the end of the clip
}

// Check says what is wrong with a stretch, whatever the clip.
func (s Stretch) Check() error {
	if s.From < 0 || s.To < 0 || (s.To > 0 && s.To <= s.From) {
		return fmt.Errorf("from %v to %v is no stretch: it must begin at 0 or later, and end after that", s.From, s.To)
	}
	return nil
}

// Of is what a clip has of the stretch; an error says that it has nothing there.
func (s Stretch) Of(clip Info) (Window, error) {
	w := Window{Start: s.From, End: clip.Duration}
	if s.From > 0 && s.From >= clip.Duration {
		return w, fmt.Errorf("from %v is outside the clip: it is %v long", s.From, clip.Duration)
	}
	if s.To > 0 {
		w.End = min(s.To, clip.Duration)
	}
	return w, s.Check()
}
