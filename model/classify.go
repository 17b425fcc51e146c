package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Score is how likely a label is.
type Score struct {
	Label string
	Index int // in the list that Labels was made of
	// LogProb is the natural logarithm of the probability that the model says exactly
	// this label.
	LogProb float64
	// Probability is that of the label given that one of the labels is said: they sum to 1.
	Probability float64
}

// classifyPlaces is how many places of the trie are looked at in one run. Fewer leave the
// matrix products narrow, more gain nothing (docs/performance.md) and take more memory,
// 120 kB of logits each at git-base's shape.
const classifyPlaces = 128

// ErrNoRoom is returned by Classify where the longest label is too long to follow the prompt.
var ErrNoRoom = errors.New("after the prompt there is room for fewer")

// Classify computes the probability of every label after the prompt, which may be
// empty, exactly, and returns the labels with the likeliest first, among equals that
// which is first in the list. What labels begin with in common is computed once. The
// prefix is of one window.
func (m *Model) Classify(ctx context.Context, p *Prefix, prompt string, l *Labels) ([]Score, error) {
	release, err := p.hold(m)
	if err != nil {
		return nil, fmt.Errorf("classify: %w", err)
	}
	defer release()
	if l == nil || l.of != m {
		return nil, errors.New("classify: the labels were not made by this model")
	}
	if p.windows != 1 {
		return nil, fmt.Errorf("classify: %d windows were begun together, one is wanted", p.windows)
	}
	ids := m.prompt(prompt)
	if room := int(m.sizes.TextPositions) - len(ids); l.longest > room {
		return nil, fmt.Errorf("classify: the longest label has %d tokens, %w: %d", l.longest, ErrNoRoom, room)
	}
	scores, err := m.walk(ctx, p, ids, l)
	if err != nil {
		return nil, fmt.Errorf("classify: %w", err)
	}
	normalise(scores)
	return scores, nil
}

// walk goes through the trie and returns the labels' scores in their order, without
// Probability.
func (m *Model) walk(ctx context.Context, p *Prefix, ids []int64, l *Labels) ([]Score, error) {
	r, err := m.start(ctx, p, []prompt{{ids, 0}})
	if err != nil {
		return nil, err
	}
	w := walk{Labels: l, prefix: p, prompt: len(ids), past: r.past,
		logProbs: make([]float64, len(l.places)), scores: make([]Score, len(l.names))}
	defer func() { closeAll(w.past) }()
	defer r.logits.Close()
	if err := w.score(l.root, 0, r.outlooks()[0]); err != nil {
		return nil, err
	}
	for from := 0; from < len(l.places); from += classifyPlaces {
		if err := w.run(ctx, from, min(from+classifyPlaces, len(l.places))); err != nil {
			return nil, err
		}
	}
	return w.scores, nil
}

// A walk looks at the places of a trie in their order, many in one run: all are one row
// of text, in which a token sees the prompt, the places above its own and itself. Every
// place is computed once, whatever is below it.
type walk struct {
	*Labels
	prefix *Prefix
	prompt int     // tokens
	past   []Value // keys and values of the prompt and of open
	open   []int   // the places above the next, from the root on

	logProbs []float64 // of coming to each place, where it is known
	scores   []Score
}

// run looks at places from one to another.
func (w *walk) run(ctx context.Context, from, to int) error {
	n, before := to-from, w.prompt+len(w.open)
	ids, positions, rows := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, p := range w.places[from:to] {
		ids[i], positions[i], rows[i] = p.token, int64(w.prompt+p.depth), int64(i)
	}
	out, err := w.of.run(ctx, w.of.step, []tensor{
		{data: ids, shape: []int64{1, int64(n)}},
		{data: positions, shape: []int64{1, int64(n)}},
		{data: w.mask(from, to), shape: []int64{1, 1, int64(n), int64(before + n)}},
		{data: rows, shape: []int64{int64(n)}},
		{data: []int64{0}, shape: []int64{1}},
	}, slices.Concat(w.prefix.images, w.past)...)
	if err != nil {
		return err
	}
	defer closeAll(out)
	outlooks := w.of.exp.lookAll(slices.Collect(slices.Chunk(out[0].Float32(), int(w.of.sizes.Vocabulary))))
	for i, p := range w.places[from:to] {
		if err := w.score(p.node, w.logProbs[from+i], outlooks[i]); err != nil {
			return err
		}
	}
	if to == len(w.places) {
		return nil
	}
	return w.advance(out[1:], from, to)
}

// mask is 0 where a place sees a column, else -inf.
func (w *walk) mask(from, to int) []float32 {
	columns := w.prompt + len(w.open) + to - from
	mask := make([]float32, (to-from)*columns)
	hidden := float32(math.Inf(-1))
	for i := range to - from {
		row := mask[i*columns:][:columns]
		for c := w.prompt; c < columns; c++ {
			row[c] = hidden
		}
		for at := from + i; at >= 0; at = w.places[at].parent {
			row[w.column(at, from)] = 0
		}
	}
	return mask
}

// column is that of a place's keys in a run that begins with place from.
func (w *walk) column(at, from int) int {
	if at < from { // it is above from, or nobody would ask
		return w.prompt + w.places[at].depth
	}
	return w.prompt + len(w.open) + at - from
}

// score notes how likely what follows a place is, to which one comes with logProb.
func (w *walk) score(at *node, logProb float64, o outlook) error {
	for _, child := range at.children {
		p := logProb - o.logSum + float64(o.logits[child.token])
		if math.IsNaN(p) || math.IsInf(p, 0) {
			return errNotFinite
		}
		if child.label >= 0 {
			w.scores[child.label] = Score{Label: w.names[child.label], Index: child.label, LogProb: p}
		} else {
			w.logProbs[child.place] = p
		}
	}
	return nil
}

// advance keeps, of the keys and values after a run, those that place next will see.
func (w *walk) advance(all []Value, from, next int) error {
	var open, columns []int
	for at := w.places[next].parent; at >= 0; at = w.places[at].parent {
		open, columns = append(open, at), append(columns, w.column(at, from))
	}
	for c := range w.prompt {
		columns = append(columns, w.prompt-1-c)
	}
	slices.Reverse(open)
	slices.Reverse(columns)
	var past []Value
	for _, v := range all {
		kept, err := w.of.columns(v, columns)
		if err != nil {
			closeAll(past)
			return err
		}
		past = append(past, kept)
	}
	closeAll(w.past)
	w.past, w.open = past, open
	return nil
}

// columns copies some columns of a row's keys or values, [1, heads, columns, d].
func (m *Model) columns(v Value, columns []int) (Value, error) {
	shape, data := v.Shape(), v.Float32()
	all, d := int(shape[2]), int(shape[3])
	kept := make([]float32, 0, int(shape[1])*len(columns)*d)
	for head := range int(shape[1]) {
		for _, c := range columns {
			kept = append(kept, data[(head*all+c)*d:][:d]...)
		}
	}
	return m.runtime.Wrap(kept, 1, shape[1], int64(len(columns)), shape[3])
}

// normalise sorts scores and makes the probabilities sum to 1.
func normalise(scores []Score) {
	slices.SortStableFunc(scores, func(a, b Score) int {
		switch {
		case a.LogProb > b.LogProb:
			return -1
		case a.LogProb < b.LogProb:
			return 1
		}
		return 0
	})
	total := 0.0
	for _, s := range scores {
		total += math.Exp(s.LogProb - scores[0].LogProb)
	}
	for i := range scores {
		scores[i].Probability = math.Exp(scores[i].LogProb-scores[0].LogProb) / total
	}
}
