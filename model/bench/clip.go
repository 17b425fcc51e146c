package bench

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"
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
	request  model.Request
	tokens   int64 // image tokens of one frame
	few      *model.Labels
	many     *model.Labels // nil until they are to be timed
}

// newClip makes pictures of noise at the size that the encoder sees, so that reading and
// scaling them is a small part of its time.
func newClip(m *model.Model, p Plan) *clip {
	s := m.Sizes()
	side := m.Side()
	c := &clip{model: m, tokens: (int64(side)/s.Patch)*(int64(side)/s.Patch) + 1}
	// The begin token counts: one more than are generated. Random weights end a text
	// early once in thousands of tokens.
	c.request.MaxTokens = p.Tokens + 1
	random := rand.New(rand.NewPCG(1, 2))
	for range p.Frames {
		img := image.NewRGBA(image.Rect(0, 0, side, side))
		for i := range img.Pix {
			img.Pix[i] = byte(random.Uint32()) | 0xff*byte(i%4/3)
		}
		c.pictures = append(c.pictures, img)
	}
	return c
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

// times are those of one round in seconds.
type times struct{ products, encoder, prefix, first, second, few, many float64 }

// clip is the time from pictures to the first text.
func (t times) clip() float64 { return t.encoder + t.prefix + t.first }

// labels is the time from pictures to the probabilities of many labels over that of few.
func (t times) labels() float64 {
	return (t.encoder + t.prefix + t.many) / (t.encoder + t.prefix + t.few)
}

// round captions the clip, asks a second question and chooses among labels.
func (c *clip) round(ctx context.Context) (t times, err error) {
	watch := stopwatch{time.Now()}
	features, err := c.model.EncodeAll(ctx, c.pictures, model.View{})
	if err != nil {
		return t, fmt.Errorf("encode: %w", err)
	}
	t.encoder = watch.lap()
	prefix, err := c.model.Begin(ctx, features)
	if err != nil {
		return t, fmt.Errorf("begin: %w", err)
	}
	defer prefix.Close()
	t.prefix = watch.lap()
	if err := c.generate(ctx, prefix, c.request); err != nil {
		return t, err
	}
	t.first = watch.lap()
	second := c.request
	second.Prompt = question
	second.MaxTokens += len(c.model.Encoding(question))
	if err := c.generate(ctx, prefix, second); err != nil {
		return t, err
	}
	t.second = watch.lap()
	if c.many == nil {
		return t, nil
	}
	if _, err := c.model.Classify(ctx, prefix, "", c.few); err != nil {
		return t, err
	}
	t.few = watch.lap()
	_, err = c.model.Classify(ctx, prefix, "", c.many)
	t.many = watch.lap()
	return t, err
}

// generate demands the full length: a shorter text would be measured as a faster one.
func (c *clip) generate(ctx context.Context, p *model.Prefix, r model.Request) error {
	text, err := c.model.Generate(ctx, p, r)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	if want := c.request.MaxTokens - 1; len(text.Tokens) != want {
		return fmt.Errorf("generate: the text ended after %d of %d tokens: take weights of another seed", len(text.Tokens), want)
	}
	return nil
}

// rounds times the stages in turn.
func (c *clip) rounds(ctx context.Context, p *products, n int) ([]times, error) {
	all := make([]times, n)
	for i := range all {
		t, err := c.round(ctx)
		if err != nil {
			return nil, err
		}
		if t.products, err = p.time(ctx); err != nil {
			return nil, err
		}
		all[i] = t
	}
	return all, nil
}

type stopwatch struct{ since time.Time }

// lap is the time since the last lap in seconds.
func (w *stopwatch) lap() float64 {
	now := time.Now()
	defer func() { w.since = now }()
	return now.Sub(w.since).Seconds()
}
