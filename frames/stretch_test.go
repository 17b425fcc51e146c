package frames_test

import (
	"strings"
	"testing"
	"time"

	"github.com/captiond/captiond/frames"
)

func TestStretch(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for _, tt := range []struct {
		stretch frames.Stretch
		long    time.Duration
		want    frames.Window
		problem string
	}{
		{frames.Stretch{}, 12 * s, frames.Window{End: 12 * s}, ""},
		{frames.Stretch{}, 0, frames.Window{}, ""},
		{frames.Stretch{From: 4 * s}, 12 * s, frames.Window{Start: 4 * s, End: 12 * s}, ""},
		{frames.Stretch{From: 4 * s, To: 8 * s}, 12 * s, frames.Window{Start: 4 * s, End: 8 * s}, ""},
		{frames.Stretch{From: 4 * s, To: 80 * s}, 12 * s, frames.Window{Start: 4 * s, End: 12 * s}, ""},
		{frames.Stretch{From: 12 * s}, 12 * s, frames.Window{}, "from 12s is outside the clip: it is 12s long"},
		{frames.Stretch{From: 20 * s, To: 21 * s}, 12 * s, frames.Window{}, "from 20s is outside the clip: it is 12s long"},
		{frames.Stretch{From: 8 * s, To: 4 * s}, 12 * s, frames.Window{}, "from 8s to 4s is no stretch"},
		{frames.Stretch{From: 8 * s, To: 8 * s}, 12 * s, frames.Window{}, "is no stretch"},
		{frames.Stretch{From: -s}, 12 * s, frames.Window{}, "is no stretch"},
		{frames.Stretch{To: -s}, 12 * s, frames.Window{}, "is no stretch"},
	} {
		got, err := tt.stretch.Of(frames.Info{Duration: tt.long})
		if tt.problem != "" {
			if err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("%+v of %v: %v, want %q", tt.stretch, tt.long, err, tt.problem)
			}
			continue
		}
		if err != nil || got != tt.want {
			t.Errorf("%+v of %v: %v, %v, want %v", tt.stretch, tt.long, got, err, tt.want)
		}
	}
}
