package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/sinks"
)

// Limits of a list of labels.
const (
	MaxLabels     = 100_000
	MaxLabelBytes = 4 << 20 // all labels together
)

// DefaultTop is how many classes whoever says nothing about it gets.
const DefaultTop = 5

// ClassesSchema is the schema of Classes.
const ClassesSchema = "captiond.classes.v1"

// Classifier is a model that computes the probabilities of labels: *model.Model implements
// it. Both methods are safe for concurrent use.
type Classifier interface {
	Labels(names []string) (*model.Labels, error)
	Classify(ctx context.Context, p *model.Prefix, prompt string, l *model.Labels) ([]model.Score, error)
}

// A Choice is a list of labels, ready to be asked about any number of scenes by any number
// of goroutines.
type Choice struct {
	Prompt string // a question that the labels answer; empty for labels that are captions
	Top    int    // how many of the likeliest labels are wanted; more than there are is all

	by     Classifier
	labels *model.Labels
	n      int
}

// Choice prepares a list of labels for the voice's model. What is wrong with single labels
// is in the error as model.LabelErrors.
func (v Voice) Choice(labels []string) (*Choice, error) {
	by, ok := v.Captioner.(Classifier)
	if !ok {
		return nil, fmt.Errorf("prepare labels: %s cannot classify", v.Name)
	}
	size := 0
	for _, l := range labels {
		size += len(l)
	}
	if len(labels) > MaxLabels || size > MaxLabelBytes {
		return nil, fmt.Errorf("prepare labels: %d labels of %d bytes are too many: at most %d of %d bytes together", len(labels), size, MaxLabels, MaxLabelBytes)
	}
	l, err := by.Labels(labels)
	if err != nil {
		return nil, err
	}
	return &Choice{Top: DefaultTop, by: by, labels: l, n: len(labels)}, nil
}

// Classes says how likely labels are for a window or a picture. It is no event: nobody is
// told but who asked.
type Classes struct {
	Schema  string  `json:"schema"` // ClassesSchema
	Source  string  `json:"source"`
	Title   string  `json:"title,omitempty"`  // a file's name
	Prompt  string  `json:"prompt,omitempty"` // the question that the labels answer
	Classes []Class `json:"classes"`          // the likeliest first
	Labels  int     `json:"labels"`           // in the whole list
	sinks.Span
	Model     string `json:"model"` // name@digest
	LatencyMS int64  `json:"latency_ms"`
}

// Class is a label and how likely it is.
type Class struct {
	Label       string            `json:"label"`
	Probability sinks.Probability `json:"probability"` // given that one of the list is said: the whole list's sum to 1
	LogProb     float64           `json:"log_prob"`    // natural logarithm of the probability that exactly this is said, to six decimals
}

// Classify computes which labels a scene shows. The Choice is of the same model as the
// scene. Since is when it was asked for: the latency counts from there.
func (j Job) Classify(ctx context.Context, s *Scene, since time.Time, c *Choice) (*Classes, error) {
	if c.Top < 1 {
		return nil, errors.New("classify: no label is asked for: ask for the likeliest 1 or more")
	}
	scores, err := c.by.Classify(ctx, s.prefix, c.Prompt, c.labels)
	if err != nil {
		return nil, err
	}
	r := &Classes{
		Schema: ClassesSchema, Source: j.Source, Title: j.Title, Prompt: c.Prompt,
		Labels: c.n, Span: s.Span, Model: j.Name, LatencyMS: time.Since(since).Milliseconds(),
	}
	for _, s := range scores[:min(c.Top, len(scores))] {
		r.Classes = append(r.Classes, Class{s.Label, sinks.Probability(s.Probability), math.Round(s.LogProb*1e6) / 1e6})
	}
	return r, nil
}
