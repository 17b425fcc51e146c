package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

func worldColors() []string {
	return []string{"red", "green", "blue", "yellow", "purple", "orange", "white", "black"}
}
func worldShapes() []string { return []string{"circle", "square", "triangle", "ring", "cross"} }

// writeLabels makes a label file.
func writeLabels(t *testing.T, labels ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "labels.txt")
	if err := os.WriteFile(path, []byte(strings.Join(labels, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// heldOut writes n pictures of one shape each, from scenes that nothing was trained with:
// training draws its seeds from all 64 bits. It returns their files and what they show.
func heldOut(t *testing.T, n int) (files []string, shown []world.Seen) {
	t.Helper()
	folder := t.TempDir()
	for seed := uint64(7_000_000); len(files) < n; seed++ {
		s := world.New(seed, world.Options{})
		at := s.Duration / 2
		objects := s.Still(at).Objects
		if len(objects) != 1 {
			continue
		}
		img := image.NewRGBA(image.Rect(0, 0, 320, 240))
		s.Draw(img, at)
		path := filepath.Join(folder, fmt.Sprintf("%d.png", seed))
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, img); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		files, shown = append(files, path), append(shown, objects[0])
	}
	return files, shown
}

// classes are the lines of a result.
func classes(t *testing.T, out string) (all []pipeline.Classes) {
	t.Helper()
	for line := range strings.Lines(out) {
		var c pipeline.Classes
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, c)
	}
	return all
}

// TestClassifyHeldOutPictures has the built-in model tell the colours and shapes of pictures
// that it has never seen: by captions, and by the answers to questions that name the other of
// the two.
func TestClassifyHeldOutPictures(t *testing.T) {
	t.Parallel()
	const n = 200
	files, shown := heldOut(t, n)
	var captions []string
	for _, color := range worldColors() {
		for _, shape := range worldShapes() {
			captions = append(captions, "a "+color+" "+shape)
		}
	}
	for _, tt := range []struct {
		name   string
		labels []string
		prompt func(world.Seen) string
		want   func(world.Seen) string
	}{
		{"captions", captions,
			func(world.Seen) string { return "" },
			func(o world.Seen) string { return fmt.Sprintf("a %v %v", o.Colour, o.Shape) }},
		{"colors", worldColors(),
			func(o world.Seen) string { return fmt.Sprintf("what color is the %v?", o.Shape) },
			func(o world.Seen) string { return o.Colour.String() }},
		{"shapes", worldShapes(),
			func(o world.Seen) string { return fmt.Sprintf("what shape is %v?", o.Colour) },
			func(o world.Seen) string { return o.Shape.String() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			groups := map[string][]string{}
			want := map[string]string{}
			for i, file := range files {
				q := tt.prompt(shown[i])
				groups[q] = append(groups[q], file)
				want[filepath.Base(file)] = tt.want(shown[i])
			}
			right := 0
			for question, files := range groups {
				got := captiond(t, append([]string{"classify", "--prompt", question, "--labels", writeLabels(t, tt.labels...), "-o", "jsonl"}, files...)...)
				got.want(t, exitDone, "")
				for _, c := range classes(t, got.out) {
					if c.Classes[0].Label == want[c.Title] {
						right++
					}
				}
			}
			t.Logf("%d of %d pictures are right", right, n)
			if right < n*97/100 {
				t.Error("fewer than 97 %")
			}
		})
	}
}

const still = "../../demo/picture.png"

func TestClassifyClip(t *testing.T) {
	t.Parallel()
	labels := writeLabels(t, "a blue square moves up", "a red circle moves left", "a red circle moves right", "nothing")
	got := captiond(t, "classify", shapes, "--from", "0s", "--to", "4s", "--labels", labels, "-o", "jsonl", "--top", "9")
	got.want(t, exitDone, "")
	all := classes(t, got.out)
	if len(all) != 1 || len(all[0].Classes) != 4 || all[0].Classes[0].Label != "a red circle moves right" {
		t.Fatalf("classes are %+v", all)
	}
	c := all[0]
	if c.Schema != "captiond.classes.v1" || c.Start.String() != "0" || c.End.String() != "4" || len(c.Frames) != 6 ||
		c.Labels != 4 || c.Title != "shapes.mp4" || !strings.HasPrefix(c.Source, "file-") || !strings.HasPrefix(c.Model, "demo@") {
		t.Errorf("the result is %+v", c)
	}
	sum := 0.0
	for i, class := range c.Classes {
		sum += float64(class.Probability)
		if i > 0 && class.LogProb > c.Classes[i-1].LogProb {
			t.Errorf("%+v are not in order", c.Classes)
		}
	}
	if math.Abs(sum-1) > 1e-3 {
		t.Errorf("probabilities sum to %v", sum)
	}
}

func TestClassifyManyInputs(t *testing.T) {
	t.Parallel()
	labels := writeLabels(t, "a blue square and a red circle", "a red circle")
	got := captiond(t, "classify", still, "none.png", shapes, "--labels", labels, "--top", "1")
	got.want(t, exitFailed, "1 of 3 inputs failed: none.png")
	if want := "==> picture.png <==\n1.0000  a blue square and a red circle\n==> shapes.mp4 <==\n"; !strings.HasPrefix(got.out, want) || strings.Count(got.out, "\n") != 4 {
		t.Errorf("it prints\n%s", got.out)
	}
}

func TestClassifyLabelsFromStandardInput(t *testing.T) {
	t.Parallel()
	stdin, err := os.Open(writeLabels(t, "\ufeff# colors\r", "red\r", "\r", "  blue ", "", "#green", "one"))
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	got := captiondWith(t, t.Context(), stdin, "classify", still, "--prompt", "what color is the circle?", "--labels", "-", "-o", "jsonl")
	got.want(t, exitDone, "")
	all := classes(t, got.out)
	if len(all) != 1 || all[0].Labels != 3 || all[0].Classes[0].Label != "red" || all[0].Prompt != "what color is the circle?" || all[0].Clock != sinks.ClockNone {
		t.Errorf("classes are %+v", all)
	}
}

func TestClassifyRefusesLabels(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ labels, want string }{
		"none":            {"", "there are no labels"},
		"only comments":   {"# red\n\n #blue\n", "there are no labels"},
		"twice":           {"red\n# and\nblue\nred\n", `:4: "red" is on line 1 already`},
		"the same tokens": {"red car\n\nRED  car\n", `:3: "RED  car" is the same to the model as "red car" on line 1`},
		"not UTF-8":       {"red\nbl\xfce\n", ":2: is not UTF-8"},
		"nothing to say":  {"red\n\u200b\n", ":2: is empty"},
		"too long":        {"red\n" + strings.Repeat("red ", 2000) + "\n", ":2: has 2000 tokens, the model takes"},
		"the end":         {"red\nred [SEP] car\n", ":2: has a token that ends a text"},
		"too many":        {numbers(100_001), ":100001: is one label too many"},
		"too large":       {strings.Repeat("red red red red\n", 1<<18) + "red", "more than 4 MiB"},
		"many mistakes":   {strings.Repeat("red\n", 30), "and 19 more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			captiond(t, "classify", still, "--labels", writeLabels(t, tt.labels)).want(t, exitFailed, tt.want)
		})
	}
	captiond(t, "classify", still, "--labels", filepath.Join(t.TempDir(), "none.txt")).want(t, exitFailed, "no such file")
}

