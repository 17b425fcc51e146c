// Package onnx writes ONNX models: nodes, constants, weights that stay in their own
// file, inputs and outputs, as the bytes of a ModelProto (onnx/onnx.proto of
// github.com/onnx/onnx, IR version 11). It writes protobuf by hand, so it needs no
// generated code and is not bound to one release of ONNX.
//
// It does not check that operators and shapes fit together: ONNX Runtime does when it
// loads the result. Of a model it reads only the names of inputs and outputs. A Graph
// is used by one goroutine.
package onnx

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// irVersion is the file format's version; 11 came with opset 23.
const irVersion = 11

// Type is an element type, numbered as TensorProto.DataType.
type Type int32

// The element types that weights and graphs here have.
const (
	Float32  Type = 1
	Uint8    Type = 2
	Int8     Type = 3
	Int32    Type = 6
	Int64    Type = 7
	Float16  Type = 10
	BFloat16 Type = 16
)

// Graph collects nodes in the order in which they run.
type Graph struct {
	name    string
	opsets  map[string]int64
	order   []string
	nodes   [][]byte
	tensors []constant
	inputs  [][]byte
	outputs [][]byte
	declare map[string]bool // names of initializers
	serial  int
}

// constant is a TensorProto: its fields, then its data where that is part of the model.
// They are apart so that weights are copied once, into the model's bytes.
type constant struct{ fields, data []byte }

// New starts a graph whose operators come from the standard opset of that version.
// Operators of com.microsoft are written "com.microsoft.QuickGelu".
func New(name string, opset int64) *Graph {
	g := &Graph{name: name, opsets: map[string]int64{}, declare: map[string]bool{}}
	g.use("", opset)
	return g
}

// Input declares an input; a dimension of -1 may have any size.
func (g *Graph) Input(name string, t Type, dims ...int64) string {
	g.inputs = append(g.inputs, valueInfo(name, t, dims))
	return name
}

// Output declares that a value leaves the graph.
func (g *Graph) Output(value string, t Type, dims ...int64) {
	g.outputs = append(g.outputs, valueInfo(value, t, dims))
}

// Op adds a node with one output and returns the output's name. An empty input name
// leaves an optional input out.
func (g *Graph) Op(op string, inputs []string, attributes ...Attribute) string {
	return g.Ops(op, 1, inputs, attributes...)[0]
}

// Ops adds a node with n outputs.
func (g *Graph) Ops(op string, n int, inputs []string, attributes ...Attribute) []string {
	outputs := make([]string, n)
	for i := range outputs {
		g.serial++
		outputs[i] = fmt.Sprintf("%s_%d", op[strings.LastIndexByte(op, '.')+1:], g.serial)
	}
	g.node(op, inputs, outputs, attributes)
	return outputs
}

// Has tells whether a constant or weight of that name was declared.
func (g *Graph) Has(name string) bool { return g.declare[name] }

// Ints adds a constant vector of int64 and returns its name.
func (g *Graph) Ints(values ...int64) string {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	g.serial++
	name := fmt.Sprintf("ints_%d", g.serial)
	g.Raw(name, Int64, []int64{int64(len(values))}, raw)
	return name
}

// Float adds a constant scalar and returns its name.
func (g *Graph) Float(v float32) string {
	g.serial++
	name := fmt.Sprintf("float_%d", g.serial)
	g.Raw(name, Float32, nil, binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
	return name
}

// Raw adds a tensor whose little-endian bytes are part of the model. They must not change
// until Bytes has been called.
func (g *Graph) Raw(name string, t Type, dims []int64, data []byte) {
	b := tensor(name, t, dims)
	b = protowire.AppendTag(b, 9, protowire.BytesType)
	g.addTensor(name, constant{protowire.AppendVarint(b, uint64(len(data))), data})
}

// External adds a tensor whose bytes lie in the file location (a path below the
// folder that the session is told) from offset on, length bytes long. No alignment
// is needed.
func (g *Graph) External(name string, t Type, dims []int64, at Location) {
	b := tensor(name, t, dims)
	b = appendEntry(b, "location", at.File)
	b = appendEntry(b, "offset", fmt.Sprint(at.Offset))
	b = appendEntry(b, "length", fmt.Sprint(at.Length))
	b = protowire.AppendTag(b, 14, protowire.VarintType)
	g.addTensor(name, constant{fields: protowire.AppendVarint(b, 1)})
}

// Location is where a tensor's bytes lie in a file.
type Location struct {
	File           string
	Offset, Length int64
}

// Bytes is the serialised ModelProto.
func (g *Graph) Bytes() []byte {
	var head, tail []byte
	head = protowire.AppendTag(head, 1, protowire.VarintType)
	head = protowire.AppendVarint(head, irVersion)
	head = appendString(head, 2, "captiond")
	for _, domain := range g.order {
		var opset []byte
		opset = appendString(opset, 1, domain)
		opset = appendInt(opset, 2, g.opsets[domain])
		tail = appendMessage(tail, 8, opset)
	}
	graph, size := g.graph()
	head = protowire.AppendTag(head, 7, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(size))
	return bytes.Join(slices.Concat([][]byte{head}, graph, [][]byte{tail}), nil)
}

// graph is the GraphProto in pieces, and their length together.
func (g *Graph) graph() (pieces [][]byte, size int) {
	var nodes, ends []byte
	for _, n := range g.nodes {
		nodes = appendMessage(nodes, 1, n)
	}
	nodes = appendString(nodes, 2, g.name)
	for _, v := range g.inputs {
		ends = appendMessage(ends, 11, v)
	}
	for _, v := range g.outputs {
		ends = appendMessage(ends, 12, v)
	}
	pieces = append(pieces, nodes)
	for _, t := range g.tensors {
		tag := protowire.AppendTag(nil, 5, protowire.BytesType)
		tag = protowire.AppendVarint(tag, uint64(len(t.fields)+len(t.data)))
		pieces = append(pieces, tag, t.fields, t.data)
	}
	pieces = append(pieces, ends)
	for _, p := range pieces {
		size += len(p)
	}
	return pieces, size
}

func (g *Graph) addTensor(name string, t constant) {
	g.declare[name] = true
	g.tensors = append(g.tensors, t)
}

func (g *Graph) use(domain string, version int64) {
	if _, ok := g.opsets[domain]; !ok {
		g.opsets[domain] = version
		g.order = append(g.order, domain)
	}
}

func (g *Graph) node(op string, inputs, outputs []string, attributes []Attribute) {
	domain := ""
	if i := strings.LastIndexByte(op, '.'); i >= 0 {
		domain, op = op[:i], op[i+1:]
		g.use(domain, 1)
	}
	var b []byte
	for _, s := range inputs {
		b = appendString(b, 1, s)
	}
	for _, s := range outputs {
		b = appendString(b, 2, s)
	}
	b = appendString(b, 3, outputs[0])
	b = appendString(b, 4, op)
	for _, a := range attributes {
		b = appendMessage(b, 5, a)
	}
	g.nodes = append(g.nodes, appendString(b, 7, domain))
}
