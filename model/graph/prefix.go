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
//	out  for each decoder layer: keys [W, h, d, S] and values [W, h, S, d], S = F*N; in
//	     float16 values [W, h, d, S], and both without their biases, which Step makes up for.
//	     They lie as the step multiplies them fastest.
func Prefix(s Sizes, w Weights, p Precision) ([]byte, error) {
	b := newBuilder("prefix", w, p)
	if p == Int8 {
		b.linear = b.linearInt8
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
		keys, values := b.transpose(k, 0, 2, 3, 1), b.imageValues(v)
		b.Output(keys, b.kind, -1, t.Heads, t.head(), -1)
		b.Output(values, b.kind, b.imageValuesDims(t)...)
		if i+1 == t.Layers {
			break
		}
		q := b.Op("Reshape", []string{b.linear(x, layer+"attention.self.query", t.Hidden, t.Hidden), heads})
		a := b.attend(image{q, k, v, values}, t)
		x = b.afterAttention(b.reshape(a, -1, t.Hidden), x, layer, t)
	}
	return b.bytes()
}

// image is what image tokens look with and at, [W, S, h, d], and the values once more as the
// step multiplies them, [W, h, S, d].
type image struct{ q, k, v, values string }

// attend is attention of all image tokens to all: [W, S, D], however cut.
func (b *builder) attend(i image, t Tower) string {
	if b.gpu() || b.whole(t) {
		rows := func(x string) string { return b.reshape(x, 0, 0, t.Hidden) }
		return b.attention(rows(i.q), rows(i.k), rows(i.v), t)
	}
	q := b.transpose(i.q, 0, 2, 1, 3)
	return b.transpose(b.attendInParts(q, b.transpose(i.k, 0, 2, 1, 3), i.values), 0, 2, 1, 3)
}

// attendParts is in how many parts all attend to all. Four need a quarter of the memory, 30
// MB for six frames of git-large, and no more time.
const attendParts = 4

// attendInParts is attention [W, h, S, d] of all to all, some queries after the others: no more
// than a part's scores are in memory at a time. Queries of zeros fill the last part up.
func (b *builder) attendInParts(q, k, v string) string {
	all := b.dim(q, 2)
	part := b.Op("Div", []string{b.Op("Add", []string{all, b.Ints(attendParts - 1)}), b.Ints(attendParts)})
	missing := b.Op("Sub", []string{b.Op("Mul", []string{part, b.Ints(attendParts)}), all})
	q = b.Op("Pad", []string{q, b.concat(0, b.Ints(0, 0, 0, 0, 0, 0), missing, b.Ints(0))})
	parts := b.Ops("Split", attendParts, []string{q}, onnx.Int("axis", 2), onnx.Int("num_outputs", attendParts))
	for i, part := range parts {
		parts[i] = b.Op("Attention", []string{part, k, v})
	}
	return b.Op("Slice", []string{b.concat(2, parts...), b.Ints(0), all, b.Ints(2)})
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
