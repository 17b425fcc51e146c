package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
)

// stretchOptions say which part of a video is meant.
type stretchOptions struct{ from, to time.Duration }

func (o *stretchOptions) flags(f *pflag.FlagSet) {
	f.DurationVar(&o.from, "from", 0, "begin here, such as 12s")
	f.DurationVar(&o.to, "to", 0, "end here, such as 1m20s (default: the end)")
}

func (o stretchOptions) check() error {
	if o.from < 0 || o.to < 0 || (o.to > 0 && o.to <= o.from) {
		return usageError{fmt.Errorf("--from %v --to %v is no stretch: --to must come after --from", o.from, o.to)}
	}
	return nil
}

// of is the stretch of a clip, an error where the clip has nothing there.
func (o stretchOptions) of(info frames.Info) (frames.Window, error) {
	w := frames.Window{Start: o.from, End: info.Duration}
	if o.from > 0 && o.from >= info.Duration {
		return w, fmt.Errorf("--from %v is outside the clip: it is %v long", o.from, info.Duration)
	}
	if o.to > 0 {
		w.End = min(o.to, info.Duration)
	}
	return w, nil
}

// searchOptions say how a text is searched for and in which part of the picture.
type searchOptions struct {
	beams     int
	style     string
	maxTokens int
	view      string
}

func (o *searchOptions) flags(f *pflag.FlagSet) {
	d := greedy()
	f.IntVar(&o.beams, "beam", d.beams, "beams of the search; 1 is greedy")
	f.StringVar(&o.style, "beam-style", d.style, "the beam search of: microsoft (length penalty 0.6) or hf")
	f.IntVar(&o.maxTokens, "max-tokens", 0, "most tokens of a text, prompt included (default: the checkpoint's max_length, else 50)")
	f.StringVar(&o.view, "view", d.view, "part of the picture: crop (the checkpoint's own), squash (all of it), or x,y,w,h in parts of the picture")
}

// greedy is what the flags say where none is given.
func greedy() searchOptions { return searchOptions{beams: 1, style: "microsoft", view: "crop"} }

// request is the search, and the view beside it.
func (o searchOptions) request() (model.Request, model.View, error) {
	view, err := model.ParseView(o.view)
	switch {
	case err != nil:
	case o.beams < 1 || o.beams > model.MaxBeams:
		err = fmt.Errorf("--beam %d: use 1 to %d", o.beams, model.MaxBeams)
	case o.maxTokens < 0:
		err = fmt.Errorf("--max-tokens %d: use 0 for the checkpoint's own, or more", o.maxTokens)
	}
	r := model.Request{Beams: o.beams, MaxTokens: o.maxTokens}
	switch o.style {
	case "microsoft":
		r.Style = model.Microsoft
	case "hf":
		r.Style = model.HuggingFace
	default:
		err = fmt.Errorf("--beam-style %q: use microsoft or hf", o.style)
	}
	if err != nil {
		return r, view, usageError{err}
	}
	return r, view, nil
}
