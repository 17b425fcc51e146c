package api_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

// judge is a parrot that classifies: it prefers labels in the order of the list.
type judge struct {
	*parrot
	names   []string
	prompts []string
	lists   int
}

func (j *judge) Labels(names []string) (*model.Labels, error) {
	if slices.Contains(names, "") {
		return nil, model.LabelErrors{{Index: slices.Index(names, ""), Reason: "is empty", Twin: -1}}
	}
	j.lists++
	j.names = names
	return new(model.Labels), nil
}

func (j *judge) Classify(_ context.Context, _ *model.Prefix, prompt string, _ *model.Labels) (scores []model.Score, err error) {
	if slices.Contains(j.names, "long") {
		return nil, fmt.Errorf("classify: %w", model.ErrNoRoom)
	}
	j.prompts = append(j.prompts, prompt)
	for i, n := range j.names {
		scores = append(scores, model.Score{Label: n, Index: i, Probability: 1 / float64(i+2), LogProb: float64(-i)})
	}
	return scores, nil
}

func TestClassify(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	j := &judge{parrot: &s.parrot}
	v := pipeline.Voice{Captioner: j, Name: "parrot@000000000000", Samples: 6}
	s.options.Voice = func(_ string, kind sinks.Kind) (pipeline.Voice, error) {
		if kind != sinks.KindCaption {
			return pipeline.Voice{}, errors.New("labels are texts of the caption model")
		}
		return v, nil
	}
	s.Asker = api.NewAsker(s.options)
	labels := []string{"red", "green", "blue", "white", "black", "grey"}
	for _, q := range []api.Classify{{Labels: labels}, {Labels: labels, Prompt: "what color?", Top: 2}, {Labels: labels[:3]}} {
		got, err := s.Classify(t.Context(), anna, clip, q)
		if err != nil {
			t.Fatal(err)
		}
		want := min(5, len(q.Labels))
		if q.Top > 0 {
			want = q.Top
		}
		if got.Prompt != q.Prompt || got.Labels != len(q.Labels) || len(got.Classes) != want || got.Classes[0].Label != "red" || got.Source != "job-4711" || got.End.String() != "12" {
			t.Errorf("%+v", got)
		}
	}
	if j.lists != 2 || s.parrot.encoded.Load() != 6 || !slices.Equal(j.prompts, []string{"", "what color?", ""}) {
		t.Errorf("%d lists made ready, %d frames encoded, prompts %q", j.lists, s.parrot.encoded.Load(), j.prompts)
	}
	for words, q := range map[string]api.Classify{
		"label 2 is empty":       {Labels: []string{"red", ""}},
		"top is -1":              {Labels: labels, Top: -1},
		"prompt is empty":        {Labels: labels, Prompt: " "},
		"100001 labels":          {Labels: slices.Repeat([]string{"red"}, 100_001)},
		"last is for cameras":    {Labels: labels, Stretch: api.Stretch{Last: 1000}},
		"is outside the clip":    {Labels: labels, Stretch: api.Stretch{From: seconds(50)}},
		"room for fewer":         {Labels: []string{"long"}},
		"a number of seconds fr": {Labels: labels, Stretch: api.Stretch{From: seconds(-50)}},
	} {
		got, err := s.Classify(t.Context(), anna, clip, q)
		if refused(t, err, 422, words); got != nil {
			t.Errorf("%s: %+v beside", words, got)
		}
	}
}
