package synthetic

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/captiond/captiond/model/checkpoint"
)

// small is a shape that is written in no time.
func small(frames int64) Shape {
	return Shape{
		Name: "small", Hidden: 16, MLP: 32, Layers: 2, Heads: 2, Patch: 8, Image: 32, Frames: frames,
		TextHidden: 16, TextMLP: 32, TextLayers: 2, TextHeads: 2, Vocabulary: 120, TextPositions: 16,
	}
}

// TestWrite holds what is written against the reader of real checkpoints.
func TestWrite(t *testing.T) {
	t.Parallel()
	for _, frames := range []int64{0, 6} {
		folder := t.TempDir()
		if err := Write(folder, small(frames), 1); err != nil {
			t.Fatal(err)
		}
		c, err := checkpoint.Load(folder)
		if err != nil {
			t.Fatal(err)
		}
		if c.Config.Frames != frames || c.Config.ImageTokens() != 4*4+1 || c.Config.Vision.Hidden != 16 {
			t.Errorf("%+v", c.Config)
		}
		again := t.TempDir()
		if err := Write(again, small(frames), 1); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(read(t, folder), read(t, again)) {
			t.Error("the same seed gives other weights")
		}
		if err := Write(again, small(frames), 2); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(read(t, folder), read(t, again)) {
			t.Error("another seed gives the same weights")
		}
	}
	if err := Write(filepath.Join(t.TempDir(), "none"), small(0), 1); err == nil {
		t.Error("a missing folder is no error")
	}
}

// TestParameters holds the shapes against the numbers of the public checkpoints.
func TestParameters(t *testing.T) {
	t.Parallel()
	for want, s := range map[int64]Shape{
		176_619_066: Base(0), 176_623_674: Base(6), 177_159_738: BaseVQA(), 394_196_026: Large(0), 394_202_170: Large(6),
	} {
		got := int64(0)
		for _, p := range s.tensors() {
			got += p.elements()
		}
		if got != want {
			t.Errorf("%s with %d frames: %d parameters, want %d", s.Name, s.Frames, got, want)
		}
	}
}

func read(t *testing.T, folder string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
