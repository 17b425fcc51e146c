package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// asked is a data set that says nothing right.
const asked = `{"file":"clips/shapes.mp4","to":4,"captions":["zebra crossing"],"groups":["moving"]}
{"file":"clips/shapes.mp4","from":4,"to":8,"captions":["zebra crossing"],"groups":["moving"]}
{"file":"picture.png","captions":["zebra crossing"]}
{"file":"clips/shapes.mp4","question":"how many shapes are there?","answers":["zebra crossing"]}
{"file":"picture.png","question":"what is it?","answers":["zebra crossing"],"groups":["still"]}
`

// evalFolder lays out a data set folder with a clip, a picture and the given lines.
func evalFolder(t *testing.T, lines string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "clips"), 0o755); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{shapes: "clips/shapes.mp4", "../../demo/picture.png": "picture.png"} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, to), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "dataset.jsonl"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return root
}

// evalScores is what these tests look at of -o json.
type evalScores struct {
	Asked, Said int
	Models      []string
	Failed      []string
	Captions    struct {
		N     int
		Exact float64
	}
	Answers struct {
		N               int
		Exact, Accuracy float64
	}
	Groups map[string]json.RawMessage
}

// exact is how many texts are a reference.
func (s evalScores) exact() int {
	return int(math.Round(s.Captions.Exact*float64(s.Captions.N) + s.Answers.Exact*float64(s.Answers.N)))
}

func parseScores(t *testing.T, out string) (s evalScores) {
	t.Helper()
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return s
}

// learnt is a data set with what the model said as references, but only in every n-th of
// its lines. An empty text is no reference: it is left out.
func learnt(t *testing.T, predictions string, n int) (lines string, said []string) {
	t.Helper()
	f, err := os.Open(predictions)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out strings.Builder
	for s := bufio.NewScanner(f); s.Scan(); {
		var p struct {
			File, Question, Text string
			From, To             *float64
			Confidence           float64
		}
		if err := json.Unmarshal(s.Bytes(), &p); err != nil || !(p.Confidence > 0 && p.Confidence <= 1) {
			t.Fatalf("%v: %s", err, s.Text())
		}
		if p.Text == "" {
			continue
		}
		line := map[string]any{"file": p.File}
		if p.From != nil {
			line["from"] = *p.From
		}
		if p.To != nil {
			line["to"] = *p.To
		}
		reference := "nothing of the kind"
		if len(said)%n == 0 {
			reference = p.Text
		}
		said = append(said, p.Text)
		if p.Question == "" {
			line["captions"] = []string{reference}
		} else {
			line["question"], line["answers"] = p.Question, []string{reference}
		}
		b, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s\n", b)
	}
	return out.String(), said
}

// What the model says is right where it is the reference, and only there.
func TestEvalScoresWhatIsSaid(t *testing.T) {
	t.Parallel()
	predictions := filepath.Join(t.TempDir(), "said.jsonl")
	got := captiond(t, "eval", evalFolder(t, asked), "--predictions", predictions, "-o", "json")
	got.want(t, exitDone, "")
	s := parseScores(t, got.out)
	if s.Said != 5 || s.Captions.N != 3 || s.Answers.N != 2 || s.exact() != 0 || s.Answers.Accuracy != 0 {
		t.Errorf("at first: %s", got.out)
	}
	if groups := slices.Sorted(maps.Keys(s.Groups)); !slices.Equal(groups, []string{"moving", "still"}) {
		t.Errorf("groups %v", groups)
	}

	for n := 1; n <= 2; n++ {
		lines, said := learnt(t, predictions, n)
		if len(said) < 3 {
			t.Fatalf("the model says next to nothing: %q", said)
		}
		got := captiond(t, "eval", evalFolder(t, lines), "-o", "json")
		got.want(t, exitDone, "")
		s := parseScores(t, got.out)
		if want := (len(said) + n - 1) / n; s.Said != len(said) || s.exact() != want {
			t.Errorf("of %q %d should be right: %s", said, want, got.out)
		}
		if n == 1 && s.Answers.N > 0 && s.Answers.Accuracy != 1 {
			t.Errorf("accuracy of right answers: %s", got.out)
		}
	}
}

func TestEvalTable(t *testing.T) {
	t.Parallel()
	got := captiond(t, "eval", evalFolder(t, asked), "--limit", "4", "--beam", "4")
	got.want(t, exitDone, "")
	want := `^\S+@[0-9a-f]{12}, beams=4 style=microsoft length_penalty=0\.6, 4 of 4 texts\n +captions +n +exact .*\n +all +\d .*\n +moving +2 .*\n\n +answers +n .*\n +all +1 .*\n$`
	if !regexp.MustCompile(want).MatchString(got.out) {
		t.Errorf("standard output is\n%swant %s", got.out, want)
	}
}

