package live

import (
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
)

// alike is the distance of features below which two frames say the same.
const alike = 0.10

// stillness remembers what a stretch has shown, to decide what is worth the model's time. Its
// three stages: a frame is encoded when its sketch differs from that of the frame encoded
// last; a window is decoded when a frame that is new in it differs, by its features, from the
// frame before, or when it has come to rest; a text is published when it is another.
type stillness struct {
	gate    Gate
	apart   func(before, after *model.Features) float64
	sketch  frames.Sketch // of the frame encoded last
	looked  bool
	decoded bool          // a window of the stretch
	until   time.Duration // PTS of the newest frame of the window decoded last
	rested  bool          // that window showed nothing that changes
}

// encode says whether a frame is worth encoding.
func (s *stillness) encode(sketch frames.Sketch) bool {
	if s.looked && s.gate.Enabled && sketch.Change(s.sketch) < s.gate.Threshold {
		return false
	}
	s.looked, s.sketch = true, sketch
	return true
}

// moved says whether the picture is another than the one before.
func (s *stillness) moved(before, after *model.Features) bool {
	return before != after && s.apart(before, after) > alike
}

// decode says whether a window of these frames is worth decoding.
func (s *stillness) decode(window []look) bool {
	newest := window[len(window)-1].pts
	rest := true
	worth := !s.gate.Enabled || !s.decoded
	for i, l := range window {
		rest = rest && (i == 0 || !l.moved)
		worth = worth || l.moved && l.pts > s.until
	}
	worth = worth || rest && !s.rested
	if worth {
		s.decoded, s.until, s.rested = true, newest, rest
	}
	return worth
}
