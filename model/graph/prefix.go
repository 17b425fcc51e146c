package graph

import (
	"fmt"

	"github.com/captiond/captiond/model/onnx"
)

// Prefix is what the text decoder does with image tokens, which see each other and
// never text. Of its last layer only keys and values are needed.
//
//	in   features [F, N, V] float32; temporal [F, V] float32, the temporal embeddings,
//	     or zeros where the checkpoint has none
//	out  for each decoder layer: keys [h, d, S] and values [h, S, d] float32, S = F*N.
//	     Keys lie as the step multiplies them.
func Prefix(s Sizes, w Weights) ([]byte, error) {
	b := newBuilder("prefix", w)
	v, t := s.Vision, s.Text
	features := b.Input("features", onnx.Float32, -1, -1, v.Hidden)
	temporal := b.Input("temporal", onnx.Float32, -1, v.Hidden)
	x := b.Op("Add", []string{features, b.Op("Unsqueeze", []string{temporal, b.Ints(1)})})
	x = b.reshape(x, -1, v.Hidden)
	const projection = "git.visual_projection.visual_projection."
	x = b.linear(x, projection+"0", v.Hidden, t.Hidden)
	x = b.layerNorm(x, projection+"1", t.Hidden, v.Epsilon)
	for i := range t.Layers {
		layer := decoderLayer(i)
		k := b.heads(b.linear(x, layer+"attention.self.key", t.Hidden, t.Hidden), t)
		value := b.heads(b.linear(x, layer+"attention.self.value", t.Hidden, t.Hidden), t)
		b.Output(b.transpose(b.Op("Squeeze", []string{k, b.Ints(0)}), 0, 2, 1), onnx.Float32, t.Heads, t.head(), -1)
		b.Output(b.Op("Squeeze", []string{value, b.Ints(0)}), onnx.Float32, t.Heads, -1, t.head())
		if i+1 == t.Layers {
			break
		}
		q := b.heads(b.linear(x, layer+"attention.self.query", t.Hidden, t.Hidden), t)
		a := b.Op("Attention", []string{q, k, value})
		x = b.afterAttention(b.reshape(b.transpose(a, 0, 2, 1, 3), -1, t.Hidden), x, layer, t)
	}
	return b.bytes()
}

// heads cuts rows [S, D] into heads [1, h, S, d].
func (b *builder) heads(x string, t Tower) string {
	return b.transpose(b.reshape(x, 1, -1, t.Heads, t.head()), 0, 2, 1, 3)
}

// afterAttention is the rest of a decoder layer (BERT's, post-LN).
func (b *builder) afterAttention(attended, x, layer string, t Tower) string {
	a := b.linear(attended, layer+"attention.output.dense", t.Hidden, t.Hidden)
	x, _ = b.addNorm(a, x, layer+"attention.output.LayerNorm", t)
	m := b.mlp(x, layer+"intermediate.dense", layer+"output.dense", t)
	x, _ = b.addNorm(m, x, layer+"output.LayerNorm", t)
	return x
}

func decoderLayer(i int64) string { return fmt.Sprintf("git.encoder.layer.%d.", i) }
