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
	"encoding/binary"
	"fmt"
	"math"
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
	tensors [][]byte
	inputs  [][]byte
	outputs [][]byte
	declare map[string]bool // names of initializers
	serial  int
}

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

// Raw adds a tensor whose little-endian bytes are part of the model.
func (g *Graph) Raw(name string, t Type, dims []int64, data []byte) {
	b := tensor(name, t, dims)
	b = protowire.AppendTag(b, 9, protowire.BytesType)
	g.addTensor(name, protowire.AppendBytes(b, data))
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
	g.addTensor(name, protowire.AppendVarint(b, 1))
}

// Location is where a tensor's bytes lie in a file.
type Location struct {
	File           string
	Offset, Length int64
}

// Bytes is the serialised ModelProto.
func (g *Graph) Bytes() []byte {
	var b []byte
	b = protowire.AppendTag(b, 1, protowire.VarintType)
	b = protowire.AppendVarint(b, irVersion)
	b = appendString(b, 2, "captiond")
	b = appendMessage(b, 7, g.graph())
	for _, domain := range g.order {
		var opset []byte
		opset = appendString(opset, 1, domain)
		opset = appendInt(opset, 2, g.opsets[domain])
		b = appendMessage(b, 8, opset)
	}
	return b
}

func (g *Graph) graph() []byte {
	var b []byte
	for _, n := range g.nodes {
		b = appendMessage(b, 1, n)
	}
	b = appendString(b, 2, g.name)
	for _, t := range g.tensors {
		b = appendMessage(b, 5, t)
	}
	for _, v := range g.inputs {
		b = appendMessage(b, 11, v)
	}
	for _, v := range g.outputs {
		b = appendMessage(b, 12, v)
	}
	return b
}

func (g *Graph) addTensor(name string, b []byte) {
	g.declare[name] = true
	g.tensors = append(g.tensors, b)
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
