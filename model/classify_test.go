//go:build cgo

package model_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/captiond/captiond/demo"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/checkpoint"
)

// alone is the logarithm of a label's probability, from the logits after each of its
// tokens fed one at a time, and from nothing that Classify uses.
func alone(t *testing.T, m *model.Model, p *model.Prefix, prompt, label string) float64 {
	t.Helper()
	tokens := m.LabelIDs(label)
	logits, err := m.StepLogits(t.Context(), p, m.PromptIDs(prompt), tokens[:len(tokens)-1])
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i, row := range logits {
		total := 0.0
		for _, l := range row {
			total += math.Exp(float64(l) - float64(row[tokens[i]]))
		}
		sum -= math.Log(total)
	}
	return sum
}

// words makes n labels of 1 to longest words that differ; many begin alike.
func words(n, longest int, of ...string) []string {
	random := rand.New(rand.NewPCG(3, 4))
	var labels []string
	met := map[string]bool{}
	for len(labels) < n {
		var label []string
		for range 1 + random.IntN(longest) {
			label = append(label, of[random.IntN(len(of))])
		}
		if s := strings.Join(label, " "); !met[s] {
			met[s], labels = true, append(labels, s)
		}
	}
	return labels
}

// TestClassifyIsExact compares every label's probability with that of the label alone.
func TestClassifyIsExact(t *testing.T) {
	t.Parallel()
	lists := map[string][]string{
		"prefixes":   {"red car", "red", "red car red", "car red", "car", "red red"},
		"one":        {"red car"},
		"one alike":  {strings.Repeat("red ", 12) + "car", strings.Repeat("red ", 12) + "ball"},
		"unknown":    {"red", "red \u4e2d", "\u4e2d", "\u4e2d red car"},
		"characters": {"e", "ee", "eee", "e.e", "e-e?", "!", "Red Car!"},
		"many":       words(1000, 6, "red", "car", "ball", "a", "dog", "cat", "blue", "football", "two"),
		"one path":   {strings.TrimSpace(strings.Repeat("red ", 20)), strings.TrimSpace(strings.Repeat("red ", 19))},
	}
	for _, folder := range []string{"video-six", "image-clip"} {
		m := openModel(t, filepath.Join("testdata", folder), model.Options{})
		p := begin(t, m, min(m.Frames(), 6))
		for name, labels := range lists {
			for _, prompt := range []string{"", "what color is the ball?"} {
				t.Run(fmt.Sprint(folder, " ", name, " ", prompt), func(t *testing.T) {
					t.Parallel()
					checkClassify(t, m, p, prompt, labels)
				})
			}
		}
	}
}

// TestDemoClassifyIsExact does so with a model that has learned something: most of its
// probabilities are next to 0 or 1.
func TestDemoClassifyIsExact(t *testing.T) {
	t.Parallel()
	c, err := checkpoint.LoadFS(demo.Model())
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Open(runtime, c, model.Options{Name: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	f, err := m.Encode(t.Context(), demo.Picture(), model.View{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.BeginPicture(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	checkClassify(t, m, p, "", words(300, 5, "a", "red", "green", "circle", "square", "and", "moves", "left"))
	checkClassify(t, m, p, "how many shapes are there?", []string{"one", "two", "three", "one two", "0"})
}

func checkClassify(t *testing.T, m *model.Model, p *model.Prefix, prompt string, labels []string) {
	t.Helper()
	l, err := m.Labels(labels)
	if err != nil {
		t.Fatal(err)
	}
	scores, err := m.Classify(t.Context(), p, prompt, l)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float64, len(labels))
	said, sum := 0.0, 0.0
	for i, s := range scores {
		if s.Label != labels[s.Index] || i > 0 && s.LogProb > scores[i-1].LogProb {
			t.Errorf("place %d: %+v", i, s)
		}
		want[s.Index] = alone(t, m, p, prompt, s.Label)
		tokens := len(m.LabelIDs(s.Label))
		near(t, s.Label, []float64{s.LogProb}, want[s.Index:][:1], 1e-5*float64(tokens)) // float32 logits of other runs
		said += math.Exp(want[s.Index])
		sum += s.Probability
	}
	if math.Abs(sum-1) > 1e-12 {
		t.Errorf("probabilities sum to %v", sum)
	}
	for _, s := range scores {
		if share := math.Exp(want[s.Index]) / said; math.Abs(s.Probability-share) > 1e-5 {
			t.Errorf("%q has probability %v, want %v", s.Label, s.Probability, share)
		}
	}
}

func TestLabelErrors(t *testing.T) {
	t.Parallel()
	m := video(t)
	long := strings.Repeat("a ", 200)
	_, err := m.Labels([]string{"red", "", "Red", long, "a [SEP] b", "blue", " ", "RED"})
	var wrong model.LabelErrors
	if !errors.As(err, &wrong) {
		t.Fatalf("the error is %v", err)
	}
	var got []int
	for _, w := range wrong {
		got = append(got, w.Index)
	}
	if want := []int{1, 2, 3, 4, 6, 7}; !slices.Equal(got, want) {
		t.Errorf("labels %v are wrong, want %v: %v", got, want, err)
	}
	_, err = m.Labels(slices.Repeat([]string{"red"}, 50))
	if err == nil || !strings.HasSuffix(err.Error(), "and 39 more") || strings.Count(err.Error(), ";") != 10 {
		t.Errorf("50 equal labels: %v", err)
	}
}
