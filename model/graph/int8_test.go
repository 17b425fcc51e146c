package graph

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/captiond/captiond/model/onnx"
)

// matrices of sizes that are no multiples of a block, with an output of zeros and one whose
// greatest weight is negative.
func matrices() map[string]struct{ in, out int } {
	return map[string]struct{ in, out int }{"one": {1, 1}, "short": {5, 3}, "block": {32, 16}, "odd": {67, 35}, "wide": {768, 40}}
}

func random(in, out int) []float32 {
	r := rand.New(rand.NewPCG(uint64(in), uint64(out)))
	w := make([]float32, in*out)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	clear(w[:in])
	w[len(w)-1] = -9
	return w
}

func TestQuantizeOutputs(t *testing.T) {
	t.Parallel()
	for name, c := range matrices() {
		w := random(c.in, c.out)
		q, scales := quantizeOutputs(w, c.in, c.out)
		for o := range c.out {
			for i := range c.in {
				got := float32(int8(q[i*c.out+o])) * scales[o]
				if off := math.Abs(float64(got - w[o*c.in+i])); off > float64(scales[o])*0.5001 {
					t.Fatalf("%s: weight [%d, %d] is %v, want %v within half of %v", name, o, i, got, w[o*c.in+i], scales[o])
				}
			}
		}
	}
}

func TestQuantizePanels(t *testing.T) {
	t.Parallel()
	for name, c := range matrices() {
		w := random(c.in, c.out)
		q, offsets, scales := quantizePanels(w, c.in, c.out)
		groups, sums := (c.in+deep-1)/deep*deep/group, make([]int32, len(offsets))
		for at, v := range q {
			i := at/(panel*group)%groups*group + at%group
			o := at/(panel*group)/groups*panel + at/group%panel
			sums[o] += int32(int8(v))
			want := float32(0)
			if o < c.out && i < c.in {
				want = w[o*c.in+i]
			}
			if off := math.Abs(float64(float32(int8(v))*scales[o] - want)); off > float64(scales[o])*0.5001 {
				t.Fatalf("%s: weight [%d, %d] is %v of %v, want %v", name, o, i, int8(v), scales[o], want)
			}
		}
		for o, sum := range sums {
			if offsets[o] != -128*sum {
				t.Errorf("%s: offset %d is %d, want %d", name, o, offsets[o], -128*sum)
			}
		}
	}
}

func TestQuantizeBlocks(t *testing.T) {
	t.Parallel()
	for name, c := range matrices() {
		w := random(c.in, c.out)
		q, scales := quantizeBlocks(w, c.in, c.out)
		blocks := (c.in + block - 1) / block
		if len(q) != c.out*blocks*block || len(scales) != c.out*blocks {
			t.Fatalf("%s: %d weights and %d scales", name, len(q), len(scales))
		}
		for at, v := range q {
			row, column, scale := at/(blocks*block), at%(blocks*block), scales[at/block]
			got, want := float32(int(v)-128)*scale, float32(0)
			if column < c.in {
				want = w[row*c.in+column]
			}
			if math.Abs(float64(got-want)) > float64(scale)*0.5001 {
				t.Fatalf("%s: weight [%d, %d] is %v, want %v within half of %v", name, row, column, got, want, scale)
			}
		}
	}
}

// The weights of a linear layer that is used twice are in the graph once, and so is what is
// read by several.
func TestInt8SharesWhatItCan(t *testing.T) {
	t.Parallel()
	b := newBuilder("shared", inline{func(name string) int64 {
		if strings.HasSuffix(name, ".bias") {
			return 2
		}
		return 4
	}}, Target{Precision: Int8, GPU: true}) // with operators of ONNX Runtime alone
	b.product = b.int8Product
	x := b.Input("x", onnx.Float32, -1, 2)
	b.linear(b.linear(x, "layer", 2, 2), "layer", 2, 2)
	b.linear(x, "other", 2, 2)
	got, err := b.bytes()
	if err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]int{"DynamicQuantizeLinear\x3a": 2, "MatMulIntegerToFloat\x3a": 3} {
		if n := strings.Count(string(got), word); n != want {
			t.Errorf("%d of %q, want %d", n, word, want)
		}
	}
}

func TestParsePrecision(t *testing.T) {
	t.Parallel()
	for _, p := range []Precision{Float32, Int8, Float16} {
		if got, err := ParsePrecision(p.String()); err != nil || got != p {
			t.Errorf("%v becomes %v, %v", p, got, err)
		}
	}
	if p, err := ParsePrecision(""); err != nil || p != Float32 {
		t.Errorf("nothing becomes %v, %v", p, err)
	}
	if _, err := ParsePrecision("int4"); err == nil {
		t.Error("int4 is taken")
	}
}

func TestFloatBytes(t *testing.T) {
	t.Parallel()
	b := floatBytes([]float32{1, -2.5})
	if binary.LittleEndian.Uint32(b[4:]) != math.Float32bits(-2.5) || len(b) != 8 {
		t.Errorf("%x", b)
	}
}
