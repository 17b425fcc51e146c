//go:build cgo

package model_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/pixels"
)

// video is a checkpoint that takes six frames.
func video(t *testing.T) *model.Model {
	t.Helper()
	return openModel(t, filepath.Join("testdata", "video-six"), model.Options{})
}

// clip are the features of some pictures that differ.
func clip(t *testing.T, m *model.Model, n int) []*model.Features {
	t.Helper()
	var imgs []*image.RGBA
	for _, name := range []string{"frame-0", "street", "room", "banner", "tower", "frame-5", "frame-6"}[:n] {
		imgs = append(imgs, readPicture(t, name))
	}
	fs, err := m.EncodeAll(t.Context(), imgs, pixels.View{})
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func begin(t *testing.T, m *model.Model, n int) *model.Prefix {
	t.Helper()
	p, err := m.Begin(t.Context(), clip(t, m, n))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestEncodeIsTheSameAloneAndTogether(t *testing.T) {
	t.Parallel()
	m := openModel(t, filepath.Join("testdata", "image-vqa"), model.Options{Microsoft: true, VQA: true})
	var imgs []*image.RGBA
	for _, name := range []string{"room", "banner", "banner", "street", "street", "street", "large"} { // of several sizes
		imgs = append(imgs, readPicture(t, name))
	}
	together, err := m.EncodeAll(t.Context(), imgs, pixels.View{})
	if err != nil {
		t.Fatal(err)
	}
	nearAlone(t, m, imgs, together)
}

// nearAlone holds features of pictures that were encoded together against those of each alone.
func nearAlone(t *testing.T, m *model.Model, imgs []*image.RGBA, together []*model.Features) {
	t.Helper()
	for i, img := range imgs {
		alone, err := m.Encode(t.Context(), img, pixels.View{})
		if err != nil {
			t.Fatal(err)
		}
		near(t, fmt.Sprint("picture ", i), together[i].Vectors(), alone.Vectors(), 1e-5)
	}
}

// Pictures that share a run are what each is alone, also where memory is lent again.
func TestEncodeTogether(t *testing.T) {
	t.Parallel()
	m := video(t)
	var imgs []*image.RGBA
	for _, name := range []string{"street", "room", "banner", "tower"} {
		imgs = append(imgs, readPicture(t, name))
	}
	for range 2 {
		together, err := m.EncodeTogether(t.Context(), imgs, pixels.View{})
		if err != nil {
			t.Fatal(err)
		}
		nearAlone(t, m, imgs, together)
		slices.Reverse(imgs)
	}
}

// TestTextsAreTheSameAloneAndTogether has prompts of unequal lengths, all searches, and
// texts of unequal lengths in one batch.
func TestTextsAreTheSameAloneAndTogether(t *testing.T) {
	t.Parallel()
	m := video(t)
	p := begin(t, m, 6)
	labels, err := m.Labels([]string{"red ball", "red car", "a", "football"})
	if err != nil {
		t.Fatal(err)
	}
	requests := []model.Request{
		{},
		{Prompt: "what color is the ball?"},
		{Prompt: "is it a cat"},
		{Prompt: "what", Beams: 3},
		{Prompt: "what is the man doing with the red ball", Beams: 2, Style: model.HuggingFace},
		{Labels: labels, Prompt: "what?"},
		{MaxTokens: 1},
		{MaxTokens: 5},
		{Beams: 4, MaxTokens: 9},
	}
	together, err := m.GenerateAll(t.Context(), p, requests)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range requests {
		alone, err := m.Generate(t.Context(), p, r)
		if err != nil {
			t.Fatal(err)
		}
		got := together[i]
		if got.Text != alone.Text || !slices.Equal(got.Tokens, alone.Tokens) || got.Truncated != alone.Truncated {
			t.Errorf("%v: %+v together, %+v alone", r, got, alone)
		}
		near(t, r.String(), []float64{got.Confidence, got.MinConfidence}, []float64{alone.Confidence, alone.MinConfidence}, 1e-4)
	}
}

func TestLength(t *testing.T) {
	t.Parallel()
	m := video(t)
	p := begin(t, m, 6)
	for _, c := range []struct {
		request model.Request
		most    int
	}{
		{model.Request{MaxTokens: 1}, 0},
		{model.Request{MaxTokens: 3, Prompt: "is it a cat"}, 0},
		{model.Request{MaxTokens: 2}, 1},
		{model.Request{MaxTokens: 4, Beams: 3, Style: model.HuggingFace}, 3},
		{model.Request{MaxTokens: 4, Beams: 3}, 2}, // Microsoft's leaves the last one out
		{model.Request{MaxTokens: 1000}, 39},       // the checkpoint's text positions less one
	} {
		text, err := m.Generate(t.Context(), p, c.request)
		if err != nil {
			t.Fatal(err)
		}
		if len(text.Tokens) > c.most {
			t.Errorf("%+v: %d tokens, want %d at most", c.request, len(text.Tokens), c.most)
		}
		if c.most == 0 && (text.Text != "" || !text.Truncated || text.Confidence != 0) {
			t.Errorf("%+v: %+v, want an empty, truncated text", c.request, text)
		}
		if math.IsNaN(text.Confidence + text.MinConfidence + text.LogProb) {
			t.Errorf("%+v: %+v", c.request, text)
		}
	}
}

func TestFewerFramesAndPictures(t *testing.T) {
	t.Parallel()
	m := video(t)
	if m.Frames() != 6 || !m.Video() {
		t.Errorf("%d frames, video %v", m.Frames(), m.Video())
	}
	f := clip(t, m, 1)[0]
	window, err := m.Begin(t.Context(), []*model.Features{f})
	if err != nil {
		t.Fatal(err)
	}
	defer window.Close()
	picture, err := m.BeginPicture(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	defer picture.Close()
	one, err := m.Generate(t.Context(), window, model.Request{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := m.Generate(t.Context(), picture, model.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if one.LogProb == other.LogProb {
		t.Error("a picture got the temporal term of a window, or a window none")
	}
	still := openModel(t, filepath.Join("testdata", "image-clip"), model.Options{Name: "still"})
	if still.Frames() != 1 || still.Video() || still.Name() != "still" || still.Digest() == "" {
		t.Errorf("%d frames, video %v, %s@%s", still.Frames(), still.Video(), still.Name(), still.Digest())
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	m := video(t)
	p := begin(t, m, 6)
	want, err := m.Generate(t.Context(), p, model.Request{Beams: 3})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			got, err := m.Generate(t.Context(), p, model.Request{Beams: 3})
			if err != nil || got.Text != want.Text || got.LogProb != want.LogProb {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
			own, err := m.Begin(t.Context(), clip(t, m, 3))
			if err != nil {
				t.Error(err)
				return
			}
			own.Close()
		})
	}
	wg.Wait()
}

func TestCloseWaitsForTexts(t *testing.T) {
	t.Parallel()
	m := video(t)
	p, err := m.Begin(t.Context(), clip(t, m, 6))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := m.Generate(t.Context(), p, model.Request{}); err != nil && !strings.Contains(err.Error(), "the window is closed") {
				t.Error(err)
			}
		})
	}
	p.Close()
	p.Close()
	wg.Wait()
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	m := video(t)
	fs := clip(t, m, 2)
	p := begin(t, m, 2)
	labels, err := m.Labels([]string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, encode := m.Encode(ctx, readPicture(t, "room"), pixels.View{})
	_, window := m.Begin(ctx, fs)
	_, generate := m.Generate(ctx, p, model.Request{})
	_, classify := m.Classify(ctx, p, "", labels)
	for name, err := range map[string]error{"Encode": encode, "Begin": window, "Generate": generate, "Classify": classify} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want the context's error", name, err)
		}
	}
}

func TestBadUse(t *testing.T) {
	t.Parallel()
	m, other := video(t), video(t)
	closed := begin(t, m, 1)
	closed.Close()
	p := begin(t, m, 1)
	foreign, err := other.Labels([]string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	vqa := openModel(t, filepath.Join("testdata", "image-vqa"), model.Options{Microsoft: true, VQA: true})
	still := openModel(t, filepath.Join("testdata", "image-clip"), model.Options{})
	failure := func(_ any, err error) error { return err }
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"too many frames":  {failure(m.Begin(ctx, clip(t, m, 7))), "7 frames are given, video-six takes 6 at most"},
		"image, 2 frames":  {failure(still.Begin(ctx, clip(t, still, 2))), "2 frames are given, image-clip takes 1 at most"},
		"no frames":        {failure(m.Begin(ctx, nil)), "no frames are given"},
		"nil frame":        {failure(m.BeginPicture(ctx, nil)), "frame 0 was not encoded by this model"},
		"foreign frame":    {failure(m.Begin(ctx, clip(t, other, 1))), "frame 0 was not encoded by this model"},
		"closed window":    {failure(m.Generate(ctx, closed, model.Request{})), "the window is closed"},
		"foreign window":   {failure(other.Generate(ctx, p, model.Request{})), "not begun by this model"},
		"no window":        {failure(m.Generate(ctx, nil, model.Request{})), "not begun by this model"},
		"negative beams":   {failure(m.Generate(ctx, p, model.Request{Beams: -1})), "-1 beams"},
		"too many beams":   {failure(m.Generate(ctx, p, model.Request{Beams: 1000})), "1000 beams"},
		"negative length":  {failure(m.Generate(ctx, p, model.Request{MaxTokens: -1})), "-1 tokens"},
		"no labels":        {failure(m.Labels(nil)), "there are none"},
		"empty label":      {failure(m.Labels([]string{"a", " "})), "label 2 is empty"},
		"equal labels":     {failure(m.Labels([]string{"Red Ball", "a", "red ball"})), `label 3 ("red ball") is the same to the model as label 1 ("Red Ball")`},
		"foreign labels":   {failure(m.Classify(ctx, p, "", foreign)), "not made by this model"},
		"foreign trie":     {failure(m.Generate(ctx, p, model.Request{Labels: foreign})), "not made by this model"},
		"nil labels":       {failure(m.Classify(ctx, p, "", nil)), "not made by this model"},
		"nil picture":      {failure(m.Encode(ctx, nil, pixels.View{})), "it is empty or too narrow"},
		"empty picture":    {failure(m.Encode(ctx, new(image.RGBA), pixels.View{})), "it is empty or too narrow"},
		"narrow picture":   {failure(vqa.Encode(ctx, image.NewRGBA(image.Rect(0, 0, 7, 200)), pixels.View{})), "less than a patch"},
		"classify, closed": {failure(m.Classify(ctx, closed, "", foreign)), "the window is closed"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, c.err, c.want)
		}
	}
}

func TestClosedModel(t *testing.T) {
	t.Parallel()
	m := video(t)
	if err := errors.Join(m.Close(), m.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Encode(t.Context(), readPicture(t, "room"), pixels.View{}); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("encode with a closed model: %v", err)
	}
}

func TestRequestStatesItsSettings(t *testing.T) {
	t.Parallel()
	labels, err := video(t).Labels([]string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	for want, r := range map[string]model.Request{
		"beams=1": {Prompt: "not a setting", Style: model.HuggingFace},
		"beams=4 style=microsoft length_penalty=0.6":     {Beams: 4},
		"beams=2 style=hf length_penalty=1 max_tokens=9": {Beams: 2, Style: model.HuggingFace, MaxTokens: 9},
		"beams=1 labels=ca978112ca1bbdca":                {Labels: labels},
	} {
		if got := r.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
