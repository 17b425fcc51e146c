package graph

import (
	"fmt"
	"math"

	"github.com/captiond/captiond/model/onnx"
)

// Step is the text decoder on new tokens of B rows. Every window has R of them, one window
// after the other: B = W*R. Text keys and values of T tokens so far are taken and handed
// on with the new ones; parents say which row of the past each row goes on from, which is
// how beams and the branches of a trie part.
//
//	in   ids, positions [B, L] int64; mask [B, 1, L, T+L] float32, 0 where a token sees
//	     another and -inf where not; last [n] int64, of the B*L tokens those whose logits
//	     are wanted; parents [B] int64
//	     for each layer: image keys and values as Prefix makes them
//	     for each layer: text keys and values [B', h, T, d]; T may be 0
//	out  logits [n, vocabulary]
//	     for each layer: text keys and values [B, h, T+L, d]
func Step(s Sizes, w Weights, to Target) ([]byte, error) {
	b := newBuilder("step", w, to)
	if to.Precision == Int8 {
		b.product = b.blockProduct
	}
	t := s.Text
	in := stepInputs{
		ids:       b.Input("ids", onnx.Int64, -1, -1),
		positions: b.Input("positions", onnx.Int64, -1, -1),
		mask:      b.Input("mask", onnx.Float32, -1, 1, -1, -1),
		last:      b.Input("last", onnx.Int64, -1),
		parents:   b.Input("parents", onnx.Int64, -1),
	}
	for i := range t.Layers {
		in.imageK = append(in.imageK, b.Input(fmt.Sprint("image_k", i), b.kind, -1, t.Heads, t.head(), -1))
		in.imageV = append(in.imageV, b.Input(fmt.Sprint("image_v", i), b.kind, -1, t.Heads, -1, t.head()))
	}
	for i := range t.Layers {
		in.textK = append(in.textK, b.Input(fmt.Sprint("text_k", i), onnx.Float32, -1, t.Heads, -1, t.head()))
		in.textV = append(in.textV, b.Input(fmt.Sprint("text_v", i), onnx.Float32, -1, t.Heads, -1, t.head()))
	}
	x := b.embed(in, s)
	in.shapes = b.stepShapes(in, t)
	var keys, values []string
	for i := range t.Layers {
		var k, v string
		x, k, v = b.textLayer(x, i, in, t)
		keys, values = append(keys, k), append(values, v)
	}
	b.Output(b.leave(b.head(b.Op("Gather", []string{x, in.last}), s)), onnx.Float32, -1, s.Vocabulary)
	for i := range keys {
		b.Output(keys[i], onnx.Float32, -1, t.Heads, -1, t.head())
		b.Output(values[i], onnx.Float32, -1, t.Heads, -1, t.head())
	}
	return b.bytes()
}

// stepInputs are the names of the step's inputs, and the shapes that follow from them.
type stepInputs struct {
	ids, positions, mask, last, parents string
	imageK, imageV, textK, textV        []string
	shapes                              stepShapes
}

// stepShapes are shapes that all layers share. Only the first is of use to model/ort's operator.
type stepShapes struct {
	tokens   string // [B, L, h, d]
	together string // [W, R*L, h, d]: rows of a window are one matrix against its image
	rows     string // [W, R, h, L, T]: scores of text, by row
	heads    string // [W, h, R, L, T]: the same, by head
	joint    string // [W, h, R*L, T], as those of the image lie
	apart    string // [B, h, L, T]
	split    string // [S, T]: scores of image and of text
}

func (b *builder) stepShapes(in stepInputs, t Tower) stepShapes {
	length := b.dim(in.ids, 1)
	tokens := b.concat(0, b.dim(in.ids, 0), length, b.Ints(t.Heads, t.head()))
	if b.together(t) {
		return stepShapes{tokens: tokens}
	}
	windows, columns := b.dim(in.imageK[0], 0), b.dim(in.mask, 3)
	return stepShapes{
		tokens:   tokens,
		together: b.concat(0, windows, b.Ints(-1, t.Heads, t.head())),
		rows:     b.concat(0, windows, b.Ints(-1, t.Heads), length, columns),
		heads:    b.concat(0, windows, b.Ints(t.Heads, -1), length, columns),
		joint:    b.concat(0, windows, b.Ints(t.Heads, -1), columns),
		apart:    b.concat(0, b.Ints(-1, t.Heads), length, columns),
		split:    b.concat(0, b.dim(in.imageK[0], 3), columns),
	}
}

