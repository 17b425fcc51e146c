package onnx

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Names reads the names of a model's inputs and outputs in the order in which the
// model declares them.
func Names(model []byte) (inputs, outputs []string, err error) {
	err = fields(model, func(field protowire.Number, graph []byte) error {
		if field != 7 {
			return nil
		}
		return fields(graph, func(field protowire.Number, value []byte) error {
			switch field {
			case 11:
				return appendName(&inputs, value)
			case 12:
				return appendName(&outputs, value)
			}
			return nil
		})
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read onnx model: %w", err)
	}
	return inputs, outputs, nil
}

func appendName(names *[]string, valueInfo []byte) error {
	return fields(valueInfo, func(field protowire.Number, value []byte) error {
		if field == 1 {
			*names = append(*names, string(value))
		}
		return nil
	})
}

// fields calls f with each length-delimited field of a message and passes over the
// others.
func fields(b []byte, f func(protowire.Number, []byte) error) error {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		size := protowire.ConsumeFieldValue(field, kind, b)
		if size < 0 {
			return protowire.ParseError(size)
		}
		if kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(b)
			if err := f(field, value); err != nil {
				return err
			}
		}
		b = b[size:]
	}
	return nil
}
