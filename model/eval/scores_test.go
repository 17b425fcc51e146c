package eval

import (
	"math"
	"strings"
	"testing"
)

// The arithmetic of these is done by hand.

func TestBLEUByHand(t *testing.T) {
	t.Parallel()
	var b bleu
	// the cat sat on a mat: 6 words, 5 pairs, 4 triples, 3 quadruples. Of the reference's
	// the cat sat on the mat it has 5 (the, cat, sat, on, mat), 3 (the cat, cat sat,
	// sat on), 2 (the cat sat, cat sat on) and 1 (the cat sat on).
	b.add(strings.Fields("the cat sat on a mat"), split([]string{"the cat sat on the mat"}))
	if want := math.Pow(5./6*3/5*2/4*1/3, 0.25); math.Abs(b.score()-want) > 1e-8 {
		t.Errorf("one text: %v, want %v", b.score(), want)
	}
	// a dog: 2 words and 1 pair, all right; the references have 4 and 5 words, the
	// nearest 4. In all 7/8, 4/6, 2/4, 1/3; 8 words for 10: the penalty is exp(1-10/8).
	b.add(strings.Fields("a dog"), split([]string{"a dog stands still", "a dog is standing still"}))
	if want := math.Pow(7./8*4/6*2/4*1/3, 0.25) * math.Exp(1-10./8); math.Abs(b.score()-want) > 1e-8 {
		t.Errorf("two texts: %v, want %v", b.score(), want)
	}
}

func TestROUGEByHand(t *testing.T) {
	t.Parallel()
	// The longest common subsequence of "a red cat sits" and "a cat sits down here" is
	// a cat sits: precision 3/4, recall 3/5. F = 2.44 * 0.45 / (0.6 + 1.44*0.75) = 1.098/1.68.
	got := rougeL(strings.Fields("a red cat sits"), split([]string{"a cat sits down here"}))
	if want := 1.098 / 1.68; !near(got, want) {
		t.Errorf("one reference: %v, want %v", got, want)
	}
	// "a red" has precision 1/2, 2 of 4 words, and recall 2/2: the best recall is taken
	// with the best precision, 2.44*0.75 / (1 + 1.44*0.75).
	got = rougeL(strings.Fields("a red cat sits"), split([]string{"a cat sits down here", "a red"}))
	if want := 1.83 / 2.08; !near(got, want) {
		t.Errorf("two references: %v, want %v", got, want)
	}
	if got := rougeL(nil, split([]string{"a cat"})); got != 0 {
		t.Errorf("no words: %v", got)
	}
}

func TestCIDErByHand(t *testing.T) {
	t.Parallel()
	// Two texts, with the references "a b" and "a c". a is in both: its weight is
	// ln 2 - ln 2 = 0. b, c, "a b" and "a c" are in one: ln 2. No triples.
	var c cider
	c.learn(split([]string{"a b"}))
	c.learn(split([]string{"a c"}))
	for _, tt := range []struct {
		text string
		want float64
	}{
		// The cosine is 1 for words and pairs, 0 for triples and quadruples: 10 * 2/4.
		{"a b", 5},
		// b twice weighs 2 ln 2, clipped to ln 2: (ln2*ln2) / (2ln2 * ln2) = 1/2; the pair
		// "b b" is in no reference and weighs ln 2 - ln 1, too: with "a b" the norm is
		// sqrt(2) ln 2, the cosine 1/sqrt(2). One pair more: times exp(-1/72).
		{"a b b", 10 * (0.5 + 1/math.Sqrt2) / 4 * math.Exp(-1./72)},
		{"d e", 0},
		{"", 0},
	} {
		if got := c.score(strings.Fields(tt.text), split([]string{"a b"})); !near(got, tt.want) {
			t.Errorf("%q: %v, want %v", tt.text, got, tt.want)
		}
	}
	// Of two references, one of them far away, the mean: 5/2.
	if got := c.score([]string{"a", "b"}, split([]string{"a b", "x y"})); !near(got, 2.5) {
		t.Errorf("two references: %v, want 2.5", got)
	}
}

func TestAccuracyByHand(t *testing.T) {
	t.Parallel()
	ten := func(red, blue int) []string {
		return append(strings.Fields(strings.Repeat("red ", red)), strings.Fields(strings.Repeat("blue ", blue))...)
	}
	for name, tt := range map[string]struct {
		rule       Rule
		text       string
		references []string
		want       float64
	}{
		"all agree":                         {ByVQA, "red", ten(10, 0), 1},
		"none agrees":                       {ByVQA, "green", ten(10, 0), 0},
		"3 of 10: 3 see 2 others, 7 see 3":  {ByVQA, "red", ten(3, 7), (3*2./3 + 7) / 10},
		"1 of 10: 1 sees none, 9 see 1":     {ByVQA, "red", ten(1, 9), 9 * (1. / 3) / 10},
		"2 of 10: 2 see 1, 8 see 2":         {ByVQA, "red", ten(2, 8), (2*1./3 + 8*2./3) / 10},
		"4 of 10: all see 3":                {ByVQA, "red", ten(4, 6), 1},
		"spelling counts where all agree":   {ByVQA, "Red", ten(10, 0), 0},
		"and does not where they differ":    {ByVQA, "Red.", ten(5, 5), 1},
		"TextVQA spells always":             {ByTextVQA, "The Red", ten(10, 0), 1},
		"one reference":                     {ByVQA, "a red", []string{"red"}, 1},
		"three references":                  {ByVQA, "red", []string{"blue", "red", "green"}, 1},
		"exact is exact":                    {ByEquality, "Red", []string{"red"}, 0},
		"exact":                             {ByEquality, "red", []string{"red"}, 1},
		"four references, one right: 3/4/3": {ByVQA, "red", []string{"red", "blue", "green", "black"}, 0.25},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.rule.accuracy(tt.text, tt.references); !near(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestCalibrationByHand(t *testing.T) {
	t.Parallel()
	// Bins (0.2, 0.3]: 0.3 wrong; (0.5, 0.6]: 0.6 right; (0.8, 0.9]: 0.9 and 0.9, right
	// and wrong. ECE = 1/4*|0-0.3| + 1/4*|1-0.6| + 2/4*|0.5-0.9| = 0.075+0.1+0.2.
	c := calibrate([]judged{{0.9, 1}, {0.3, 0}, {0.6, 1}, {0.9, 0}})
	if !near(c.ECE, 0.375) || !near(c.Confidence, 0.675) || !near(c.Correct, 0.5) || len(c.Bins) != 3 {
		t.Errorf("%+v", c)
	}
	// Pairs of right and wrong: 0.9 over 0.3, 0.9 as 0.9 (half), 0.6 over 0.3, 0.6 under
	// 0.9: (1 + 0.5 + 1 + 0) / 4.
	if c.AUROC == nil || !near(*c.AUROC, 0.625) {
		t.Errorf("AUROC %v, want 0.625", c.AUROC)
	}
	if b := c.Bins[2]; b.N != 2 || !near(b.From, 0.8) || !near(b.To, 0.9) || !near(b.Confidence, 0.9) || !near(b.Correct, 0.5) {
		t.Errorf("last bin %+v", b)
	}
	for _, one := range []float64{0, 1} {
		if c := calibrate([]judged{{0, one}, {1, one}}); c.AUROC != nil {
			t.Errorf("all %v: AUROC %v", one, *c.AUROC)
		}
	}
}
