package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/captiond/captiond/frames/ffmpeg"
	"github.com/captiond/captiond/model/eval"
)

// TestDataset reads a data set as captiond eval does.
func TestDataset(t *testing.T) {
	t.Parallel()
	ffmpeg.Quiet()
	folders := [2]string{t.TempDir(), t.TempDir()}
	for _, folder := range folders {
		if err := runDataset([]string{"-seed", "9", "-n", "2", "-windows", "3", "-most", "40000", "-o", folder}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"dataset.jsonl", "clips/0001.mp4", "clips/0002.mp4"} {
		a, err := os.ReadFile(filepath.Join(folders[0], name))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(folders[1], name)); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs from run to run: %v", name, err)
		}
	}
	other := t.TempDir()
	if err := runDataset([]string{"-seed", "10", "-n", "1", "-o", other}); err != nil {
		t.Fatal(err)
	}
	a, errA := os.ReadFile(filepath.Join(folders[0], "clips/0001.mp4"))
	b, errB := os.ReadFile(filepath.Join(other, "clips/0001.mp4"))
	if errA != nil || errB != nil || bytes.Equal(a, b) {
		t.Errorf("another seed gives the same film: %v %v", errA, errB)
	}
	data, err := eval.Open(folders[0], "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range data.Files {
		if len(f.Stretches) != 4 || len(f.Stretches[0].Items) < 7 {
			t.Errorf("%s has %d stretches, want the whole film with its questions, and three windows", f.Path, len(f.Stretches))
		}
		for _, s := range f.Stretches[1:] {
			if s.To-s.From < leastWindow {
				t.Errorf("%s: window from %v to %v", f.Path, s.From, s.To)
			}
		}
	}
}

// TestSamples draws samples as they are painted and as they come out of a film.
func TestSamples(t *testing.T) {
	t.Parallel()
	ffmpeg.Quiet()
	e, err := newEye()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 3))
	filmed, err := shoot(rng, e)
	if err != nil {
		t.Fatal(err)
	}
	filmed.scene = scene(filmed.Seed)
	for name, p := range map[string]projector{"painted": painted(rng, e), "filmed": filmed.projector()} {
		for i := range 40 {
			s := p.sample(rng, i%4 == 0)
			checkSample(t, name, s)
		}
	}
}

func checkSample(t *testing.T, name string, s sample) {
	t.Helper()
	var b bytes.Buffer
	if err := s.write(&b); err != nil {
		t.Fatal(err)
	}
	line, err := b.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var got sample
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	if got.Caption == "" || b.Len() != got.Frames*side*side*3 || (got.Frames != window && got.Frames != 1) {
		t.Errorf("%s: %q of %d frames with %d bytes", name, got.Caption, got.Frames, b.Len())
	}
	for _, o := range got.Objects {
		if len(o.Track) != got.Frames {
			t.Errorf("%s: %q has a track of %d", name, got.Caption, len(o.Track))
		}
	}
}

// TestPool writes films and reads them back.
func TestPool(t *testing.T) {
	t.Parallel()
	ffmpeg.Quiet()
	name := filepath.Join(t.TempDir(), "pool")
	if err := runPool([]string{"-seed", "6", "-n", "2", "-o", name}); err != nil {
		t.Fatal(err)
	}
	pool, err := readPool(name)
	if err != nil || len(pool) != 2 {
		t.Fatalf("%d films: %v", len(pool), err)
	}
	for _, f := range pool {
		if n := len(f.Frames); n < 3*f.Rate || n > 4*f.Rate+1 {
			t.Errorf("a film of %v at %d a second has %d frames", f.scene.Duration, f.Rate, n)
		}
	}
}
