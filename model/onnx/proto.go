package onnx

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Attribute is one attribute of a node, serialised.
type Attribute []byte

// AttributeProto.AttributeType of what is written here.
const (
	attributeFloat  = 1
	attributeInt    = 2
	attributeString = 3
	attributeInts   = 7
)

// Float is an attribute with a float.
func Float(name string, v float32) Attribute {
	b := appendString(nil, 1, name)
	b = protowire.AppendTag(b, 2, protowire.Fixed32Type)
	b = protowire.AppendFixed32(b, math.Float32bits(v))
	return appendInt(b, 20, attributeFloat)
}

// Int is an attribute with an integer.
func Int(name string, v int64) Attribute {
	b := appendString(nil, 1, name)
	b = appendInt(b, 3, v)
	return appendInt(b, 20, attributeInt)
}

// String is an attribute with a string.
func String(name, v string) Attribute {
	b := appendString(nil, 1, name)
	b = appendString(b, 4, v)
	return appendInt(b, 20, attributeString)
}

// Ints is an attribute with a list of integers.
func Ints(name string, values ...int64) Attribute {
	b := appendString(nil, 1, name)
	for _, v := range values {
		b = appendInt(b, 8, v)
	}
	return appendInt(b, 20, attributeInts)
}

// tensor is a TensorProto up to its data.
func tensor(name string, t Type, dims []int64) []byte {
	var b []byte
	for _, d := range dims {
		b = appendInt(b, 1, d)
	}
	b = appendInt(b, 2, int64(t))
	return appendString(b, 8, name)
}

// appendEntry adds an entry of TensorProto.external_data.
func appendEntry(b []byte, key, value string) []byte {
	return appendMessage(b, 13, appendString(appendString(nil, 1, key), 2, value))
}

func valueInfo(name string, t Type, dims []int64) []byte {
	var shape []byte
	for _, d := range dims {
		var dim []byte
		if d >= 0 {
			dim = appendInt(nil, 1, d)
		}
		shape = appendMessage(shape, 1, dim)
	}
	kind := appendMessage(appendInt(nil, 1, int64(t)), 2, shape)
	return appendMessage(appendString(nil, 1, name), 2, appendMessage(nil, 1, kind))
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendString(b, s)
}

func appendInt(b []byte, field protowire.Number, v int64) []byte {
	b = protowire.AppendTag(b, field, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(v))
}

func appendMessage(b []byte, field protowire.Number, m []byte) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendBytes(b, m)
}
