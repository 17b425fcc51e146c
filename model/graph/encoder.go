package graph

import (
	"fmt"

	"github.com/captiond/captiond/model/onnx"
)

const vision = "git.image_encoder.vision_model."

// Encoder is the vision transformer (CLIP's, pre-LN).
//
//	in   pixels [n, C, H, W]; positions [N, V] float32, N = H/P * W/P + 1, the checkpoint's
//	     position table or what interpolation made of it
//	out  features [n, N, V], after post_layernorm
//
// Pixels and features are float16 in that precision, else float32.
func Encoder(s Sizes, w Weights, to Target) ([]byte, error) {
	b := newBuilder("encoder", w, to)
	b.product = b.packedProduct
	if to.Precision == Int8 {
		b.product = b.int8Product
	}
	v := s.Vision
	pixels := b.Input("pixels", b.kind, -1, s.Channels, -1, -1)
	positions := b.enter(b.Input("positions", onnx.Float32, -1, v.Hidden))
	frames := b.dim(pixels, 0)
	tokens := b.concat(0, frames, b.Ints(-1, v.Hidden)) // the shape [n, N, V]

	x := b.Op("Add", []string{b.patches(pixels, frames, s), positions})
	x = b.reshape(x, -1, v.Hidden)
	x = b.layerNorm(x, vision+"pre_layrnorm", v.Hidden, v.Epsilon)
	h := b.layerNorm(x, vision+"encoder.layers.0.layer_norm1", v.Hidden, v.Epsilon)
	for i := range v.Layers {
		layer := fmt.Sprintf("%sencoder.layers.%d.", vision, i)
		next := vision + "post_layernorm"
		if i+1 < v.Layers {
			next = fmt.Sprintf("%sencoder.layers.%d.layer_norm1", vision, i+1)
		}
		a := b.visionAttention(h, layer+"self_attn.", tokens, v)
		h, x = b.addNorm(a, x, layer+"layer_norm2", v)
		h, x = b.addNorm(b.mlp(h, layer+"mlp.fc1", layer+"mlp.fc2", v), x, next, v)
	}
	b.Output(b.Op("Reshape", []string{h, tokens}), b.kind, -1, -1, v.Hidden)
	return b.bytes()
}

// patches are the class token and the picture's patches, row by row: [n, N, V].
func (b *builder) patches(pixels, frames string, s Sizes) string {
	v := s.Vision.Hidden
	x := b.patchEmbedding(pixels, s)
	class := b.weight(vision+"embeddings.class_embedding", 1, 1, v)
	class = b.Op("Expand", []string{class, b.concat(0, frames, b.Ints(1, v))})
	return b.concat(1, class, x)
}

func (b *builder) patchEmbedding(pixels string, s Sizes) string {
	const weight = vision + "embeddings.patch_embedding.weight"
	if b.gpu() {
		return b.patchRows(pixels, weight, s)
	}
	v, p := s.Vision.Hidden, s.Patch
	x := b.Op("Conv", []string{pixels, b.weight(weight, v, s.Channels, p, p)}, onnx.Ints("kernel_shape", p, p), onnx.Ints("strides", p, p))
	return b.transpose(b.reshape(x, 0, v, -1), 0, 2, 1)
}

func (b *builder) visionAttention(x, layer, tokens string, t Tower) owed {
	q := b.Op("Reshape", []string{b.linear(x, layer+"q_proj", t.Hidden, t.Hidden), tokens})
	k := b.Op("Reshape", []string{b.seen(x, layer+"k_proj", t), tokens})
	v := b.Op("Reshape", []string{b.seen(x, layer+"v_proj", t), tokens})
	return b.output(b.reshape(b.attention(q, k, v, t), -1, t.Hidden), layer+"out_proj", layer+"v_proj", t)
}
