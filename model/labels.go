package model

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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
	places  []place
	longest int // tokens, the end token not counted
}

// node is a place in the trie. A node without children is the end of a label.
type node struct {
	token    int64
	children []*node // by their tokens
	label    int     // at an end: the label's index, else -1
	place    int     // at no end: its index in Labels.places, -1 for the root
}

// place is a node that has children, the root left out. What is below a place follows it
// at once, so that the places above one are the last ones met at each depth.
type place struct {
	*node
	parent int // index; -1 for the root
	depth  int // tokens before it, 0 below the root
}

// LabelError says what is wrong with a label.
type LabelError struct {
	Index  int    // in the list that the labels are made of
	Reason string // such as "is empty"
	Twin   int    // the index of a label before it with the same tokens, else -1
}

func (e LabelError) Error() string { return fmt.Sprintf("label %d %s", e.Index+1, e.Reason) }

// LabelErrors are all that is wrong with a list of labels, in its order.
type LabelErrors []LabelError

func (es LabelErrors) Error() string {
	const shown = 10
	var lines []string
	for _, e := range es[:min(len(es), shown)] {
		lines = append(lines, e.Error())
	}
	if more := len(es) - shown; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "; ")
}

// Labels makes a trie of names. All that is wrong with them is reported at once, as
// LabelErrors: those that are empty, that have more tokens than the model takes or an end
// token among them, and those that are the same to the model. What the vocabulary cannot
// spell is the unknown token, and as likely as that is.
func (m *Model) Labels(names []string) (*Labels, error) {
	if len(names) == 0 {
		return nil, errors.New("make labels: there are none")
	}
	l := &Labels{of: m, names: slices.Clone(names)}
	var all []label
	var wrong LabelErrors
	for i, name := range names {
		tokens := m.vocab.Encode(name)
		if reason := m.refuse(tokens); reason != "" {
			wrong = append(wrong, LabelError{i, reason, -1})
			continue
		}
		l.longest = max(l.longest, len(tokens))
		all = append(all, label{i, append(tokens, m.ends[0])})
	}
	slices.SortFunc(all, label.compare)
	wrong = append(wrong, twins(all, names)...)
	if len(wrong) > 0 {
		slices.SortFunc(wrong, func(a, b LabelError) int { return a.Index - b.Index })
		return nil, fmt.Errorf("make labels: %w", wrong)
	}
	l.plant(all)
	sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
	l.digest = hex.EncodeToString(sum[:8])
	return l, nil
}

// refuse says what is wrong with a label's tokens, if anything is.
func (m *Model) refuse(tokens []int64) string {
	limit := int(m.sizes.TextPositions) - 1
	switch {
	case len(tokens) == 0:
		return "is empty"
	case len(tokens) > limit:
		return fmt.Sprintf("has %d tokens, the model takes %d", len(tokens), limit)
	case slices.ContainsFunc(tokens, limits{ends: m.ends}.isEnd):
		return "has a token that ends a text"
	}
	return ""
}

// label is the tokens of a label with the end token.
type label struct {
	index  int
	tokens []int64
}

func (l label) compare(o label) int {
	return cmp.Or(slices.Compare(l.tokens, o.tokens), l.index-o.index)
}

// twins are the labels that have the tokens of one before them. They are sorted.
func twins(sorted []label, names []string) (wrong []LabelError) {
	for i := 1; i < len(sorted); i++ {
		a, b := sorted[i-1], sorted[i]
		if slices.Equal(a.tokens, b.tokens) {
			reason := fmt.Sprintf("(%q) is the same to the model as label %d (%q)", names[b.index], a.index+1, names[a.index])
			wrong = append(wrong, LabelError{b.index, reason, a.index})
		}
	}
	return wrong
}

// plant makes the trie of labels that are sorted and differ.
func (l *Labels) plant(sorted []label) {
	l.root = &node{label: -1, place: -1}
	path := []*node{l.root} // to the label before
	var before []int64
	for _, label := range sorted {
		shared := 0
		for shared < len(before) && before[shared] == label.tokens[shared] {
			shared++
		}
		path, before = path[:shared+1], label.tokens
		for _, token := range label.tokens[shared:] {
			at := path[len(path)-1]
			child := &node{token: token, label: -1}
			at.children = append(at.children, child)
			if len(path) == len(label.tokens) {
				child.label = label.index
			} else {
				child.place = len(l.places)
				l.places = append(l.places, place{child, at.place, len(path) - 1})
			}
			path = append(path, child)
		}
	}
}