// numbers are so many labels.
func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, i)
	}
	return b.String()
}

func TestClassifyUsage(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"name the file with the labels": {"classify", still},
		"at least 1 arg":                {"classify", "--labels", "l.txt"},
		"one thing only":                {"classify", "-", "--labels", "-"},
		"--top 0":                       {"classify", still, "--labels", "l.txt", "--top", "0"},
		"use one of text, jsonl":        {"classify", still, "--labels", "l.txt", "-o", "vtt"},
		"read view":                     {"classify", still, "--labels", "l.txt", "--view", "round"},
		"--to must come after --from":   {"classify", still, "--labels", "l.txt", "--from", "5s", "--to", "2s"},
	} {
		captiond(t, args...).want(t, exitUsage, want)
	}
	captiond(t, "classify", still, "--labels", writeLabels(t, "red"), "--from", "1s").want(t, exitFailed, "a picture has no time")
	captiond(t, "classify", shapes, "--labels", writeLabels(t, "red"), "--from", "20s").want(t, exitFailed, "outside the clip")
	long := writeLabels(t, strings.TrimSpace(strings.Repeat("red ", 60)))
	captiond(t, "classify", still, "--labels", long, "--prompt", "what color is the circle?").want(t, exitFailed, "after the prompt there is room for")
}

func TestClassesThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	status := captiondTo(t, t.Context(), nil, failing{syscall.ENOSPC}, &errs, "classify", still, still, "--labels", writeLabels(t, "red"))
	if status != exitFailed || strings.Count(errs.String(), "write result:") != 1 {
		t.Errorf("status %d, standard error\n%s", status, errs.String())
	}
}
