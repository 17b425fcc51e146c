package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// agreed is what `captiond model verify --on -o json` prints.
type agreed struct {
	Precision string
	Windows   int
	Agreement float64
	Features  float64 `json:"features_error"`
	Logits    float64 `json:"logits_error"`
	Said      []struct {
		File             string
		To               float64
		Reference, Other string
	}
}

// The built-in model in 8 bits says what it says in float32, on films that training never
// used and on a picture, and its numbers are near and not the same.
func TestVerifyInt8(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for i := range 12 {
		name := fmt.Sprintf("%04d.mp4", 1+10*i)
		copyFile(t, filepath.Join("../../demo/heldout/clips", name), filepath.Join(folder, name))
	}
	copyFile(t, "../../demo/picture.png", filepath.Join(folder, "picture.png"))
	run := captiond(t, "model", "verify", "demo", "--precision", "int8", "--on", folder, "--every", "3s", "-o", "json")
	run.want(t, exitDone, "")
	var got agreed
	if err := json.Unmarshal([]byte(run.out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Precision != "int8" || got.Windows < 13 || got.Agreement < 0.99 || len(got.Said) != got.Windows {
		t.Errorf("got %+v", got)
	}
	if got.Features == 0 || got.Features > 0.05 || got.Logits == 0 || got.Logits > 0.05 {
		t.Errorf("features are off by %v, logits by %v", got.Features, got.Logits)
	}
	for _, s := range got.Said {
		if s.Reference == "" || s.Other == "" {
			t.Errorf("%s: %q and %q", s.File, s.Reference, s.Other)
		}
	}
}

func TestVerifyOnRubbish(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	verify := func(args ...string) outcome {
		return captiond(t, append([]string{"model", "verify", "demo", "--on", folder}, args...)...)
	}
	verify("--precision", "int8").want(t, exitFailed, "there are no files")
	verify().want(t, exitUsage, "held against itself")
	if err := os.WriteFile(filepath.Join(folder, "notes.txt"), []byte("no film"), 0o600); err != nil {
		t.Fatal(err)
	}
	verify("--precision", "int8").want(t, exitFailed, "notes.txt")
	copyFile(t, "../../demo/picture.png", filepath.Join(folder, "picture.png"))
	verify("--precision", "float16", "--device", "cpu").want(t, exitUsage, "held against itself")
	got := verify("--precision", "int8")
	got.want(t, exitFailed, "1 of 2 inputs failed")
	if want := "int8 against float32: 1 of 1 captions are equal"; !strings.Contains(got.out, want) {
		t.Errorf("it prints %q, want %q", got.out, want)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
