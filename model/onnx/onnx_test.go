package onnx

import (
	"bytes"
	"slices"
	"testing"
)

// model has an input, an output, a node with attributes of every kind and both kinds of
// weights.
func model() []byte {
	g := New("test", 23)
	x := g.Input("x", Float32, -1, 2)
	g.External("w", Float16, []int64{2, 2}, Location{File: "weights", Offset: 3, Length: 8})
	y := g.Op("Gemm", []string{x, g.Op("Cast", []string{"w"}, Int("to", int64(Float32)))}, Float("alpha", 0.5), Int("transB", 1))
	y = g.Op("com.microsoft.QuickGelu", []string{g.Op("Reshape", []string{y, g.Ints(0, -1)})}, Float("alpha", 1.702))
	y = g.Op("Gelu", []string{g.Op("Transpose", []string{y}, Ints("perm", 1, 0))}, String("approximate", "tanh"))
	g.Output(y, Float32, 2, -1)
	return g.Bytes()
}

func TestNames(t *testing.T) {
	t.Parallel()
	ins, outs, err := Names(model())
	if err != nil || !slices.Equal(ins, []string{"x"}) || !slices.Equal(outs, []string{"Gelu_7"}) {
		t.Errorf("%v, %v, %v", ins, outs, err)
	}
	if !bytes.Equal(model(), model()) {
		t.Error("the same graph gives other bytes")
	}
}

// TestBytes holds a small model against the protobuf wire format, written out by hand
// from onnx.proto's field numbers.
func TestBytes(t *testing.T) {
	t.Parallel()
	g := New("g", 23)
	g.Output(g.Op("com.x.Op", []string{g.Input("a", Float32, 2, -1)}, Int("k", 1)), Int64)
	want := "\x08\x0b" + "\x12\x08captiond" + // ir_version, producer_name
		"\x3a\x4c" + // graph
		"\x0a\x24" + // node
		"\x0a\x01a" + "\x12\x04Op_1" + "\x1a\x04Op_1" + "\x22\x02Op" + // input, output, name, op_type
		"\x2a\x08" + "\x0a\x01k" + "\x18\x01" + "\xa0\x01\x02" + // attribute: name, i, type INT
		"\x3a\x05com.x" + // domain
		"\x12\x01g" + // name
		"\x5a\x11" + "\x0a\x01a" + "\x12\x0c\x0a\x0a" + "\x08\x01" + // input: name, type
		"\x12\x06" + "\x0a\x02\x08\x02" + "\x0a\x00" + // shape: 2 and any
		"\x62\x0e" + "\x0a\x04Op_1" + "\x12\x06\x0a\x04" + "\x08\x07" + "\x12\x00" + // output, a scalar
		"\x42\x04\x0a\x00\x10\x17" + "\x42\x09\x0a\x05com.x\x10\x01" // opset_import
	if got := g.Bytes(); string(got) != want {
		t.Errorf("\n%q, want\n%q", got, want)
	}
}

func FuzzNames(f *testing.F) {
	f.Add(model())
	f.Add([]byte(nil))
	f.Add([]byte("\x3a\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ins, outs, err := Names(data)
		if err != nil && (ins != nil || outs != nil) {
			t.Error("names and an error")
		}
	})
}
