package model

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/captiond/captiond/model/wordpiece"
)

// Style is a kind of beam search. The two score lengths and end differently.
type Style int

const (
	// Microsoft is that of microsoft/GenerativeImage2Text, which the published figures
	// were made with (4 beams): scores are divided by ((5+length)/6)^0.6.
	Microsoft Style = iota
	// HuggingFace is that of transformers 4.56.2 with its defaults: scores are divided
	// by the number of generated tokens.
	HuggingFace
)

// String is "microsoft" or "hf".
func (s Style) String() string {
	if s == HuggingFace {
		return "hf"
	}
	return "microsoft"
}

// Request says what text is wanted. The zero value is a caption by greedy search.
type Request struct {
	// Prompt is a question; what is generated is the answer. Of a long one the first 40
	// tokens are looked at and the last 38 of these kept, as in Microsoft's code.
	Prompt string
	// Window is the number of the window that the text is about, of those that were begun
	// together.
	Window int
	// Beams is the width of the beam search; 0 and 1 are greedy search.
	Beams int
	// Style is the kind of beam search.
	Style Style
	// LengthPenalty is the exponent with which a beam search favours long texts; 0 takes
	// the style's own, 0.6 for Microsoft's and 1 for Hugging Face's.
	LengthPenalty float64
	// MaxTokens is the length of prompt and text together in tokens, the begin and end
	// tokens counted; 0 takes the checkpoint's own.
	MaxTokens int
	// Labels are the only texts allowed, searched for greedily; nil allows any text.
	Labels *Labels
}

// String states the settings of the search, not the prompt. It is the same for the same
// settings in every process.
func (r Request) String() string {
	s := fmt.Sprintf("beams=%d", max(1, r.Beams))
	if r.Beams > 1 {
		s += fmt.Sprintf(" style=%v length_penalty=%v", r.Style, r.penalty())
	}
	if r.MaxTokens > 0 {
		s += fmt.Sprintf(" max_tokens=%d", r.MaxTokens)
	}
	if r.Labels != nil {
		s += " labels=" + r.Labels.digest
	}
	return s
}

// penalty is the exponent that a beam search uses.
func (r Request) penalty() float64 {
	switch {
	case r.LengthPenalty != 0:
		return r.LengthPenalty
	case r.Style == HuggingFace:
		return 1
	}
	return 0.6
}

// Text is what was generated.
type Text struct {
	Text string
	// Tokens are the generated ids, without prompt and end token.
	Tokens []int64
	// Confidence and MinConfidence are the mean and the least of the probabilities that
	// the model gave to the generated tokens, the end token among them; 0 where nothing
	// was generated.
	Confidence, MinConfidence float64
	// LogProb is the natural logarithm of their product.
	LogProb float64
	// Truncated says that the text ended for want of room, not because it was complete.
	Truncated bool
}

// Limits of a Request.
const (
	questionTokens = 40 // of a question that are looked at (inference.py's max_text_len)
	promptTokens   = 38 // of these that are kept: begin and end once had a place too
)

// MaxBeams is the widest beam search.
const MaxBeams = 64

// Generate searches for one text.
func (m *Model) Generate(ctx context.Context, p *Prefix, r Request) (Text, error) {
	texts, err := m.GenerateAll(ctx, p, []Request{r})
	if err != nil {
		return Text{}, err
	}
	return texts[0], nil
}

// GenerateAll searches for several texts side by side, on one window or on several that
// were begun together, which takes little longer than the longest of them alone. The texts
// are the same as alone.
func (m *Model) GenerateAll(ctx context.Context, p *Prefix, rs []Request) ([]Text, error) {
	release, err := p.hold(m)
	if err != nil {
		return nil, fmt.Errorf("generate text: %w", err)
	}
	defer release()
	var prompts []prompt
	var searches []search
	for _, r := range rs {
		if err := m.check(p, r); err != nil {
			return nil, fmt.Errorf("generate text: %w", err)
		}
		prompt := prompt{m.prompt(r.Prompt), r.Window}
		prompts = append(prompts, prompt)
		searches = append(searches, m.search(r, len(prompt.ids)))
	}
	if err := m.decode(ctx, p, prompts, searches); err != nil {
		return nil, fmt.Errorf("generate text: %w", err)
	}
	texts := make([]Text, len(rs))
	for i, s := range searches {
		texts[i] = m.text(s.best())
	}
	return texts, nil
}

