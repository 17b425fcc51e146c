package graph

import (
	"fmt"

	"github.com/captiond/captiond/model/onnx"
)

// Products is nothing but the matrix products of the encoder's layers, with the
// encoder's own weights, one after the other: the rate at which a runtime can do the
// encoder's work at best.
//
//	in   rows [M, V] float32
//	out  rows [M, V] float32, which mean nothing
func Products(s Sizes, w Weights) ([]byte, error) {
	b := newBuilder("products", w, Target{})
	v := s.Vision
	x := b.Input("rows", onnx.Float32, -1, v.Hidden)
	for i := range v.Layers {
		layer := fmt.Sprintf("%sencoder.layers.%d.", vision, i)
		for _, part := range [...]string{"q_proj", "k_proj", "v_proj", "out_proj"} {
			x = b.owing(x, layer+"self_attn."+part, v.Hidden, v.Hidden).rows
		}
		x = b.owing(x, layer+"mlp.fc1", v.Hidden, v.MLP).rows
		x = b.owing(x, layer+"mlp.fc2", v.MLP, v.Hidden).rows
	}
	b.Output(x, onnx.Float32, -1, v.Hidden)
	return b.bytes()
}
