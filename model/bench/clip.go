package bench

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/captiond/captiond/model"
)

// question is put to the model as the second one. Its words are unknown to a synthetic
// vocabulary, but cost what words cost.
const question = "what is the man doing with the guitar?"

// clip is the work that is timed.
type clip struct {
	model    *model.Model
	pictures []*image.RGBA
	first    model.Request
	second   model.Request
	want     int   // tokens of each text
	tokens   int64 // image tokens of one frame
	few      *model.Labels
	many     *model.Labels // nil until they are to be timed
}

func newClip(m *model.Model, p Plan) *clip {
	c := &clip{model: m, want: p.Tokens, tokens: ImageTokens(m), pictures: Noise(m, p.Frames)}
	c.first, c.second = c.request(p.Prompt), c.request(question)
	return c
}

// ImageTokens is how many a model makes of one picture of its own size.
func ImageTokens(m *model.Model) int64 {
	grid := int64(m.Side()) / m.Sizes().Patch
	return grid*grid + 1
}

// Noise makes pictures at the size that the encoder sees, so that reading and scaling them
// is a small part of its time.
func Noise(m *model.Model, n int) (pictures []*image.RGBA) {
	random := rand.New(rand.NewPCG(1, 2))
	for range n {
		img := image.NewRGBA(image.Rect(0, 0, m.Side(), m.Side()))
		for i := range img.Pix {
			img.Pix[i] = byte(random.Uint32()) | 0xff*byte(i%4/3)
		}
		pictures = append(pictures, img)
	}
	return pictures
}

// request is for a text of the length wanted. Prompt and begin token count. Random weights
// end a text early once in thousands of tokens.
func (c *clip) request(prompt string) model.Request {
	return model.Request{Prompt: prompt, MaxTokens: 1 + len(c.model.Encoding(prompt)) + c.want}
}

// label has the rounds from now on choose among labels too.
func (c *clip) label() (err error) {
	all := names(manyLabels, c.model.Sizes().Vocabulary)
	if c.few, err = c.model.Labels(all[:fewLabels]); err != nil {
		return err
	}
	c.many, err = c.model.Labels(all)
	return err
}

// times are those of one round in seconds; 0 for what was left out.
type times struct{ products, memory, encoder, prefix, first, second, five, slide, few, many float64 }

// clip is the time from pictures to the first text.
func (t times) clip() float64 { return t.encoder + t.prefix + t.first }

// further is the time that each question after the first of five in one request adds.
func (t times) further() float64 { return (t.five - t.second) / (questions - 1) }

// labels is the time from pictures to the probabilities of many labels over that of few.
func (t times) labels() float64 {
	if t.few == 0 {
		return 0
	}
	return (t.encoder + t.prefix + t.many) / (t.encoder + t.prefix + t.few)
}

// round captions the clip and does what can be done with what was computed for it.
func (c *clip) round(ctx context.Context) (t times, err error) {
	features, prefix, t, err := c.caption(ctx)
	if err != nil {
		return t, err
	}
	defer prefix.Close()
	watch := newStopwatch()
	if err := c.generate(ctx, prefix, c.second); err != nil {
		return t, err
	}
	t.second = watch.lap()
	if err := c.generate(ctx, prefix, slices.Repeat([]model.Request{c.second}, questions)...); err != nil {
		return t, err
	}
	t.five = watch.lap()
	if t.slide, err = c.slide(ctx, features); err != nil {
		return t, err
	}
	return t, c.classify(ctx, prefix, &t)
}

// caption goes from pictures to a text. The prefix is to be closed.
func (c *clip) caption(ctx context.Context) (_ []*model.Features, _ *model.Prefix, t times, err error) {
	watch := newStopwatch()
	features, err := c.model.EncodeAll(ctx, c.pictures, model.View{})
	if err != nil {
		return nil, nil, t, fmt.Errorf("encode: %w", err)
	}
	t.encoder = watch.lap()
	prefix, err := c.model.Begin(ctx, features)
	if err != nil {
		return nil, nil, t, fmt.Errorf("begin: %w", err)
	}
	t.prefix = watch.lap()
	if err := c.generate(ctx, prefix, c.first); err != nil {
		prefix.Close()
		return nil, nil, t, err
	}
	t.first = watch.lap()
	return features, prefix, t, nil
}

// slide is the time to caption the next window in seconds: one frame is new.
func (c *clip) slide(ctx context.Context, features []*model.Features) (float64, error) {
	if len(features) == 1 {
		return 0, nil
	}
	watch := newStopwatch()
	next, err := c.model.Encode(ctx, c.pictures[0], model.View{})
	if err != nil {
		return 0, fmt.Errorf("encode: %w", err)
	}
	prefix, err := c.model.Begin(ctx, append(features[1:len(features):len(features)], next))
	if err != nil {
		return 0, fmt.Errorf("begin: %w", err)
	}
	defer prefix.Close()
	err = c.generate(ctx, prefix, c.first)
	return watch.lap(), err
}

// classify chooses among the labels, if there are any.
func (c *clip) classify(ctx context.Context, prefix *model.Prefix, t *times) error {
	if c.many == nil {
		return nil
	}
	watch := newStopwatch()
	if _, err := c.model.Classify(ctx, prefix, "", c.few); err != nil {
		return err
	}
	t.few = watch.lap()
	_, err := c.model.Classify(ctx, prefix, "", c.many)
	t.many = watch.lap()
	return err
}

// questions is how many are asked in one request.
const questions = 5

// generate demands the full length: a shorter text would be measured as a faster one.
func (c *clip) generate(ctx context.Context, p *model.Prefix, rs ...model.Request) error {
	texts, err := c.model.GenerateAll(ctx, p, rs)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	for _, t := range texts {
		if len(t.Tokens) != c.want {
			return fmt.Errorf("generate: the text ended after %d of %d tokens: take weights of another seed", len(t.Tokens), c.want)
		}
	}
	return nil
}

type stopwatch struct{ since time.Time }

func newStopwatch() *stopwatch { return &stopwatch{time.Now()} }

// lap is the time since the last lap in seconds.
func (w *stopwatch) lap() float64 {
	now := time.Now()
	defer func() { w.since = now }()
	return now.Sub(w.since).Seconds()
}