func (m *Model) check(p *Prefix, r Request) error {
	switch {
	case r.Window < 0 || r.Window >= p.windows:
		return fmt.Errorf("window %d is asked for, %d were begun", r.Window, p.windows)
	case r.Beams < 0 || r.Beams > MaxBeams || r.MaxTokens < 0:
		return fmt.Errorf("%d beams and %d tokens are asked for: use 0 to %d beams and no negative number", r.Beams, r.MaxTokens, MaxBeams)
	case r.Labels != nil && r.Labels.of != m:
		return errors.New("the labels were not made by this model")
	case r.Labels != nil && r.Beams > 1:
		return errors.New("labels are searched for without beams")
	}
	return nil
}

// prompt is the begin token and the question; no end token follows.
func (m *Model) prompt(question string) []int64 {
	ids := m.vocab.Encode(question)
	ids = ids[:min(len(ids), questionTokens)]
	return append([]int64{m.bos}, ids[max(0, len(ids)-promptTokens):]...)
}

// limit is the length of prompt and text together.
func (m *Model) limit(r Request, prompt int) int {
	limit := m.maxLength
	switch {
	case r.MaxTokens > 0:
		limit = r.MaxTokens
	case m.maxNewTokens > 0:
		limit = prompt + m.maxNewTokens
	}
	return min(limit, int(m.sizes.TextPositions))
}

func (m *Model) search(r Request, prompt int) search {
	limits := limits{ends: m.ends, prompt: prompt, total: m.limit(r, prompt)}
	switch {
	case prompt >= limits.total:
		return noRoom{}
	case r.Labels != nil:
		return &greedy{limits: limits, labels: r.Labels.root}
	case r.Beams > 1 && r.Style == HuggingFace:
		return newHuggingFaceBeam(limits, r.Beams, r.penalty())
	case r.Beams > 1:
		return newMicrosoftBeam(limits, r.Beams, r.penalty())
	}
	return &greedy{limits: limits}
}

// text prints what a search found.
func (m *Model) text(h hypothesis) Text {
	t := Text{Tokens: h.tokens, Truncated: !h.ended, Text: m.vocab.Decode(h.tokens, wordpiece.DecodeOptions{})}
	for _, l := range h.logProbs {
		t.LogProb += l
		t.Confidence += math.Exp(l)
	}
	if n := len(h.logProbs); n > 0 {
		t.Confidence /= float64(n)
		least := h.logProbs[0]
		for _, l := range h.logProbs {
			least = min(least, l)
		}
		t.MinConfidence = math.Exp(least)
	}
	return t
}

// decode runs searches side by side until none asks for more.
func (m *Model) decode(ctx context.Context, p *Prefix, prompts []prompt, searches []search) error {
	var live []search
	var first []prompt
	for i, s := range searches {
		if _, none := s.(noRoom); !none {
			live, first = append(live, s), append(first, prompts[i])
		}
	}
	if len(live) == 0 {
		return nil
	}
	r, err := m.start(ctx, p, first)
	if err != nil {
		return err
	}
	defer func() { r.close() }()
	asked := make([]int, len(live)) // rows that each live search asked for
	for i := range asked {
		asked[i] = 1
	}
	for {
		var tokens, parents []int64
		live, asked, tokens, parents, err = advance(live, asked, r.outlooks())
		if err != nil || len(live) == 0 {
			return err
		}
		next, err := r.fork(ctx, tokens, parents)
		if err != nil {
			return err
		}
		r.close()
		r = next
	}
}

// advance gives each search what may follow its rows and collects the rows that those not
// yet done ask for next.
func advance(live []search, asked []int, all []outlook) (still []search, rows []int, tokens, parents []int64, err error) {
	if !finite(all) {
		return nil, nil, nil, nil, errNotFinite
	}
	from := 0
	for i, s := range live {
		t, p := s.next(all[from : from+asked[i]])
		if len(t) > 0 {
			still, rows, tokens = append(still, s), append(rows, len(t)), append(tokens, t...)
			for _, parent := range p {
				parents = append(parents, int64(from+parent))
			}
		}
		from += asked[i]
	}
	return still, rows, tokens, parents, nil
}
