package model

import (
	"context"
	"fmt"
	"slices"

	"github.com/captiond/captiond/model/graph"
)

// Sizes are those of the checkpoint.
func (m *Model) Sizes() graph.Sizes { return m.sizes }

// Side is the side of the checkpoint's own picture in pixels.
func (m *Model) Side() int { return m.grid * int(m.sizes.Patch) }

// Encoding is the tokens of a text, as a prompt has them.
func (m *Model) Encoding(text string) []int64 { return m.vocab.Encode(text) }

// Products loads the encoder's matrix products alone, on the same runtime and the same
// weights: what the encoder's speed is measured against. Input and output are those of
// graph.Products.
func (m *Model) Products() (Session, error) {
	b, err := graph.Products(m.sizes, m.weights)
	if err != nil {
		return nil, fmt.Errorf("build products: %w", err)
	}
	s, err := m.runtime.NewSession(Graph{ONNX: b, Folder: m.folder})
	if err != nil {
		return nil, fmt.Errorf("load products: %w", err)
	}
	return s, nil
}

// Logits are those of the token after the prompt, one for each entry of the vocabulary.
func (m *Model) Logits(ctx context.Context, p *Prefix, question string) ([]float32, error) {
	logits, err := m.Follow(ctx, p, question, nil)
	if err != nil {
		return nil, err
	}
	return logits[0], nil
}

// Follow returns the logits after the prompt and after each of the tokens that follow it,
// one for each entry of the vocabulary. The prefix is of one window.
func (m *Model) Follow(ctx context.Context, p *Prefix, question string, tokens []int64) ([][]float32, error) {
	release, err := p.hold(m)
	if err != nil {
		return nil, fmt.Errorf("compute logits: %w", err)
	}
	defer release()
	logits, err := m.follow(ctx, p, m.prompt(question), tokens)
	if err != nil {
		return nil, fmt.Errorf("compute logits: %w", err)
	}
	return logits, nil
}

func (m *Model) follow(ctx context.Context, p *Prefix, ids, tokens []int64) ([][]float32, error) {
	r, err := m.start(ctx, p, []prompt{{ids, 0}})
	if err != nil {
		return nil, err
	}
	defer func() { r.close() }()
	all := [][]float32{slices.Clone(r.logits.Float32())}
	for i := range tokens {
		next, err := r.fork(ctx, tokens[i:i+1], []int64{0})
		if err != nil {
			return nil, err
		}
		r.close()
		r, all = next, append(all, slices.Clone(next.logits.Float32()))
	}
	return all, nil
}
