// Package film makes H.264 files of the moving-shapes world.
package film

import (
	"fmt"
	"image"
	"io"
	"math/rand/v2"
	"time"

	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/frames/ffmpeg"
)

// Write films scenes one after the other into an MP4 file on w. The same scenes and
// encoding give the same bytes. It returns the time at which each scene ends: the first
// frame of the next one has this time.
func Write(w io.WriteSeeker, how ffmpeg.Encoding, scenes ...*world.Scene) (ends []time.Duration, err error) {
	e, err := ffmpeg.Create(w, how)
	if err != nil {
		return nil, fmt.Errorf("film scenes: %w", err)
	}
	defer func() {
		if closed := e.Close(); err == nil && closed != nil {
			err = fmt.Errorf("film scenes: %w", closed)
		}
	}()
	img := image.NewRGBA(image.Rect(0, 0, how.Width, how.Height))
	end := time.Duration(0)
	for _, s := range scenes {
		n := Frames(s, how.Rate)
		for i := range n {
			s.Draw(img, Time(i, how.Rate))
			if err := e.Write(img); err != nil {
				return nil, fmt.Errorf("film scenes: %w", err)
			}
		}
		end += Time(n, how.Rate)
		ends = append(ends, end)
	}
	return ends, nil
}

// Frames is the number of frames in a scene at a rate: the whole ones, the last of which
// may be shown beyond its end.
func Frames(s *world.Scene, rate int) int {
	return int((s.Duration*time.Duration(rate) + time.Second - 1) / time.Second)
}

// Time is the time of frame i at a rate.
func Time(i, rate int) time.Duration { return time.Duration(i) * time.Second / time.Duration(rate) }

// The range of CRF that Any draws from.
const (
	MinCRF = 18
	MaxCRF = 32
)

// Any is an encoding as films of strangers have: 240 to 720 pixels high or wide, 10 to 30
// frames a second, CRF 18 to 32. Smaller pictures are more likely.
func Any(rng *rand.Rand) ffmpeg.Encoding {
	sides := []int{240, 240, 240, 240, 256, 256, 288, 288, 320, 320, 320, 360, 360, 360, 480, 720}
	aspects := [][2]int{{1, 1}, {1, 1}, {4, 3}, {16, 9}, {3, 4}}
	side, aspect := sides[rng.IntN(len(sides))], aspects[rng.IntN(len(aspects))]
	shorter := min(aspect[0], aspect[1])
	return ffmpeg.Encoding{
		Width: even(side * aspect[0] / shorter), Height: even(side * aspect[1] / shorter),
		Rate: []int{10, 12, 15, 20, 24, 25, 30}[rng.IntN(7)],
		CRF:  MinCRF + rng.IntN(MaxCRF-MinCRF+1), GOP: 10 + rng.IntN(60), BFrames: rng.IntN(4),
	}
}

func even(n int) int { return n &^ 1 }
