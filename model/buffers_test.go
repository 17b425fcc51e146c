package model

import (
	"slices"
	"testing"

	"github.com/captiond/captiond/model/graph"
)

func TestBuffers(t *testing.T) {
	t.Parallel()
	var b buffers[float32]
	for range 3 { // a pool may forget what it was given, and does so under the race detector
		for _, n := range []int{5, 0, 9, 3, 9} {
			data := b.borrow(n)
			if len(data) != n {
				t.Errorf("%d numbers, want %d", len(data), n)
			}
			b.giveBack(data)
		}
	}
	ours, theirs := b.borrow(2), b.borrow(2)
	if &ours[0] == &theirs[0] {
		t.Error("the same memory is lent twice")
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	for _, size := range []int{3, worthwhile} {
		var fs []*Features
		var floats []float32
		var halves []uint16
		for i := range 7 {
			f := &Features{floats: slices.Repeat([]float32{float32(i), float32(-i)}, size), halves: slices.Repeat([]uint16{uint16(i), 9}, size)}
			fs, floats, halves = append(fs, f), append(floats, f.floats...), append(halves, f.halves...)
		}
		var m Model
		data, giveBack := m.join(fs)
		if !slices.Equal(data.([]float32), floats) {
			t.Errorf("features of %d numbers are not one after the other", 2*size)
		}
		giveBack()
		m.precision = graph.Float16
		data, giveBack = m.join(fs)
		if !slices.Equal(data.([]uint16), halves) {
			t.Errorf("features of %d numbers in float16 are not one after the other", 2*size)
		}
		giveBack()
	}
}

// features are an output of the encoder in float16.
type features struct {
	data  []uint16
	shape []int64
}

func (f features) Shape() []int64     { return f.shape }
func (f features) Half() []uint16     { return f.data }
func (f features) Float32() []float32 { return nil }
func (f features) Close()             {}

// BenchmarkHost is what the host does for 32 windows of six frames at git-large's shape
// beside the runs: for each token look, once join and split.
func BenchmarkHost(b *testing.B) {
	const pictures, tokens, width = 192, 257, 1024
	m := &Model{}
	m.sizes.Vision.Hidden = width
	m.precision = graph.Float16
	e, rows := newExponential(), noiseRows(32, 30522)
	out := features{make([]uint16, pictures*tokens*width), []int64{pictures, tokens, width}}
	fs, err := m.split(out, pictures, tokens)
	if err != nil {
		b.Fatal(err)
	}
	for name, do := range map[string]func(){
		"look": func() { e.lookAll(rows) },
		"join": func() {
			_, giveBack := m.join(fs)
			giveBack()
		},
		"split": func() { _, _ = m.split(out, pictures, tokens) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				do()
			}
		})
	}
}
