package model

import (
	"slices"
	"testing"

	"github.com/captiond/captiond/model/graph"
)

func TestEachPart(t *testing.T) {
	t.Parallel()
	for _, size := range []int{3, worthwhile} {
		data := make([]uint16, 7*size)
		eachPart(data, 7, func(part []uint16, i int) {
			for j := range part {
				part[j] = uint16(i + 1)
			}
		})
		for i := range 7 {
			if want := slices.Repeat([]uint16{uint16(i + 1)}, size); !slices.Equal(data[i*size:(i+1)*size], want) {
				t.Errorf("part %d of %d numbers was not given to its function", i, size)
			}
		}
	}
}

// output is what the encoder leaves in float16.
type output struct {
	halves []uint16
	shape  []int64
}

func (o output) Shape() []int64     { return o.shape }
func (o output) Half() []uint16     { return o.halves }
func (o output) Float32() []float32 { return nil }
func (o output) Close()             {}

// BenchmarkHost is what the host does for 32 windows of six frames at git-large's shape
// beside the runs: for each token look, once join and split.
func BenchmarkHost(b *testing.B) {
	const pictures, tokens, width = 192, 257, 1024
	m := &Model{}
	m.sizes.Vision.Hidden = width
	m.precision = graph.Float16
	e, rows := newExponential(), noiseRows(32, 30522)
	out := output{make([]uint16, pictures*tokens*width), []int64{pictures, tokens, width}}
	fs, err := m.split(out, pictures, tokens)
	if err != nil {
		b.Fatal(err)
	}
	joined := make([]uint16, len(out.halves))
	for name, do := range map[string]func(){
		"look":  func() { e.lookAll(rows) },
		"join":  func() { eachPart(joined, pictures, func(part []uint16, i int) { copy(part, fs[i].halves) }) },
		"split": func() { _, _ = m.split(out, pictures, tokens) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				do()
			}
		})
	}
}
