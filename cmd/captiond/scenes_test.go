package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/captiond/captiond/demo/film"
	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/frames/ffmpeg"
	"github.com/captiond/captiond/sinks"
)

// TestCaptionScenes has a film of 31 scenes of any noise cut where they end, to the frame.
func TestCaptionScenes(t *testing.T) {
	t.Parallel()
	var shown []*world.Scene
	for s := range world.Scenes(41, world.Options{Duration: 2 * time.Second}) {
		if shown = append(shown, s); len(shown) == 31 {
			break
		}
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "film.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	how := ffmpeg.Encoding{Width: 240, Height: 180, Rate: 12, CRF: 26, GOP: 48, BFrames: 2}
	ends, err := film.Write(file, how, shown...)
	if err != nil {
		t.Fatal(err)
	}
	got := captiond(t, "caption", file.Name(), "--scenes", "-o", "jsonl")
	got.want(t, exitDone, "")
	said := events(t, got.out)
	if len(said) != len(shown) {
		t.Fatalf("%d windows for %d scenes:\n%s", len(said), len(shown), got.out)
	}
	right := 0
	for i, e := range said {
		c := e.(*sinks.Caption)
		if off := (c.End.Duration() - ends[i]).Abs(); off > time.Second/time.Duration(how.Rate) {
			t.Errorf("scene %d ends at %v, want %v", i, c.End.Duration(), ends[i])
		}
		if c.Text == shown[i].Truth(0, shown[i].Duration).Caption {
			right++
		}
	}
	if right < len(shown)*8/10 {
		t.Errorf("%d of %d captions are true", right, len(shown))
	}
}
