package film_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/captiond/captiond/demo/film"
	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/frames/ffmpeg"
	"github.com/captiond/captiond/frames/wire"
)

// write films the scenes and gives the file's bytes.
func write(t *testing.T, how ffmpeg.Encoding, scenes ...*world.Scene) ([]byte, []time.Duration) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "film.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ends, err := film.Write(file, how, scenes...)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return data, ends
}

// TestWrite reads a film back: its length, a cut where a scene ends, and the same bytes
// for the same scenes.
func TestWrite(t *testing.T) {
	t.Parallel()
	ffmpeg.Quiet()
	scenes := []*world.Scene{world.New(1, world.Options{Duration: 3 * time.Second}), world.New(2, world.Options{Duration: 3050 * time.Millisecond})}
	how := ffmpeg.Encoding{Width: 160, Height: 120, Rate: 10, CRF: 20, GOP: 10, BFrames: 1}
	data, ends := write(t, how, scenes...)
	if len(ends) != 2 || ends[0] != 3*time.Second || ends[1] != 6100*time.Millisecond {
		t.Errorf("the scenes end at %v", ends)
	}
	if again, _ := write(t, how, scenes...); !bytes.Equal(data, again) {
		t.Error("the same scenes give other bytes")
	}
	clip, err := ffmpeg.Open(bytes.NewReader(data), int64(len(data)), ffmpeg.Limits{MaxPixels: 1 << 20, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer clip.Close()
	if got := clip.Info().Duration; got != ends[1] {
		t.Errorf("the film takes %v, want %v", got, ends[1])
	}
	var tops []int // the upper left corner: the ground of the scene
	instants := []time.Duration{2 * time.Second, ends[0] - time.Millisecond, ends[0], 4 * time.Second}
	if err := clip.Show(instants, func(p wire.Picture) error {
		tops = append(tops, int(p.Pixels[0])+int(p.Pixels[1])+int(p.Pixels[2]))
		return nil
	}); err != nil || len(tops) != len(instants) {
		t.Fatalf("%d frames: %v", len(tops), err)
	}
	far := func(a, b int) bool { return max(a-b, b-a) > 60 }
	if far(tops[0], tops[1]) || !far(tops[1], tops[2]) || far(tops[2], tops[3]) {
		t.Errorf("the corner is %v: want a cut between the second and the third", tops)
	}
}

func TestAnyIsEncodable(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		how := film.Any(rng)
		short := min(how.Width, how.Height)
		if short < 240 || short > 720 || how.Width%2+how.Height%2 != 0 || how.Rate < 10 || how.Rate > 30 ||
			how.CRF < film.MinCRF || how.CRF > film.MaxCRF {
			t.Fatalf("%+v", how)
		}
	}
}
