package graph

import (
	"fmt"

	"github.com/captiond/captiond/model/onnx"
)

// Prefix is what the text decoder does with image tokens, which see each other and
// never text, for W windows at once. Of its last layer only keys and values are needed.
//
//	in   features [W, F, N, V] as Encoder makes them; temporal [F, V] float32, the temporal
//	     embeddings, or zeros where the checkpoint has none
//	out  for each decoder layer: keys [W, h, d, S] and values [W, h, S, d], S = F*N. They lie
//	     as the step multiplies them fastest, and are without their biases, which Step makes
//	     up for.
func Prefix(s Sizes, w Weights, to Target) ([]byte, error) {
	b := newBuilder("prefix", w, to)
	b.product = b.packedProduct
	if to.Precision == Int8 {
		b.product = b.int8Product
	}
	v, t := s.Vision, s.Text
	features := b.Input("features", b.kind, -1, -1, -1, v.Hidden)
	temporal := b.enter(b.Input("temporal", onnx.Float32, -1, v.Hidden))
	heads := b.concat(0, b.dim(features, 0), b.Ints(-1, t.Heads, t.head())) // the shape [W, S, h, d]
	x := b.Op("Add", []string{features, b.Op("Unsqueeze", []string{temporal, b.Ints(1)})})
	x = b.reshape(x, -1, v.Hidden)
	const projection = "git.visual_projection.visual_projection."
	x = b.linear(x, projection+"0", v.Hidden, t.Hidden)
	x = b.layerNorm(x, projection+"1", t.Hidden, v.Epsilon)
	for i := range t.Layers {
		layer := decoderLayer(i)
		k := b.Op("Reshape", []string{b.seen(x, layer+"attention.self.key", t), heads})
		v := b.Op("Reshape", []string{b.seen(x, layer+"attention.self.value", t), heads})
		keys, values := b.transpose(k, 0, 2, 3, 1), b.transpose(v, 0, 2, 1, 3)
		b.Output(keys, b.kind, -1, t.Heads, t.head(), -1)
		b.Output(values, b.kind, -1, t.Heads, -1, t.head())
		if i+1 == t.Layers {
			break
		}
		q := b.Op("Reshape", []string{b.linear(x, layer+"attention.self.query", t.Hidden, t.Hidden), heads})
		a := b.attend(image{q, k, v, values}, t)
		x = b.afterAttention(b.reshape(a, -1, t.Hidden), x, layer, t)
	}
	return b.bytes()
}

// afterAttention is the rest of a decoder layer (BERT's, post-LN).
func (b *builder) afterAttention(attended, x, layer string, t Tower) string {
	a := b.output(attended, layer+"attention.output.dense", layer+"attention.self.value", t)
	x, _ = b.addNorm(a, x, layer+"attention.output.LayerNorm", t)
	m := b.mlp(x, layer+"intermediate.dense", layer+"output.dense", t)
	x, _ = b.addNorm(m, x, layer+"output.LayerNorm", t)
	return x
}

func decoderLayer(i int64) string { return fmt.Sprintf("git.encoder.layer.%d.", i) }
