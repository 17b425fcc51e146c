package model

import (
	"errors"
	"slices"
)

// errNotFinite is why a text cannot be searched for any further.
var errNotFinite = errors.New("the model gave numbers that are not finite: are the weights damaged?")

// search looks for one text. It is used by one goroutine.
type search interface {
	// next takes what may follow each of the rows asked for last, at first the prompt
	// alone, and says which tokens follow which of these rows. None ends it. It keeps no
	// logits.
	next(rows []outlook) (tokens []int64, parents []int)
	// best is the text found.
	best() hypothesis
}

// limits of a search: the end tokens, and the lengths of the prompt and of prompt and
// text together.
type limits struct {
	ends          []int64
	prompt, total int
}

func (l limits) isEnd(token int64) bool { return slices.Contains(l.ends, token) }

// hypothesis is a text, its log-probabilities token by token (the end token's last when
// it has ended) and a beam search's score.
type hypothesis struct {
	tokens   []int64
	logProbs []float64
	ended    bool
	score    float64
}

// grow is the hypothesis with one token more. The receiver stays as it is.
func (h hypothesis) grow(token int64, logProb, score float64) hypothesis {
	return hypothesis{
		tokens:   append(slices.Clone(h.tokens), token),
		logProbs: append(slices.Clone(h.logProbs), logProb),
		score:    score,
	}
}

// end is the hypothesis after its end token.
func (h hypothesis) end(logProb, score float64) hypothesis {
	return hypothesis{
		tokens:   h.tokens,
		logProbs: append(slices.Clone(h.logProbs), logProb),
		ended:    true,
		score:    score,
	}
}

// noRoom is the search after a prompt that fills the whole length.
type noRoom struct{}

func (noRoom) next([]outlook) ([]int64, []int) { return nil, nil }
func (noRoom) best() hypothesis                { return hypothesis{} }

// greedy takes the likeliest token each time: of all, or of those that go on towards a
// label.
type greedy struct {
	limits
	labels *node // nil allows all tokens
	found  hypothesis
}

func (g *greedy) next(rows []outlook) ([]int64, []int) {
	token := g.choose(rows[0])
	p := rows[0].logProb(token)
	if g.isEnd(token) {
		g.found = g.found.end(p, 0)
		return nil, nil
	}
	g.found = g.found.grow(token, p, 0)
	if g.prompt+len(g.found.tokens) >= g.total {
		return nil, nil
	}
	return []int64{token}, []int{0}
}

func (g *greedy) best() hypothesis { return g.found }

// choose is the likeliest token. Of a label's tokens, that before is taken again only
// where nothing else goes on, as in Microsoft's trie_decoder.py.
func (g *greedy) choose(o outlook) int64 {
	if g.labels == nil {
		return o.likeliest
	}
	before := int64(-1)
	if n := len(g.found.tokens); n > 0 {
		before = g.found.tokens[n-1]
	}
	var chosen *node
	for _, child := range g.labels.children {
		if chosen == nil || chosen.token == before || child.token != before && o.logits[child.token] > o.logits[chosen.token] {
			chosen = child
		}
	}
	g.labels = chosen
	return chosen.token
}

// candidate is a way on: a beam and the token after it.
type candidate struct {
	beam    int
	token   int64
	logProb float64 // of the token
	sum     float64 // of the whole text
}

// candidates are the n likeliest ways on from the beams, the best first; among equals
// that of the lower beam and token.
func candidates(beams []hypothesis, rows []outlook, n int) []candidate {
	var best []candidate
	for b, row := range rows {
		for t := range row.logits {
			p := row.logProb(int64(t))
			c := candidate{b, int64(t), p, beams[b].score + p}
			if len(best) == n && c.sum <= best[n-1].sum {
				continue
			}
			at, _ := slices.BinarySearchFunc(best, c.sum, func(o candidate, sum float64) int {
				if o.sum >= sum {
					return -1
				}
				return 1
			})
			best = slices.Insert(best, at, c)
			best = best[:min(n, len(best))]
		}
	}
	return best
}
