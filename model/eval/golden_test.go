package eval

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// rows decodes the lines of a golden file; testdata/golden.py made it.
func rows[T any](t *testing.T, name string) (all []T) {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var row T
		if err := json.Unmarshal(s.Bytes(), &row); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, row)
	}
	return all
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9 }

func TestTokensAreTheReferences(t *testing.T) {
	t.Parallel()
	tokenizer := NewTokenizer()
	for _, row := range rows[struct{ Text, Tokens string }](t, "tokens.jsonl") {
		if got := strings.Join(tokenizer.Tokens(row.Text), " "); got != row.Tokens {
			t.Errorf("%q\n got  %q\n want %q", row.Text, got, row.Tokens)
		}
	}
}

func FuzzTokens(f *testing.F) {
	for _, seed := range []string{"", "a man's hat", "\xff\x00", "U.S. the", "<a href='", "😀.com", "&quot;&nbsp;", "\n\n", "1 1/2"} {
		f.Add(seed)
	}
	tokenizer := NewTokenizer()
	f.Fuzz(func(t *testing.T, text string) {
		tokens := tokenizer.Tokens(text)
		if slices.Contains(tokens, "") || len(strings.Join(tokens, "")) > 8*len(text)+8 {
			t.Errorf("%q gives %q", text, tokens)
		}
	})
}

func TestCaptionScoresAreTheReferences(t *testing.T) {
	t.Parallel()
	type row struct {
		Candidate  string
		References []string
		ROUGE      float64   `json:"rouge_l"`
		CIDEr      float64   `json:"cider_d"`
		BLEU       []float64 `json:"bleu"`
	}
	all := rows[row](t, "captions.jsonl")
	total, all := all[0], all[1:]
	var corpus cider
	var b bleu
	for _, r := range all {
		corpus.learn(split(r.References))
		b.add(strings.Fields(r.Candidate), split(r.References))
	}
	if got := b.score(); !near(got, total.BLEU[3]) {
		t.Errorf("BLEU-4 %v, want %v", got, total.BLEU[3])
	}
	for _, r := range all {
		text, references := strings.Fields(r.Candidate), split(r.References)
		if got := rougeL(text, references); !near(got, r.ROUGE) {
			t.Errorf("%q: ROUGE-L %v, want %v", r.Candidate, got, r.ROUGE)
		}
		if got := corpus.score(text, references); !near(got, r.CIDEr) {
			t.Errorf("%q: CIDEr-D %v, want %v", r.Candidate, got, r.CIDEr)
		}
	}
}

func split(texts []string) (words [][]string) {
	for _, t := range texts {
		words = append(words, strings.Fields(t))
	}
	return words
}

func TestAnswersAreSpeltAsTheReferencesDo(t *testing.T) {
	t.Parallel()
	for _, row := range rows[struct{ Text, VQA, TextVQA string }](t, "answers.jsonl") {
		if got := normal(trim(row.Text)); got != row.VQA {
			t.Errorf("VQA: %q gives %q, want %q", row.Text, got, row.VQA)
		}
		if got := textVQA(row.Text); got != row.TextVQA {
			t.Errorf("TextVQA: %q gives %q, want %q", row.Text, got, row.TextVQA)
		}
	}
}

func TestAccuraciesAreTheReferences(t *testing.T) {
	t.Parallel()
	type row struct {
		Text         string
		Answers      []string
		VQA, TextVQA float64
	}
	for _, r := range rows[row](t, "accuracies.jsonl") {
		if got := ByVQA.accuracy(r.Text, r.Answers); !near(got, r.VQA) {
			t.Errorf("VQA: %q of %q is %v, want %v", r.Text, r.Answers, got, r.VQA)
		}
		if got := ByTextVQA.accuracy(r.Text, r.Answers); !near(got, r.TextVQA) {
			t.Errorf("TextVQA: %q of %q is %v, want %v", r.Text, r.Answers, got, r.TextVQA)
		}
	}
}
