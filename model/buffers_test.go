package model

import (
	"slices"
	"testing"
)

func TestBuffers(t *testing.T) {
	t.Parallel()
	var b buffers
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
		var want []float32
		for i := range 7 {
			data := slices.Repeat([]float32{float32(i), float32(-i)}, size)
			fs, want = append(fs, &Features{data: data}), append(want, data...)
		}
		got := make([]float32, len(want))
		if join(got, fs); !slices.Equal(got, want) {
			t.Errorf("features of %d numbers are not one after the other", 2*size)
		}
	}
}

// BenchmarkHost is what the host does for 32 windows of six frames at git-large's shape
// beside the runs: for each token look, once join and split.
func BenchmarkHost(b *testing.B) {
	const pictures, tokens, width = 192, 257, 1024
	var buffers buffers
	m := &Model{}
	m.sizes.Vision.Hidden = width
	e, rows := newExponential(), noiseRows(32, 30522)
	data := make([]float32, pictures*tokens*width)
	fs, err := m.split(data, pictures, tokens)
	if err != nil {
		b.Fatal(err)
	}
	for name, do := range map[string]func(){
		"look": func() { e.lookAll(rows) },
		"join": func() {
			joined := buffers.borrow(len(data))
			join(joined, fs)
			buffers.giveBack(joined)
		},
		"split": func() { _, _ = m.split(data, pictures, tokens) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				do()
			}
		})
	}
}
