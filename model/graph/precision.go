package graph

import "fmt"

// Precision is the arithmetic of the linear layers.
type Precision int

const (
	// Float32 is that of the reference.
	Float32 Precision = iota
	// Int8 multiplies integers of 8 bits. In encoder and prefix weights have a scale for
	// each output and activations one for each row, or for each run where products are ONNX
	// Runtime's; in the step both have one for each block of a row. On CPUs with VNNI of 512
	// bits attention of image tokens is in integers of 16.
	Int8
	// Float16 computes everything in binary16, for GPUs.
	Float16
)

// Target is what a graph is written for.
type Target struct {
	Precision Precision
	// GPU keeps operators out that model/ort has for CPUs alone. Float16 always does.
	GPU bool
	// Mapped leaves weights of float32 where they lie, in their file.
	Mapped bool
}

// ParsePrecision reads float32, int8 or float16; "" is float32.
func ParsePrecision(s string) (Precision, error) {
	if s == "" {
		return Float32, nil
	}
	for p := range Float16 + 1 {
		if p.String() == s {
			return p, nil
		}
	}
	return 0, fmt.Errorf("unknown precision %q: use float32, int8 or float16", s)
}

// String is what ParsePrecision reads.
func (p Precision) String() string { return [...]string{"float32", "int8", "float16"}[p] }

// StepWeightBytes is what a weight of the step takes, its part of a scale included.
func (p Precision) StepWeightBytes() float64 {
	switch p {
	case Int8:
		return 1 + 4.0/block
	case Float16:
		return 2
	}
	return 4
}
