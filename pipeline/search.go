package pipeline

import (
	"fmt"

	"github.com/captiond/captiond/model"
)

// Search says in plain words how a text is searched for and in which part of the picture,
// as flags and requests do.
type Search struct {
	Beams     int    // 1 is greedy
	Style     string // of a beam search: microsoft or hf
	MaxTokens int    // prompt included; 0 is the checkpoint's own
	View      string // crop, squash, or x,y,w,h in parts of the picture
}

// Greedy is the search of whoever says nothing about it.
func Greedy() Search { return Search{Beams: 1, Style: model.Microsoft.String(), View: "crop"} }

// Voice is one that searches so.
func (s Search) Voice(v Voice) (Voice, error) {
	r, view, err := s.Request()
	if err != nil {
		return Voice{}, err
	}
	r.Prompt = v.Request.Prompt
	v.Request, v.View = r, view
	return v, nil
}

// Request is the search as the model takes it, and the view beside it.
func (s Search) Request() (model.Request, model.View, error) {
	r := model.Request{Beams: s.Beams, MaxTokens: s.MaxTokens}
	switch {
	case s.Beams < 1 || s.Beams > model.MaxBeams:
		return r, model.View{}, fmt.Errorf("%d beams: use 1 to %d", s.Beams, model.MaxBeams)
	case s.MaxTokens < 0:
		return r, model.View{}, fmt.Errorf("%d tokens at most: use 0 for the checkpoint's own, or more", s.MaxTokens)
	}
	switch s.Style {
	case model.Microsoft.String():
		r.Style = model.Microsoft
	case model.HuggingFace.String():
		r.Style = model.HuggingFace
	default:
		return r, model.View{}, fmt.Errorf("beam style %.80q: use microsoft or hf", s.Style)
	}
	view, err := model.ParseView(s.View)
	return r, view, err
}
