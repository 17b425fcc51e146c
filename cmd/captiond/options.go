package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
)

// stretchOptions say which part of a video is meant.
type stretchOptions struct{ frames.Stretch }

func (o *stretchOptions) flags(f *pflag.FlagSet) {
	f.DurationVar(&o.From, "from", 0, "begin here, such as 12s")
	f.DurationVar(&o.To, "to", 0, "end here, such as 1m20s (default: the end)")
}

func (o stretchOptions) check() error {
	if o.Check() != nil {
		return usageError{fmt.Errorf("--from %v --to %v is no stretch: --to must come after --from", o.From, o.To)}
	}
	return nil
}

// searchOptions say how a text is searched for and in which part of the picture.
type searchOptions struct{ pipeline.Search }

func (o *searchOptions) flags(f *pflag.FlagSet) {
	d := pipeline.Greedy()
	f.IntVar(&o.Beams, "beam", d.Beams, "beams of the search; 1 is greedy")
	f.StringVar(&o.Style, "beam-style", d.Style, "the beam search of: microsoft (length penalty 0.6) or hf")
	f.IntVar(&o.MaxTokens, "max-tokens", 0, "most tokens of a text, prompt included (default: the checkpoint's max_length, else 50)")
	f.StringVar(&o.View, "view", d.View, viewUsage)
}

const viewUsage = "part of the picture: crop (the checkpoint's own), squash (all of it), or x,y,w,h in parts of the picture"

// request is the search, and the view beside it.
func (o searchOptions) request() (model.Request, model.View, error) {
	r, view, err := o.Request()
	if err != nil {
		return r, view, usageError{err}
	}
	return r, view, nil
}
