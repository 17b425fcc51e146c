package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/ort"
)

func library(t *testing.T) string {
	t.Helper()
	if path := os.Getenv(ort.LibraryVariable); path != "" {
		return path
	}
	return filepath.Join("..", "..", "lib", "libonnxruntime.so.1")
}

// TestMeasures runs the program at a tiny shape on the CPU.
func TestMeasures(t *testing.T) {
	t.Parallel()
	args := []string{
		"-library", library(t), "-device", "cpu", "-threads", "1", "-shapes", "tiny", "-precisions", "float32,int8,float16",
		"-batches", "1,3", "-tokens", "4", "-rounds", "2", "-scenes", "3", "-matmul", "64", "-peak", "1", "-weights", t.TempDir(),
	}
	var out bytes.Buffer
	if err := run(t.Context(), append(args, "-o", "json"), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 6 {
		t.Fatalf("%d lines, want two for each precision: %s", len(lines), &out)
	}
	for i, precision := range []string{"float32", "int8", "float16"} {
		var p parity
		if err := json.Unmarshal([]byte(lines[i]), &p); err != nil {
			t.Fatal(err)
		}
		if p.Precision != precision || p.Device != "cpu" || p.Windows != 3 || p.Equal != 3 || p.Right != 3 || (p.Logits == 0) != (i == 0) {
			t.Errorf("%+v", p)
		}
	}
	for i, precision := range []string{"float32", "int8", "float16"} {
		var r report
		if err := json.Unmarshal([]byte(lines[3+i]), &r); err != nil {
			t.Fatal(err)
		}
		if r.Shape != "tiny" || r.Precision != precision || r.Device != "cpu" || r.Cores == 0 || r.PeakTFLOPS != 1 || r.MatmulTFLOPS <= 0 || len(r.Batches) != 2 {
			t.Errorf("%+v", r)
		}
		for j, b := range r.Batches {
			if want := []int{1, 3}[j]; b.Windows != want || b.CaptionsPerSecond <= 0 || b.Seconds <= 0 || min(b.OfMatmul, b.OfMatmulAll, b.OfPeak, b.OfPeakAll) <= 0 {
				t.Errorf("%+v", b)
			}
		}
	}
	out.Reset()
	if err := run(t.Context(), append(args, "-matmul", "0", "-scenes", "1"), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Method: ", "demo in float16 on cpu beside float32 on the cpu: 1 of 1 captions", "git-tiny, float16, 4 tokens on cpu", "captions/s"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the text has no %q: %s", want, &out)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"unknown shape":     {"-shapes", "base,huge"},
		"unknown precision": {"-precisions", "float8"},
		"read --batches":    {"-batches", "1,many"},
		"use 1 or more":     {"-batches", "0"},
		"use 1 to 500":      {"-tokens", "501"},
		"use text or json":  {"-o", "xml"},
		"not a file":        {"-library", "none.so"},
		"use --device cuda: this ONNX Runtime is built for the cpu alone": {"-library", library(t), "-device", "cuda", "-shapes", "tiny"},
	} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want one with %q", args, err, want)
		}
	}
	if err := run(t.Context(), []string{"-h"}, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

// TestFit tells what is measured on which device: on a GPU that was asked for or nowhere, and
// never in 8 bits there.
func TestFit(t *testing.T) {
	t.Parallel()
	missing := errors.New("no driver is loaded")
	for _, c := range []struct {
		asked, found string
		missing      error
		precision    graph.Precision
		want         string
	}{
		{"cpu", "cpu", nil, graph.Int8, ""},
		{"auto", "cpu", missing, graph.Int8, ""},
		{"auto", "cuda", nil, graph.Float16, ""},
		{"cuda", "cuda", nil, graph.Float32, ""},
		{"cuda", "cpu", missing, graph.Float16, "no driver is loaded"},
		{"auto", "cuda", nil, graph.Int8, "use float16"},
		{"cuda", "cuda", nil, graph.Int8, "use float16"},
	} {
		o := options{precisions: []graph.Precision{graph.Float16, c.precision}}
		o.runtime.Device = c.asked
		if err := o.fit(c.found, c.missing); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v", c, err)
		}
	}
}

// TestStandsAlone holds the program to what it says it needs: of C, ONNX Runtime alone.
func TestStandsAlone(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, foreign := range []string{"go-astiav", "gocv.io", "nats-io", "captiond/frames", "captiond/sinks", "captiond/pipeline"} {
		if strings.Contains(string(out), foreign) {
			t.Errorf("the program has come to need %s", foreign)
		}
	}
}

// TestSum works the figures out by hand: medians of 0.9 s for 4 windows, of which a sixth of
// 0.6 s, 0.2 s and 0.1 s remain with one new frame.
func TestSum(t *testing.T) {
	t.Parallel()
	b := sum([]times{{0.6, 0.2, 0.1}, {1.2, 0.4, 0.2}, {0.6, 0.2, 0.1}}, 4)
	for name, v := range map[string]struct{ got, want float64 }{
		"seconds": {b.Seconds, 0.9}, "encode": {b.EncodeSeconds, 0.6}, "begin": {b.BeginSeconds, 0.2},
		"tokens": {b.TokensSeconds, 0.1}, "streams": {b.StreamsOneFrame, 100}, "spread": {b.Spread, 1},
	} {
		if math.Abs(v.got-v.want) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, v.got, v.want)
		}
	}
}

// TestShare: 4 windows of 3 operations each in 2 s, and 8 a second of all workers.
func TestShare(t *testing.T) {
	t.Parallel()
	b := batch{Windows: 4, Seconds: 2, CaptionsPerSecond: 8}
	b.share(3, 12, 48)
	if b.OfMatmul != 0.5 || b.OfMatmulAll != 2 || b.OfPeak != 0.125 || b.OfPeakAll != 0.5 {
		t.Errorf("%+v", b)
	}
	unknown := batch{Windows: 4, Seconds: 2, CaptionsPerSecond: 8}
	if unknown.share(3, 0, 0); unknown != (batch{Windows: 4, Seconds: 2, CaptionsPerSecond: 8}) {
		t.Errorf("%+v", unknown)
	}
}

func TestCard(t *testing.T) {
	t.Parallel()
	none := card{name: "cuda"}
	for line, want := range map[string]card{
		"NVIDIA H200, 1024\n":     {"NVIDIA H200", 1 << 30},
		"NVIDIA H200, [N/A]\n":    none,
		"No devices were found\n": none,
		"":                        none,
	} {
		if got := none.read(line); got != want {
			t.Errorf("%q is %+v, want %+v", line, got, want)
		}
	}
}
