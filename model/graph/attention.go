package graph

import (
	"golang.org/x/sys/cpu"

	"github.com/captiond/captiond/model/onnx"
)

// attention is that of all to all: q, k, v [n, N, D] to [n, N, D].
func (b *builder) attention(q, k, v string, t Tower) string {
	if b.own(t) {
		return b.Op("captiond.Attention", []string{q, k, v}, onnx.Int("heads", t.Heads), flag("integers", b.integers()))
	}
	return b.Op("Attention", []string{q, k, v}, onnx.Int("q_num_heads", t.Heads), onnx.Int("kv_num_heads", t.Heads))
}

// own tells whether model/ort's operator takes the place of ONNX Runtime's.
func (b *builder) own(t Tower) bool {
	const mostHead = 256
	return b.cpu() && vectors() && t.head() <= mostHead
}

// vectors tells whether the CPU has what model/ort's operators for x86-64 are written for.
func vectors() bool {
	x := cpu.X86
	return x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL
}

// integers tells whether attention is in integers of 16 bits.
func (b *builder) integers() bool { return b.target.Precision == Int8 && cpu.X86.HasAVX512VNNI }

// AMX tells whether model/ort's operators can use the tiles of x86-64's AMX, which is up to the
// CPU and to the system.
func AMX() bool {
	return vectors() && cpu.X86.HasAMXInt8 && tiles()
}

// flag is an attribute of an operator of model/ort.
func flag(name string, set bool) onnx.Attribute {
	if set {
		return onnx.Int(name, 1)
	}
	return onnx.Int(name, 0)
}

// image is what image tokens look with and at, [W, S, h, d], and the values once more as the
// step multiplies them, [W, h, S, d].
type image struct{ q, k, v, values string }

// attend is attention of all image tokens to all: [W, S, D], however cut.
func (b *builder) attend(i image, t Tower) string {
	if b.gpu() || b.own(t) {
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
