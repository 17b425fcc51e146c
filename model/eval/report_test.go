package eval

import (
	"strings"
	"testing"
	"time"
)

func predictions() []*Prediction {
	caption := func(text, reference, group string, confidence float64) *Prediction {
		return &Prediction{Item: Item{References: []string{reference}, Groups: []string{group}}, File: "data/1.mp4", To: 4 * time.Second, Text: text, Confidence: confidence}
	}
	answer := func(id int64, text string, confidence float64, references ...string) *Prediction {
		return &Prediction{Item: Item{ID: id, Question: "what?", References: references}, File: "data/2.png", Text: text, Confidence: confidence}
	}
	return []*Prediction{
		caption("a red circle moves left", "A red circle moves left.", "left", 0.9),
		caption("a blue square jumps", "a small dog stands still", "still", 0.3),
		answer(1, "Red", 0.8, "red"), answer(2, "two", 0.4, "3"), answer(3, "unjudged", 0.5),
	}
}

func TestScore(t *testing.T) {
	t.Parallel()
	ps := predictions()
	r := Score(ps, ByVQA)
	// Nothing of the second caption but its "a", which weighs nothing, is in its
	// reference: (10 + 0) / 2.
	c := r.Captions
	if c.N != 2 || !near(c.Exact, 0.5) || !near(c.CIDErD, 5) || !near(c.Calibration.Confidence, 0.6) || !near(*c.Calibration.AUROC, 1) {
		t.Errorf("captions %+v, %+v", c, c.Calibration)
	}
	if a := r.Answers; a.N != 2 || !near(a.Exact, 0.5) || !near(a.Accuracy, 0.5) || !near(a.Calibration.ECE, 0.3) {
		t.Errorf("answers %+v, %+v", a, a.Calibration)
	}
	left := r.Groups["left"]
	if len(r.Groups) != 2 || left.Answers != nil || left.Captions.N != 1 || !near(left.Captions.CIDErD, 10) || !near(left.Captions.ROUGEL, 1) {
		t.Errorf("groups %+v", r.Groups)
	}
	if ps[4].Scores != (Scores{}) || *ps[2].Scores.Accuracy != 1 {
		t.Errorf("scores of single answers: %+v, %+v", ps[4].Scores, ps[2].Scores)
	}
}

func TestWriteTable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := Score(predictions(), ByVQA).WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	// BLEU-4 in all: 6 of 9 words, 4 of 7 pairs, 3 of 5 triples and 2 of 3 quadruples are
	// right, 9 words for 10: (6/9*4/7*3/5*2/3)^(1/4) * exp(1-10/9) = 0.6247*0.8948.
	// ROUGE-L of a alone: 2.44*1/4*1/5 / (1/5 + 1.44*1/4) = 0.122/0.56.
	want := `  captions  n  exact  BLEU-4  ROUGE-L  CIDEr-D  confidence   ECE  AUROC
       all  2   50.0    55.9     60.9    500.0        60.0  20.0  100.0
      left  1  100.0   100.0    100.0   1000.0        90.0  10.0      -
     still  1    0.0     0.0     21.8      0.0        30.0  30.0      -

  answers  n  exact  VQA accuracy  confidence   ECE  AUROC
      all  2   50.0         50.00        60.0  30.0  100.0
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestWritePredictions(t *testing.T) {
	t.Parallel()
	ps := predictions()[1:3]
	Score(ps, ByVQA)
	var out strings.Builder
	if err := WritePredictions(&out, "data", ps); err != nil {
		t.Fatal(err)
	}
	want := `{"file":"1.mp4","to":4,"text":"a blue square jumps","confidence":0.3,"references":["a small dog stands still"],"groups":["still"],"scores":{"exact":0,"rouge_l":`
	if !strings.HasPrefix(out.String(), want) || !strings.HasSuffix(out.String(), `,"scores":{"exact":1,"accuracy":1}}`+"\n") {
		t.Errorf("got\n%s", out.String())
	}
}

func TestWriteResults(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "[]\n", 2: `[{"question_id":1,"answer":"Red"},{"question_id":2,"answer":"two"}]` + "\n"} {
		var out strings.Builder
		if err := WriteResults(&out, predictions()[2:2+n]); err != nil || out.String() != want {
			t.Errorf("%q, %v; want %q", out.String(), err, want)
		}
	}
}
