package model

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/captiond/captiond/model/checkpoint"
)

// searchGolden is testdata/search/searches.json, made by generate.py beside it from the
// reference implementations on toy language models.
type searchGolden struct {
	Vocabulary int
	End        int64
	Labels     [][]int64
	Cases      []struct {
		Seed, Beams, Total int
		Prompt, IDs        []int64
		Penalty            float64 `json:"length_penalty"`
		Search             string
		Score              *float64
	}
}

// toyLogits are those of generate.py's toy model.
func (g searchGolden) toyLogits(seed int, ids []int64) []float32 {
	last, length := ids[len(ids)-1], len(ids)
	row := make([]float32, g.Vocabulary)
	for token := range row {
		phase := float64(seed)*12.9898 + float64(last)*78.233 + float64(length)*37.719 + float64(token)*17.31
		l := 3 * math.Sin(phase*phase)
		if int64(token) == g.End {
			l += float64(seed%5 - 2)
		}
		row[token] = float32(l)
	}
	return row
}

// trie of token lists; the end token follows each.
func (g searchGolden) trie() *node {
	var all []label
	for i, tokens := range g.Labels {
		all = append(all, label{i, append(slices.Clone(tokens), g.End)})
	}
	slices.SortFunc(all, label.compare)
	var l Labels
	l.plant(all)
	return l.root
}

func TestSearchesAreTheReferences(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "search", "searches.json"))
	if err != nil {
		t.Fatal(err)
	}
	var g searchGolden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Cases) < 100 {
		t.Fatalf("%d cases, want 100 at least", len(g.Cases))
	}
	exp := newExponential()
	for _, c := range g.Cases {
		limits := limits{ends: []int64{g.End}, prompt: len(c.Prompt), total: c.Total}
		var s search
		switch {
		case c.Search == "trie":
			s = &greedy{limits: limits, labels: g.trie()}
		case c.Search == "microsoft":
			s = newMicrosoftBeam(limits, c.Beams, own(Microsoft, c.Penalty, 0.6))
		case c.Beams > 1:
			s = newHuggingFaceBeam(limits, c.Beams, own(HuggingFace, c.Penalty, 1))
		default:
			s = &greedy{limits: limits}
		}
		runToy(s, c.Prompt, func(ids []int64) outlook { return exp.look(g.toyLogits(c.Seed, ids)) })
		found := s.best()
		if want := slices.DeleteFunc(slices.Clone(c.IDs), func(id int64) bool { return id == g.End }); !slices.Equal(found.tokens, want) {
			t.Errorf("seed %d, %s, %d beams: %v, want %v", c.Seed, c.Search, c.Beams, found.tokens, want)
		}
		if c.Search != "microsoft" && found.ended != slices.Contains(c.IDs, g.End) { // whose output always ends so
			t.Errorf("seed %d, %s: ended %v, want %v", c.Seed, c.Search, found.ended, c.IDs)
		}
		if c.Score != nil && math.Abs(found.score-*c.Score) > 1e-5 {
			t.Errorf("seed %d, %s, %d beams: score %v, want %v", c.Seed, c.Search, c.Beams, found.score, *c.Score)
		}
	}
}

// runToy is what decode does with one search.
func runToy(s search, prompt []int64, look func([]int64) outlook) {
	rows := [][]int64{prompt}
	for {
		var all []outlook
		for _, row := range rows {
			all = append(all, look(row))
		}
		tokens, parents := s.next(all)
		if len(tokens) == 0 {
			return
		}
		next := make([][]int64, len(tokens))
		for i, token := range tokens {
			next[i] = append(slices.Clone(rows[parents[i]]), token)
		}
		rows = next
	}
}

func TestHalf(t *testing.T) {
	t.Parallel()
	for bits, want := range map[uint16]float64{
		0x0000: 0, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0400: 1.0 / (1 << 14), // smallest normal
		0x0001: 1.0 / (1 << 24), 0x83ff: -1023.0 / (1 << 24), 0x3555: 0.333251953125, 0xfc00: math.Inf(-1),
	} {
		if got := float64(math.Float32frombits(half(bits))); got != want {
			t.Errorf("%#04x is %v, want %v", bits, got, want)
		}
	}
	if nan := math.Float32frombits(half(0x7e00)); nan == nan {
		t.Errorf("0x7e00 is %v", nan)
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ofModel, newTokens, positions, asked, prompt, want int
	}{
		{50, 0, 1024, 0, 1, 50},
		{50, 0, 40, 0, 1, 40},
		{50, 0, 40, 20, 1, 20},
		{50, 5, 40, 0, 3, 8},
		{50, 5, 40, 20, 3, 20},
		{50, 0, 40, 100, 1, 40},
	} {
		m := &Model{parts: parts{maxLength: c.ofModel, maxNewTokens: c.newTokens}}
		m.sizes.TextPositions = int64(c.positions)
		if got := m.limit(Request{MaxTokens: c.asked}, c.prompt); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	c := &checkpoint.Checkpoint{}
	if got := length(c); got != 50 {
		t.Errorf("a checkpoint that states no length has %d, want 50", got)
	}
	c.Generation.MaxLength = 20
	if got := length(c); got != 20 {
		t.Errorf("a checkpoint that states 20 has %d", got)
	}
}

// own is a length penalty, or where it is the reference's default the style's own.
func own(style Style, penalty, reference float64) float64 {
	if penalty == reference {
		return Request{Style: style}.penalty()
	}
	return penalty
}
