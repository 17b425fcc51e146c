package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/captiond/captiond/model/synthetic"
)

// Every precision and shape has the same fields.
func TestBenchPrintsItsFields(t *testing.T) {
	t.Parallel()
	weights := benchWeights(t, 6)
	for _, precision := range []string{"float32", "int8"} {
		got := captiond(t, "bench", "-o", "json", "--rounds", "2", "--tokens", "2", "--weights", weights, "--precision", precision)
		got.want(t, exitDone, "")
		report := decodeLine(t, got.out)
		for _, field := range []string{
			"encoder_vs_matmul", "prefix_vs_matmul", "step_vs_bandwidth", "second_question_ratio", "sliding_window_ratio", "labels_1000_vs_10",
			"clip_seconds", "load_seconds", "startup_to_first_caption_seconds", "peak_rss_bytes", "peak_vs_weights", "token_bytes",
			"encoder_vs_matmul_spread", "step_vs_bandwidth_spread", "matmul_gflops", "bandwidth_gb_per_second", "cores",
		} {
			if v, ok := report[field].(float64); !ok || v <= 0 {
				t.Errorf("%s: %s is %v", precision, field, report[field])
			}
		}
		if report["precision"] != precision || report["date"] == nil || report["cpu"] == "" {
			t.Errorf("%v", report)
		}
	}
}

// A picture has no window that slides, and a question is its first text.
func TestBenchOfPictures(t *testing.T) {
	t.Parallel()
	got := captiond(t, "bench", "--rounds", "1", "--tokens", "2", "--weights", benchWeights(t, 0), "--shape", "base-vqav2")
	got.want(t, exitDone, "")
	if !strings.Contains(got.out, "git-base-vqav2, 1 frames, 2 tokens") || strings.Contains(got.out, "sliding window  ") {
		t.Errorf("bench prints\n%s", got.out)
	}
}

// The table is printed and put into the document; the results are kept.
func TestBenchCompares(t *testing.T) {
	t.Parallel()
	results := filepath.Join(t.TempDir(), "results")
	document := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(document, []byte("before\n<!-- bench:begin base -->\nold\n<!-- bench:end base -->\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := captiond(t, "bench", "--compare", "--rounds", "1", "--tokens", "2", "--weights", benchWeights(t, 6), "--record", results, "--document", document)
	got.want(t, exitDone, "")
	for _, part := range []string{"| captiond float32 | ", "| captiond int8 | ", "The peers did not run"} {
		if !strings.Contains(got.out, part) {
			t.Errorf("no %q in\n%s", part, got.out)
		}
	}
	if b, err := os.ReadFile(document); err != nil || string(b) != "before\n<!-- bench:begin base -->\n"+got.out+"<!-- bench:end base -->\nafter\n" {
		t.Errorf("%v, the document is\n%s", err, b)
	}
	b, err := os.ReadFile(filepath.Join(results, "base.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if record := decodeLine(t, string(b)); len(record["reports"].([]any)) != 2 || len(record["lines"].([]any)) != 2 {
		t.Errorf("%v", record)
	}
}

func TestBenchWrongUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--shape", "base-coco", "--frames", "2"}, "--frames 2: use 1 to 1"},
		{[]string{"--rounds", "0", "--tokens", "101"}, "--tokens 101: use 1 to 100\n--rounds 0: use 1 to 1000"},
		{[]string{"--record", "results"}, "go with --compare"},
	} {
		captiond(t, append([]string{"bench"}, c.args...)...).want(t, exitUsage, c.want)
	}
}

// decodeLine reads a JSON object that is alone on its line.
func decodeLine(t *testing.T, line string) (object map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &object); err != nil || strings.Count(line, "\n") != 1 {
		t.Fatalf("%v in %q", err, line)
	}
	return object
}

// benchWeights is a small checkpoint where the full-size one would be.
func benchWeights(t *testing.T, frames int64) string {
	t.Helper()
	folder := t.TempDir()
	shape := synthetic.Base(frames)
	shape.Layers, shape.TextLayers, shape.Vocabulary, shape.Hidden, shape.MLP = 2, 2, 2000, 96, 192
	shape.TextHidden, shape.TextMLP, shape.TextHeads, shape.Heads = 96, 192, 4, 4
	if err := synthetic.Write(folder, shape, 1); err != nil {
		t.Fatal(err)
	}
	return folder
}
