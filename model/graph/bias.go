package graph

import (
	"strings"

	"github.com/captiond/captiond/model/onnx"
)

// A product with a bias is two in ONNX Runtime, the first of which writes the bias everywhere:
// on a CPU in one thread, which takes a thirtieth of the time of all. The sum or activation that
// follows adds it for nothing, and two biases of attention are not needed at all.

// product is a linear layer without its bias, as a node: that would be the next input.
type product struct {
	op         string
	inputs     []string
	attributes []onnx.Attribute
}

// linear is a linear layer: rows [n, in] to [n, out].
func (b *builder) linear(x, name string, in, out int64) string {
	p := b.product(x, name, in, out)
	return b.Op(p.op, append(p.inputs, b.weight(name+".bias", out)), p.attributes...)
}

// owed is what a linear layer makes without its bias, and the name of that.
type owed struct{ rows, bias string }

func (b *builder) owing(x, name string, in, out int64) owed {
	p := b.product(x, name, in, out)
	return owed{b.Op(p.op, p.inputs, p.attributes...), name + ".bias"}
}

// seen is the linear layer of keys or of values, which stays without its bias: that of keys
// adds the same to all scores of a query, which softmax does not see, and that of values is
// output's matter.
func (b *builder) seen(x, name string, t Tower) string {
	return b.owing(x, name, t.Hidden, t.Hidden).rows
}

// output is the linear layer after attention. The weights of attention sum to 1, so that all
// rows lack the same where values lack their bias: what the layer makes of it.
func (b *builder) output(x, name, values string, t Tower) owed {
	y := b.owing(x, name, t.Hidden, t.Hidden)
	if !b.Has(y.bias) {
		b.Raw(y.bias, b.kind, []int64{t.Hidden}, b.bytesOf(b.biasOfBoth(name, values, t.Hidden)))
	}
	return y
}

func (b *builder) biasOfBoth(name, values string, n int64) []float32 {
	w, bias, v := b.floats(name+".weight", n*n), b.floats(name+".bias", n), b.floats(values+".bias", n)
	both := make([]float32, n)
	for o := range n {
		sum := float64(bias[o])
		for i, weight := range w[o*n:][:n] {
			sum += float64(weight) * float64(v[i])
		}
		both[o] = float32(sum)
	}
	return both
}

// widen is the first layer of an MLP with the activation, in one operator or in two of which the
// second adds the bias. Those of captiond are model/ort's.
func (b *builder) widen(x, name string, t Tower) string {
	p, bias := b.product(x, name, t.Hidden, t.MLP), b.weight(name+".bias", t.MLP)
	one := func(op string, attributes ...onnx.Attribute) string {
		return b.Op(op, append(p.inputs, bias), append(p.attributes, attributes...)...)
	}
	two := func(op string, attributes ...onnx.Attribute) string {
		return b.Op(op, []string{b.Op(p.op, p.inputs, p.attributes...), bias}, attributes...)
	}
	alpha, own := onnx.Float("alpha", quickGelu), strings.HasPrefix(p.op, "captiond.")
	switch {
	case own && t.Activation == "gelu":
		return one(p.op + "Gelu")
	case own && t.Activation == "quick_gelu":
		return one(p.op+"QuickGelu", alpha)
	case b.cpu() && t.Activation == "gelu":
		return two("captiond.BiasGelu")
	case t.Activation == "gelu":
		return two("com.microsoft.BiasGelu")
	case t.Activation == "quick_gelu" && (b.cpu() || b.gpu() && t.MLP%8 == 0):
		return two("captiond.BiasQuickGelu", alpha)
	}
	return b.activation(one(p.op), t.Activation)
}
