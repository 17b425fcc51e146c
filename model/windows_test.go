package model_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/graph"
)

// Windows that go through the same runs give the texts that each of them gives alone, with
// any number of requests for each, and none for some.
func TestWindowsAreTheSameAloneAndTogether(t *testing.T) {
	t.Parallel()
	for _, precision := range []graph.Precision{graph.Float32, graph.Int8, graph.Float16} {
		m := openModel(t, filepath.Join("testdata", "video-six"), model.Options{Precision: precision})
		all := clip(t, m, 7)
		windows := [][]*model.Features{all[:3], all[2:5], all[4:7], {all[6], all[0], all[3]}}
		requests := []model.Request{
			{Window: 2, Prompt: "what color is the ball?"},
			{Window: 0},
			{Window: 2, Beams: 3, Prompt: "what"},
			{Window: 3, MaxTokens: 3},
			{Window: 2},
			{Window: 0, Beams: 2, Style: model.HuggingFace},
		}
		together := generateAll(t, m, windows, requests)
		for i, r := range requests {
			alone := r
			alone.Window = 0
			want := generateAll(t, m, windows[r.Window:r.Window+1], []model.Request{alone})[0]
			got := together[i]
			if got.Text != want.Text || !slices.Equal(got.Tokens, want.Tokens) || got.Truncated != want.Truncated {
				t.Errorf("%v, %v of window %d: %+v together, %+v alone", precision, r, r.Window, got, want)
			}
			most := 1e-4
			if precision == graph.Float16 {
				most = 5e-4 // a unit of its last place
			}
			near(t, r.String(), []float64{got.Confidence, got.MinConfidence}, []float64{want.Confidence, want.MinConfidence}, most)
		}
	}
}

func generateAll(t *testing.T, m *model.Model, windows [][]*model.Features, requests []model.Request) []model.Text {
	t.Helper()
	p, err := m.BeginAll(t.Context(), windows)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	texts, err := m.GenerateAll(t.Context(), p, requests)
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

func TestWindowsThatDoNotFit(t *testing.T) {
	t.Parallel()
	m := video(t)
	fs := clip(t, m, 3)
	for name, windows := range map[string][][]*model.Features{
		"no frames are given":                {},
		"window 1 has 1 frames, the first 3": {fs, fs[:1]},
		"7 frames are given":                 {slices.Repeat(fs[:1], 7)},
	} {
		if _, err := m.BeginAll(t.Context(), windows); err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(name, "first 3", "first has 3")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, err := m.BeginAll(t.Context(), [][]*model.Features{fs, fs})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, window := range []int{-1, 2} {
		if _, err := m.GenerateAll(t.Context(), p, []model.Request{{Window: window}}); err == nil {
			t.Errorf("window %d of 2 is taken", window)
		}
	}
	labels, err := m.Labels([]string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Classify(t.Context(), p, "", labels); err == nil {
		t.Error("two windows are classified as one")
	}
}
