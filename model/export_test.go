package model

import (
	"context"
	"image"

	"github.com/captiond/captiond/model/pixels"
)

// Pixels is what the encoder is fed with: samples before normalising, then after.
func (m *Model) Pixels(img *image.RGBA, v pixels.View) ([]byte, []float32) {
	size := m.sizeOf(img, v)
	normal := make([]float32, 3*size.X*size.Y)
	m.transform.Apply(normal, img, v)
	var raw []byte
	shown := m.transform.Resample(img, v)
	for y := range size.Y {
		row := shown.Pix[y*shown.Stride:][:4*size.X]
		for x := 0; x < len(row); x += 4 {
			raw = append(raw, row[x:x+3]...)
		}
	}
	return raw, normal
}

// EncodeTogether puts pictures of one size through the encoder in one run, as on a GPU.
func (m *Model) EncodeTogether(ctx context.Context, imgs []*image.RGBA, v pixels.View) ([]*Features, error) {
	return m.encode(ctx, imgs, v)
}

// PromptIDs is what the decoder is started with.
func (m *Model) PromptIDs(question string) []int64 { return m.prompt(question) }

// LabelIDs are a label's tokens with the end token.
func (m *Model) LabelIDs(name string) []int64 { return append(m.vocab.Encode(name), m.ends[0]) }

// StepLogits are the logits after the prompt and after each of the tokens.
func (m *Model) StepLogits(ctx context.Context, p *Prefix, ids, tokens []int64) ([][]float32, error) {
	return m.follow(ctx, p, ids, tokens)
}

// Blank are features of so many image tokens that show nothing.
func (m *Model) Blank(tokens int) *Features {
	n := tokens * m.width()
	return &Features{of: m, tokens: tokens, floats: make([]float32, n), halves: make([]uint16, n)}
}