// Captions and answers may have a model each.
func TestEvalTwoModels(t *testing.T) {
	t.Parallel()
	got := captiond(t, "eval", evalFolder(t, asked), "--model-answer", "../../model/testdata/image-clip", "-o", "json")
	got.want(t, exitDone, "")
	if s := parseScores(t, got.out); s.Said != 5 || len(s.Models) != 2 || !strings.HasPrefix(s.Models[1], "image-clip@") {
		t.Errorf("got %s", got.out)
	}
}

// A file that cannot be read costs its own texts only.
func TestEvalGoesOn(t *testing.T) {
	t.Parallel()
	root := evalFolder(t, asked+`{"file":"nothing.mp4","captions":["x"]}
{"file":"picture.png","from":2,"captions":["x"]}
{"file":"clips/shapes.mp4","from":99,"captions":["x"]}
`)
	got := captiond(t, "eval", root, "-o", "json")
	got.want(t, exitFailed, "3 of 3 inputs failed")
	for _, want := range []string{"no such file", "a picture has no time", "is outside the clip"} {
		if !strings.Contains(got.errors, want) {
			t.Errorf("standard error lacks %q:\n%s", want, got.errors)
		}
	}
	if s := parseScores(t, got.out); s.Asked != 8 || s.Said != 5 || len(s.Failed) != 3 {
		t.Errorf("got %s", got.out)
	}
}

// vqaFolder is VQAv2's test-dev with two questions about one picture.
func vqaFolder(t *testing.T, questions string) string {
	t.Helper()
	root := t.TempDir()
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 64, 48)), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "test2015"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"test2015/COCO_test2015_000000000007.jpg":         picture.Bytes(),
		"v2_OpenEnded_mscoco_test-dev2015_questions.json": []byte(`{"questions": [` + questions + `]}`),
	} {
		if err := os.WriteFile(filepath.Join(root, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const twoQuestions = `{"image_id": 7, "question": "What is it?", "question_id": 7000}, {"image_id": 7, "question": "Where?", "question_id": 7001}`

func TestEvalWritesTheServersFile(t *testing.T) {
	t.Parallel()
	results := filepath.Join(t.TempDir(), "results.json")
	got := captiond(t, "eval", vqaFolder(t, twoQuestions), "--split", "test-dev", "--results", results)
	got.want(t, exitDone, "")
	b, err := os.ReadFile(results)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^\[{"question_id":7000,"answer":"[^"]*"},{"question_id":7001,"answer":"[^"]*"}\]\n$`).Match(b) {
		t.Errorf("results are %s", b)
	}
}

// The server takes all or nothing.
func TestEvalWritesNoPartOfTheServersFile(t *testing.T) {
	t.Parallel()
	results := filepath.Join(t.TempDir(), "results.json")
	root := vqaFolder(t, twoQuestions+`, {"image_id": 8, "question": "Why?", "question_id": 8000}`)
	got := captiond(t, "eval", root, "--results", results)
	got.want(t, exitFailed, "1 of 3 questions have no answer")
	if _, err := os.Stat(results); err == nil {
		t.Error("the results were written")
	}
}

func TestEvalWrongUsage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"eval"}, exitUsage, "accepts 1 arg"},
		{[]string{"eval", ".", "-o", "xml"}, exitUsage, "use text or json"},
		{[]string{"eval", ".", "--as", "pile"}, exitUsage, "use one of folder, coco"},
		{[]string{"eval", ".", "--limit", "-1"}, exitUsage, "use 0 for all"},
		{[]string{"eval", ".", "--limit", "1", "--results", "x"}, exitUsage, "needs all questions"},
		{[]string{"eval", evalFolder(t, asked), "--results", "x"}, exitUsage, "--results is for vqav2"},
		{[]string{"eval", evalFolder(t, asked), "--beam", "0"}, exitUsage, "use 1 to 64"},
		{[]string{"eval", t.TempDir()}, exitFailed, "has no dataset.jsonl"},
		{[]string{"eval", evalFolder(t, "{}\n[]\n")}, exitFailed, "line 2: no JSON object"},
	} {
		captiond(t, tt.args...).want(t, tt.status, tt.want)
	}
}

// stopAt cancels a context when a text is written.
type stopAt struct {
	io.Writer
	text string
	stop context.CancelFunc
}

func (s stopAt) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(s.text)) {
		s.stop()
	}
	return s.Writer.Write(b)
}

// What was said before an interruption is scored.
func TestInterruptedEvalScoresWhatWasSaid(t *testing.T) {
	t.Parallel()
	root := evalFolder(t, `{"file":"clips/shapes.mp4","captions":["x"]}
{"file":"nothing.mp4","captions":["x"]}
{"file":"picture.png","captions":["x"]}
`)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, errs bytes.Buffer
	status := captiondTo(t, ctx, nil, &out, stopAt{&errs, "no such file", stop}, "eval", root, "-o", "json")
	if s := parseScores(t, out.String()); status != exitInterrupted || s.Asked != 3 || s.Said != 1 || s.Captions.N != 1 {
		t.Errorf("status %d, %s\n%s", status, out.String(), errs.String())
	}
}
