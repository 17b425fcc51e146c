package bench

import "github.com/captiond/captiond/model/graph"

// Work is how much there is to compute for a clip of some frames: floating-point
// operations, two for each multiply-add, of matrix products and attention. All else
// (norms, activations, softmax, copies) counts as nothing, so that a share of the
// matrix-multiply rate is never flattered.
type Work struct{ Encoder, Prefix float64 }

// Count returns the work for frames frames of tokens image tokens each, patches being
// one of them fewer (the class token).
func Count(s graph.Sizes, frames, tokens int64) Work {
	n, patches := tokens, tokens-1
	kernel := s.Channels * s.Patch * s.Patch
	encoder := product(patches, kernel, s.Vision.Hidden) + float64(s.Vision.Layers)*layer(n, s.Vision)

	all := frames * tokens
	projection := product(all, s.Vision.Hidden, s.Text.Hidden)
	lastLayer := 2 * product(all, s.Text.Hidden, s.Text.Hidden) // keys and values alone
	prefix := projection + float64(s.Text.Layers-1)*layer(all, s.Text) + lastLayer
	return Work{Encoder: float64(frames) * encoder, Prefix: prefix}
}

// layer is one transformer layer on n tokens that all see one another.
func layer(n int64, t graph.Tower) float64 {
	linear := 4*product(n, t.Hidden, t.Hidden) + 2*product(n, t.Hidden, t.MLP)
	attention := 2 * product(n, n, t.Hidden)
	return linear + attention
}

// product is a matrix product of m x k and k x n.
func product(m, k, n int64) float64 { return 2 * float64(m) * float64(k) * float64(n) }

// TokenBytes is what must be read from memory for one token of text: the weights of the
// decoder's layers and of the head, and keys and values of the image tokens and of the
// text so far, some columns together. All else (biases, norms, one row of the word
// embeddings) counts as nothing, so that a share of the bandwidth is never flattered.
func TokenBytes(s graph.Sizes, p graph.Precision, columns int64) float64 {
	t := s.Text
	weights := t.Layers*(4*t.Hidden*t.Hidden+2*t.Hidden*t.MLP) + t.Hidden*s.Vocabulary
	cache := 2 * t.Layers * columns * t.Hidden
	return p.StepWeightBytes()*float64(weights) + cacheBytes(p)*float64(cache)
}

// cacheBytes is the size of one number of the keys and values.
func cacheBytes(p graph.Precision) float64 {
	if p == graph.Float16 {
		return 2
	}
	return 4
}
