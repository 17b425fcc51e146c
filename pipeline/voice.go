package pipeline

import (
	"context"
	"fmt"
	"image"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/sinks"
)

// Captioner is a model: *model.Model implements it. All methods are safe for
// concurrent use and end early with the context's error.
type Captioner interface {
	EncodeAll(ctx context.Context, imgs []*image.RGBA, view model.View) ([]*model.Features, error)
	BeginAll(ctx context.Context, windows [][]*model.Features) (*model.Prefix, error)
	BeginPicture(ctx context.Context, picture *model.Features) (*model.Prefix, error)
	GenerateAll(ctx context.Context, p *model.Prefix, rs []model.Request) ([]model.Text, error)
}

// abreast is how many texts, each beam counted, are generated side by side at most: the
// keys and values of one take 2 MB at git-base's size.
const abreast = 32

// A Voice is a model and the way it is used.
type Voice struct {
	Captioner
	Name    string        // name@digest, as events state it
	Samples int           // instants at which a window is looked at: temporal embeddings, or 1
	View    model.View    // the part of the picture that is looked at
	Request model.Request // how texts are searched for; its Prompt is the captions'
	// Settings are what else the texts depend on, such as the precision: with the
	// search and the view they are part of an event's id.
	Settings string
	// Together is how many windows may be talked about side by side, which takes less time
	// and more memory than one after another; less than 2 is one.
	Together int
	// Pictures is how many may go through the encoder in one run; less than 2 is one.
	Pictures int
}

// Encode looks at one picture.
func (v Voice) Encode(ctx context.Context, img *image.RGBA) (*model.Features, error) {
	fs, err := v.EncodeAll(ctx, []*image.RGBA{img}, v.View)
	if err != nil {
		return nil, err
	}
	return fs[0], nil
}

// Begin begins one window.
func (v Voice) Begin(ctx context.Context, window []*model.Features) (*model.Prefix, error) {
	return v.BeginAll(ctx, [][]*model.Features{window})
}

// Say generates the texts that follow prompts, about what could be known since a time, side
// by side where there is room, and yields them in the order of the prompts. An error is that
// of the next prompt, and the last of the sequence.
func (v Voice) Say(ctx context.Context, p *model.Prefix, prompts []string, since time.Time) iter.Seq2[sinks.Speech, error] {
	return func(yield func(sinks.Speech, error) bool) {
		for some := range slices.Chunk(prompts, max(abreast/v.beams(), 1)) {
			speeches, err := v.say(ctx, p, some, since)
			for _, s := range speeches {
				if !yield(s, nil) {
					return
				}
			}
			if err != nil {
				yield(sinks.Speech{}, err)
				return
			}
		}
	}
}

// say returns, beside an error, the texts before the one that failed: where they fail side by
// side each is tried alone.
func (v Voice) say(ctx context.Context, p *model.Prefix, prompts []string, since time.Time) ([]sinks.Speech, error) {
	texts, err := v.GenerateAll(ctx, p, v.requests(prompts, 0))
	if err == nil {
		return v.speeches(texts, since), nil
	}
	if len(prompts) == 1 || ctx.Err() != nil {
		return nil, fmt.Errorf("generate text: %w", err)
	}
	var said []sinks.Speech
	for i := range prompts {
		one, err := v.say(ctx, p, prompts[i:i+1], since)
		if err != nil {
			return said, err
		}
		said = append(said, one...)
	}
	return said, nil
}

func (v Voice) beams() int { return max(v.Request.Beams, 1) }

// requests are for texts about one of the windows that were begun together.
func (v Voice) requests(prompts []string, window int) (rs []model.Request) {
	for _, p := range prompts {
		r := v.Request
		r.Prompt, r.Window = p, window
		rs = append(rs, r)
	}
	return rs
}

// speeches are texts as events state them.
func (v Voice) speeches(texts []model.Text, since time.Time) (said []sinks.Speech) {
	for _, t := range texts {
		said = append(said, sinks.Speech{
			Text:          t.Text,
			Confidence:    sinks.Probability(t.Confidence),
			MinConfidence: sinks.Probability(t.MinConfidence),
			Truncated:     t.Truncated,
			Model:         v.Name,
			LatencyMS:     time.Since(since).Milliseconds(),
			Settings:      v.settings(),
		})
	}
	return said
}

// settings are all that a text depends on beside the model and what is seen.
func (v Voice) settings() string {
	return strings.TrimSpace(fmt.Sprintf("%v view=%v %s", v.Request, v.View, v.Settings))
}
