package model

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Labels are texts of which one is to be chosen, as a trie of their tokens with the end
// token after each. They never change and may be shared.
type Labels struct {
	of      *Model
	names   []string
	digest  string
	root    *node
	longest int // tokens, the end token not counted
}

// node is a place in the trie. A node without children is the end of a label.
type node struct {
	children map[int64]*node
	order    []int64 // of the children, as first met
	label    int     // at an end: the label's index
}

// Labels makes a trie of names. All that is wrong with them is reported at once.
func (m *Model) Labels(names []string) (*Labels, error) {
	l := &Labels{of: m, names: slices.Clone(names), root: &node{label: -1}}
	var problems []error
	if len(names) == 0 {
		problems = append(problems, errors.New("there are none"))
	}
	for i, name := range names {
		if err := l.add(i, append(m.vocab.Encode(name), m.ends[0]), m); err != nil {
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("make labels: %w", err)
	}
	sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
	l.digest = hex.EncodeToString(sum[:8])
	return l, nil
}

func (l *Labels) add(label int, tokens []int64, m *Model) error {
	if len(tokens) == 1 {
		return fmt.Errorf("label %d is empty", label+1)
	}
	if len(tokens) > int(m.sizes.TextPositions)-1 {
		return fmt.Errorf("label %d has %d tokens, the model takes %d", label+1, len(tokens), m.sizes.TextPositions-1)
	}
	l.longest = max(l.longest, len(tokens)-1)
	at := l.root
	for _, t := range tokens {
		if at.children == nil {
			at.children = map[int64]*node{}
		}
		child := at.children[t]
		if child == nil {
			child = &node{label: -1}
			at.children[t] = child
			at.order = append(at.order, t)
		}
		at = child
	}
	if at.label >= 0 {
		return fmt.Errorf("labels %d and %d, %q and %q, are the same to the model", at.label+1, label+1, l.names[at.label], l.names[label])
	}
	at.label = label
	return nil
}

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

// classifyRows is how many places in the trie are looked at in one run.
const classifyRows = 32

// Classify computes the probability of every label after the prompt, which may be
// empty, exactly, and returns the labels with the likeliest first. What labels begin
// with in common is computed once.
func (m *Model) Classify(ctx context.Context, p *Prefix, prompt string, l *Labels) ([]Score, error) {
	release, err := p.hold(m)
	if err != nil {
		return nil, fmt.Errorf("classify: %w", err)
	}
	defer release()
	if l == nil || l.of != m {
		return nil, errors.New("classify: the labels were not made by this model")
	}
	ids := m.prompt(prompt)
	if room := int(m.sizes.TextPositions) - len(ids); l.longest > room {
		return nil, fmt.Errorf("classify: the longest label has %d tokens, after the prompt there is room for %d", l.longest, room)
	}
	r, logits, err := m.start(ctx, p, [][]int64{ids})
	if err != nil {
		return nil, fmt.Errorf("classify: %w", err)
	}
	defer r.close()
	scores := make([]Score, len(l.names))
	c := classifier{scores: scores, names: l.names}
	if err := c.visit(ctx, r, logits, []branch{{node: l.root}}); err != nil {
		return nil, fmt.Errorf("classify: %w", err)
	}
	normalise(scores)
	return scores, nil
}

// branch is a place in the trie and how likely it is to come there.
type branch struct {
	node    *node
	logProb float64
}

// classifier walks through the trie.
type classifier struct {
	scores []Score
	names  []string
}

// visit looks at places whose rows' logits are known and goes on to all below them.
func (c classifier) visit(ctx context.Context, r *rows, logits [][]float32, at []branch) error {
	if !finite(logits) {
		return errors.New("the model gave numbers that are not finite: are the weights damaged?")
	}
	var below []branch
	var tokens, parents []int64
	for i, b := range at {
		total := logSum(logits[i])
		for _, token := range b.node.order {
			child := branch{b.node.children[token], b.logProb + float64(logits[i][token]) - total}
			if label := child.node.label; label >= 0 {
				c.scores[label] = Score{Label: c.names[label], Index: label, LogProb: child.logProb}
				continue
			}
			below, tokens, parents = append(below, child), append(tokens, token), append(parents, int64(i))
		}
	}
	for from := 0; from < len(below); from += classifyRows {
		to := min(from+classifyRows, len(below))
		next, l, err := r.fork(ctx, tokens[from:to], parents[from:to])
		if err != nil {
			return err
		}
		err = c.visit(ctx, next, l, below[from:to])
		next.close()
		if err != nil {
			return err
		}
	}
	return nil
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
