package live

import (
	"image"
	"sync/atomic"
	"time"
)

// Picture is a frame that a camera was sampled for, with its masks. It is immutable.
type Picture struct {
	Image *image.RGBA
	Time  time.Time // when it was taken, by the clock of the camera's events
	Seen  time.Time // when it was decoded, by this machine's clock
}

// Screen shows the last picture of a camera, and keeps no other. The zero value is ready; any
// number of goroutines may look. A nil Screen shows nothing and costs nothing.
type Screen struct{ last atomic.Pointer[Picture] }

// Last is the newest picture. It is not ok before the first.
func (s *Screen) Last() (Picture, bool) {
	if s == nil {
		return Picture{}, false
	}
	p := s.last.Load()
	if p == nil {
		return Picture{}, false
	}
	return *p, true
}

func (s *Screen) show(img *image.RGBA, at time.Time) {
	if s != nil {
		s.last.Store(&Picture{Image: img, Time: at, Seen: time.Now()})
	}
}
