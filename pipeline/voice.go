package pipeline

import (
	"context"
	"fmt"
	"image"
	"strings"
	"time"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/sinks"
)

// Captioner is a model: *model.Model implements it. All methods are safe for
// concurrent use and end early with the context's error.
type Captioner interface {
	Encode(ctx context.Context, img *image.RGBA, view model.View) (*model.Features, error)
	Begin(ctx context.Context, window []*model.Features) (*model.Prefix, error)
	BeginPicture(ctx context.Context, picture *model.Features) (*model.Prefix, error)
	Generate(ctx context.Context, p *model.Prefix, r model.Request) (model.Text, error)
}

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
}

// Say generates the text that follows the prompt, about what could be known since a time.
func (v Voice) Say(ctx context.Context, p *model.Prefix, prompt string, since time.Time) (sinks.Speech, error) {
	r := v.Request
	r.Prompt = prompt
	t, err := v.Generate(ctx, p, r)
	if err != nil {
		return sinks.Speech{}, fmt.Errorf("generate text: %w", err)
	}
	return sinks.Speech{
		Text:          t.Text,
		Confidence:    sinks.Probability(t.Confidence),
		MinConfidence: sinks.Probability(t.MinConfidence),
		Truncated:     t.Truncated,
		Model:         v.Name,
		LatencyMS:     time.Since(since).Milliseconds(),
		Settings:      v.settings(),
	}, nil
}

// settings are all that a text depends on beside the model and what is seen.
func (v Voice) settings() string {
	return strings.TrimSpace(fmt.Sprintf("%v view=%v %s", v.Request, v.View, v.Settings))
}
