// Package agree measures how far a model in one precision says what it says in another:
// what a user needs to know before trading exactness for speed.
package agree

import (
	"context"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/captiond/captiond/model"
)

// Pair is one checkpoint in two precisions. It is safe for concurrent use, as the models are.
type Pair struct{ Reference, Other *model.Model }

// Window is what the two say of one window, or of a picture.
type Window struct {
	Reference string `json:"reference"` // the texts
	Other     string `json:"other"`
	Equal     bool   `json:"equal"` // token by token
	// Features and Logits are how far the other's are off: the length of the difference over
	// that of the reference, 0 where they are the same. Logits are those after the prompt
	// and after each token of the reference's text, whatever the other would have said.
	Features float64 `json:"features_error"`
	Logits   float64 `json:"logits_error"`
	// Worst is the greatest difference of one logit.
	Worst float64 `json:"logit_worst"`
}

// Compare captions a window, greedily, from its frames in the order of time; still says
// that it is a picture, to which no temporal embedding is added.
func (p Pair) Compare(ctx context.Context, frames []*image.RGBA, still bool) (Window, error) {
	a, err := see(ctx, p.Reference, frames, still)
	if err != nil {
		return Window{}, err
	}
	defer a.prefix.Close()
	b, err := see(ctx, p.Other, frames, still)
	if err != nil {
		return Window{}, err
	}
	defer b.prefix.Close()
	w := Window{Reference: a.text.Text, Other: b.text.Text, Equal: slices.Equal(a.text.Tokens, b.text.Tokens)}
	var features, logits difference
	for i, f := range a.features {
		features.add(f.Vectors(), b.features[i].Vectors())
	}
	want, err := p.Reference.Follow(ctx, a.prefix, "", a.text.Tokens)
	if err != nil {
		return Window{}, err
	}
	got, err := p.Other.Follow(ctx, b.prefix, "", a.text.Tokens)
	if err != nil {
		return Window{}, err
	}
	for i := range want {
		logits.add(want[i], got[i])
	}
	w.Features, w.Logits, w.Worst = features.relative(), logits.relative(), logits.worst
	return w, nil
}

// sight is what one model makes of a window.
type sight struct {
	features []*model.Features
	prefix   *model.Prefix
	text     model.Text
}

func see(ctx context.Context, m *model.Model, frames []*image.RGBA, still bool) (s sight, err error) {
	if s.features, err = m.EncodeAll(ctx, frames, model.View{}); err != nil {
		return s, err
	}
	if still {
		s.prefix, err = m.BeginPicture(ctx, s.features[0])
	} else {
		s.prefix, err = m.Begin(ctx, s.features)
	}
	if err != nil {
		return s, err
	}
	if s.text, err = m.Generate(ctx, s.prefix, model.Request{}); err != nil {
		s.prefix.Close()
	}
	return s, err
}

// difference sums up how far numbers are off.
type difference struct{ squares, length, worst float64 }

func (d *difference) add(want, got []float32) {
	for i, w := range want {
		off := float64(got[i]) - float64(w)
		d.squares += off * off
		d.length += float64(w) * float64(w)
		d.worst = max(d.worst, math.Abs(off))
	}
}

func (d *difference) relative() float64 {
	if d.squares == 0 {
		return 0
	}
	return math.Sqrt(d.squares / d.length)
}

// Report sums windows up. Errors are medians, and the greatest.
type Report struct {
	Windows       int     `json:"windows"`
	Equal         int     `json:"equal"`
	Agreement     float64 `json:"agreement"` // equal captions in parts of all
	Features      float64 `json:"features_error"`
	FeaturesWorst float64 `json:"features_error_worst"`
	Logits        float64 `json:"logits_error"`
	LogitsWorst   float64 `json:"logits_error_worst"`
	Worst         float64 `json:"logit_worst"`
}

// Sum is the report of at least one window.
func Sum(windows []Window) Report {
	r := Report{Windows: len(windows)}
	var features, logits []float64
	for _, w := range windows {
		if w.Equal {
			r.Equal++
		}
		features, logits = append(features, w.Features), append(logits, w.Logits)
		r.Worst = max(r.Worst, w.Worst)
	}
	r.Agreement = float64(r.Equal) / float64(r.Windows)
	r.Features, r.FeaturesWorst = middle(features)
	r.Logits, r.LogitsWorst = middle(logits)
	return r
}

// middle is the median and the greatest.
func middle(all []float64) (median, most float64) {
	slices.Sort(all)
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2, all[n-1]
}

// String is the report in one line.
func (r Report) String() string {
	return fmt.Sprintf("%d of %d captions are equal (%.1f %%); features are off by %.2f %% (at most %.2f %%), logits by %.2f %% (at most %.2f %%, one logit by %.3f)",
		r.Equal, r.Windows, 100*r.Agreement, 100*r.Features, 100*r.FeaturesWorst, 100*r.Logits, 100*r.LogitsWorst, r.Worst)
}
