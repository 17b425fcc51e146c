package eval

import (
	"slices"
	"strings"
	"time"
)

// An Item is one text that a data set asks for.
type Item struct {
	ID         int64    // a question's number in VQAv2, TextVQA and MSRVTT-QA
	Question   string   // "" asks for a caption
	References []string // none where the data set keeps them to itself
	Groups     []string // scores are broken down by these
}

// A Prediction is what a model said for an item, and the scores of that.
type Prediction struct {
	Item
	File       string
	From, To   time.Duration // To is 0 for the end of the file
	Text       string
	Confidence float64 // model.Text's
	Scores     Scores  // filled in by Score, zero for an item without references
}

// Scores are those of one text. What does not apply is nil.
type Scores struct {
	Exact    float64  `json:"exact"`              // 0 or 1
	ROUGEL   *float64 `json:"rouge_l,omitempty"`  // captions; 0 to 1
	CIDErD   *float64 `json:"cider_d,omitempty"`  // captions; 0 to 10
	Accuracy *float64 `json:"accuracy,omitempty"` // answers; 0 to 1
}

// Captions sums up captions. A caption is exact if its tokens are those of a reference.
type Captions struct {
	N           int          `json:"n"`
	Exact       float64      `json:"exact"`   // 0 to 1
	BLEU4       float64      `json:"bleu_4"`  // of these captions as one corpus; 0 to 1
	ROUGEL      float64      `json:"rouge_l"` // 0 to 1
	CIDErD      float64      `json:"cider_d"` // 0 to 10; papers print it times 100
	Calibration *Calibration `json:"calibration"`
}

// Answers sums up answers. An answer is exact if it is a reference, but for case and spaces.
type Answers struct {
	N           int          `json:"n"`
	Exact       float64      `json:"exact"`    // 0 to 1
	Accuracy    float64      `json:"accuracy"` // by the data set's rule; 0 to 1
	Calibration *Calibration `json:"calibration"`
}

// A Summary is the scores of a set of texts; nil where it has none of a kind.
type Summary struct {
	Captions *Captions `json:"captions,omitempty"`
	Answers  *Answers  `json:"answers,omitempty"`
}

// A Report is the scores of all texts and of each group. In a group's CIDEr-D the weights
// are those of all texts.
type Report struct {
	Rule Rule `json:"rule"` // of the answers' accuracy
	Summary
	Groups map[string]Summary `json:"groups,omitempty"`
}

// Score judges the predictions that have references and sums them up. It fills in their
// Scores.
func Score(ps []*Prediction, rule Rule) Report {
	var captions []caption
	var answers []*Prediction
	tokenizer := NewTokenizer()
	for _, p := range ps {
		switch {
		case len(p.References) == 0:
		case p.Question == "":
			captions = append(captions, tokenizer.caption(p))
		default:
			p.Scores = rule.judge(p)
			answers = append(answers, p)
		}
	}
	judgeCaptions(captions)
	r := Report{Rule: rule, Summary: Summary{sumCaptions(captions), sumAnswers(answers)}, Groups: map[string]Summary{}}
	for _, name := range groups(ps) {
		s := Summary{
			sumCaptions(filter(captions, func(c caption) bool { return slices.Contains(c.Groups, name) })),
			sumAnswers(filter(answers, func(p *Prediction) bool { return slices.Contains(p.Groups, name) })),
		}
		if s != (Summary{}) {
			r.Groups[name] = s
		}
	}
	return r
}

// groups are the names of the predictions' groups, each once.
func groups(ps []*Prediction) []string {
	names := map[string]bool{}
	for _, p := range ps {
		for _, g := range p.Groups {
			names[g] = true
		}
	}
	return sorted(names)
}

func filter[T any](all []T, keep func(T) bool) (kept []T) {
	for _, v := range all {
		if keep(v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// A caption is a prediction in words.
type caption struct {
	*Prediction
	words      []string
	references [][]string
}

func (t *Tokenizer) caption(p *Prediction) caption {
	c := caption{Prediction: p, words: words(t.Tokens(p.Text))}
	for _, r := range p.References {
		c.references = append(c.references, words(t.Tokens(r)))
	}
	return c
}

// words are the tokens, those with spaces in them cut: the COCO evaluation cuts its
// tokenizer's lines at all of Unicode's spaces.
func words(tokens []string) []string { return strings.Fields(strings.Join(tokens, " ")) }

func judgeCaptions(cs []caption) {
	var corpus cider
	for _, c := range cs {
		corpus.learn(c.references)
	}
	for _, c := range cs {
		rouge, cider := rougeL(c.words, c.references), corpus.score(c.words, c.references)
		same := slices.ContainsFunc(c.references, func(r []string) bool { return slices.Equal(r, c.words) })
		c.Scores = Scores{Exact: yes(same), ROUGEL: &rouge, CIDErD: &cider}
	}
}

func (r Rule) judge(p *Prediction) Scores {
	accuracy := r.accuracy(p.Text, p.References)
	exact := slices.Contains(each(p.References, fold), fold(p.Text))
	return Scores{Exact: yes(exact), Accuracy: &accuracy}
}

// fold is a text without what case and spaces say.
func fold(s string) string { return strings.Join(strings.Fields(strings.ToLower(s)), " ") }

func sumCaptions(cs []caption) *Captions {
	if len(cs) == 0 {
		return nil
	}
	var b bleu
	var js []judged
	s := &Captions{N: len(cs)}
	for _, c := range cs {
		b.add(c.words, c.references)
		s.Exact += c.Scores.Exact / float64(len(cs))
		s.ROUGEL += *c.Scores.ROUGEL / float64(len(cs))
		s.CIDErD += *c.Scores.CIDErD / float64(len(cs))
		js = append(js, judged{c.Confidence, c.Scores.Exact})
	}
	s.BLEU4, s.Calibration = b.score(), calibrate(js)
	return s
}

func sumAnswers(ps []*Prediction) *Answers {
	if len(ps) == 0 {
		return nil
	}
	var js []judged
	s := &Answers{N: len(ps)}
	for _, p := range ps {
		s.Exact += p.Scores.Exact / float64(len(ps))
		s.Accuracy += *p.Scores.Accuracy / float64(len(ps))
		js = append(js, judged{p.Confidence, *p.Scores.Accuracy})
	}
	s.Calibration = calibrate(js)
	return s
}