// embed sums word and position embeddings: [B*L, D].
func (b *builder) embed(in stepInputs, s Sizes) string {
	const embeddings = "git.embeddings."
	words := b.weight(embeddings+"word_embeddings.weight", s.Vocabulary, s.Text.Hidden)
	table := b.weight(embeddings+"position_embeddings.weight", s.TextPositions, s.Text.Hidden)
	word := b.Op("Gather", []string{words, in.ids})
	position := b.Op("Gather", []string{table, in.positions})
	x := b.reshape(b.Op("Add", []string{word, position}), -1, s.Text.Hidden)
	return b.layerNorm(x, embeddings+"LayerNorm", s.Text.Hidden, s.Text.Epsilon)
}

// textLayer returns the layer's output and all text keys and values.
func (b *builder) textLayer(x string, i int64, in stepInputs, t Tower) (out, keys, values string) {
	layer := decoderLayer(i)
	q := b.Op("Reshape", []string{b.linear(x, layer+"attention.self.query", t.Hidden, t.Hidden), in.shapes.tokens})
	k := b.Op("Reshape", []string{b.seen(x, layer+"attention.self.key", t), in.shapes.tokens})
	v := b.Op("Reshape", []string{b.seen(x, layer+"attention.self.value", t), in.shapes.tokens})
	if b.together(t) {
		joint := b.Ops("captiond.StepAttention", 3, []string{ // of model/ort
			q, k, v, in.mask, in.parents, in.imageK[i], in.imageV[i], in.textK[i], in.textV[i],
		})
		return b.afterAttention(joint[0], x, layer, t), joint[1], joint[2]
	}
	keys, values = b.extend(in.textK[i], k, in.parents), b.extend(in.textV[i], v, in.parents)
	joint := b.join(attention{q, b.enter(keys), b.enter(values), in.imageK[i], in.imageV[i]}, in, t)
	return b.afterAttention(joint, x, layer, t), keys, values
}

// together tells whether attention is one operator, model/ort's.
func (b *builder) together(t Tower) bool {
	const mostHead = 128
	return b.own(t) || b.gpu() && t.head()%2 == 0 && t.head() <= mostHead
}

// attention is who looks and what at: q [B, L, h, d], text keys and values [B, h, T, d],
// image keys and values as Prefix makes them.
type attention struct{ q, keys, values, imageK, imageV string }

// extend is the past of each row's parent, [B', h, T, d], and behind it the row's new keys or
// values, [B, L, h, d].
func (b *builder) extend(past, now, parents string) string {
	return b.concat(2, b.Op("Gather", []string{past, parents}), b.transpose(b.leave(now), 0, 2, 1, 3))
}

// join attends to image and text under one softmax and returns rows [B*L, D]. The
// rows of a window are one matrix against its image, whose keys and values are so read
// once and never copied.
func (b *builder) join(a attention, in stepInputs, t Tower) string {
	q := b.Op("Mul", []string{a.q, b.enter(b.Float(float32(1 / math.Sqrt(float64(t.head())))))})
	toImage := b.transpose(b.Op("Reshape", []string{q, in.shapes.together}), 0, 2, 1, 3)          // [W, h, R*L, d]
	image := b.Op("MatMul", []string{toImage, a.imageK})                                          // [W, h, R*L, S]
	text := b.Op("MatMul", []string{b.transpose(q, 0, 2, 1, 3), b.transpose(a.keys, 0, 1, 3, 2)}) // [B, h, L, T]
	text = b.Op("Add", []string{text, b.enter(in.mask)})
	text = b.Op("Reshape", []string{b.swap(text, in.shapes.rows), in.shapes.joint})

	p := b.Op("Softmax", []string{b.concat(3, image, text)}, onnx.Int("axis", -1))
	parts := b.Ops("Split", 2, []string{p, in.shapes.split}, onnx.Int("axis", 3))
	image, text = parts[0], parts[1]

	image = b.transpose(b.Op("MatMul", []string{image, a.imageV}), 0, 2, 1, 3) // [W, R*L, h, d]
	text = b.Op("Reshape", []string{b.swap(text, in.shapes.heads), in.shapes.apart})
	text = b.transpose(b.Op("MatMul", []string{text, a.values}), 0, 2, 1, 3)                    // [B, L, h, d]
	return b.Op("Add", []string{b.reshape(image, -1, t.Hidden), b.reshape(text, -1, t.Hidden)}) // [B*L, D]
}

// swap cuts x into the five dimensions of a shape and exchanges the second and the third.
func (b *builder) swap(x, shape string) string {
	return b.transpose(b.Op("Reshape", []string{x, shape}), 0, 2, 1, 3, 4)
}

// head turns rows into logits.
func (b *builder) head(x string, s Sizes) string {
	return b.linear(x, "output", s.Text.Hidden, s.Vocabulary)
}
