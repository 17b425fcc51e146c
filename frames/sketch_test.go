package frames

import (
	"math/rand/v2"
	"testing"
)

// scene is a sketch of a wall of a colour with a thing of another, in cells, and some noise.
func scene(seed uint64, wall, thing uint8, x, y, w, h int) Sketch {
	r := rand.New(rand.NewPCG(seed, 1))
	s := Sketch{RGB: make([]uint8, 3*SketchWidth*SketchHeight)}
	for cy := range SketchHeight {
		for cx := range SketchWidth {
			level := wall + uint8(cx/4) // light from one side
			if cx >= x && cx < x+w && cy >= y && cy < y+h {
				level = thing
			}
			for c := range 3 {
				s.RGB[3*(cy*SketchWidth+cx)+c] = level + uint8(r.IntN(5))
			}
		}
	}
	return s
}

// tinted is a sketch in redder light that is as bright.
func tinted(s Sketch, by uint8) Sketch {
	l := Sketch{RGB: append([]uint8(nil), s.RGB...)}
	for i := 0; i < len(l.RGB); i += 3 {
		l.RGB[i] += by
		l.RGB[i+1] -= by / 2
	}
	return l
}

func pan(s Sketch, by int) Sketch {
	p := Sketch{RGB: make([]uint8, len(s.RGB))}
	for i := range s.RGB {
		p.RGB[i] = s.RGB[(i+3*by)%len(s.RGB)]
	}
	return p
}

// mixed is a picture full of things.
func mixed(seed uint64) Sketch {
	r := rand.New(rand.NewPCG(seed, 2))
	s := scene(seed, 60, 60, 0, 0, 0, 0)
	for range 60 {
		x, y, level := r.IntN(SketchWidth-8), r.IntN(SketchHeight-8), uint8(r.IntN(250))
		for i := range 64 {
			cell := (y+i/8)*SketchWidth + x + i%8
			s.RGB[3*cell], s.RGB[3*cell+1], s.RGB[3*cell+2] = level, level, level
		}
	}
	return s
}

// relit is a sketch in a light that multiplies and adds.
func relit(s Sketch, gain, add float64) Sketch {
	l := Sketch{RGB: make([]uint8, len(s.RGB))}
	for i, v := range s.RGB {
		l.RGB[i] = uint8(min(max(float64(v)*gain+add, 0), 255))
	}
	return l
}

func TestChangeAndCut(t *testing.T) {
	t.Parallel()
	// 6 by 5 cells are 1 % of the picture.
	still := scene(1, 100, 160, 20, 20, 6, 5)
	for _, tt := range []struct {
		name        string
		before      Sketch
		after       Sketch
		least, most float64
		cut         bool
	}{
		{"the same", still, still, 0, 0, false},
		{"noise", still, scene(2, 100, 160, 20, 20, 6, 5), 0, 0.005, false},
		{"brighter", still, relit(still, 1, 15), 0, 0.005, false},
		{"darker", still, relit(still, 1, -15), 0, 0.005, false},
		{"exposed for longer", mixed(1), relit(mixed(1), 1.15, 0), 0, 0.005, false},
		{"exposed for less", mixed(1), relit(mixed(1), 0.85, 0), 0, 0.005, false},
		{"a thing appears", scene(1, 100, 0, 0, 0, 0, 0), still, 0.04, 1, false},
		{"a thing appears as the light changes", scene(1, 100, 0, 0, 0, 0, 0), relit(still, 1, 10), 0.04, 1, false},
		{"in a corner of four tiles", scene(1, 100, 0, 0, 0, 0, 0), scene(2, 100, 130, 29, 22, 6, 5), 0.03, 1, false},
		{"a thing moves by a third of its size", still, scene(2, 100, 160, 22, 20, 6, 5), 0.02, 1, false},
		{"a large thing moves", scene(1, 100, 160, 0, 10, 32, 30), scene(2, 100, 160, 20, 10, 32, 30), 0.5, 1, false},
		{"another wall", still, scene(2, 60, 160, 40, 10, 8, 8), 1, 1, true},
		{"the same wall in another colour", still, tinted(still, 30), 0, 1, true},
		{"another scene", mixed(1), scene(1, 30, 200, 20, 20, 6, 5), 0.5, 1, true},
		{"the camera turns", mixed(3), pan(mixed(3), 9), 0.2, 1, false},
		{"a lamp is switched on", still, relit(still, 1, 80), 1, 1, false},
		{"a lamp is switched off", mixed(3), relit(mixed(3), 0.5, 0), 1, 1, false},
		{"a flash", mixed(3), relit(mixed(3), 1.6, 20), 1, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.after.Change(tt.before); got < tt.least || got > tt.most {
				t.Errorf("change %.3f, want %.3f to %.3f", got, tt.least, tt.most)
			}
			if got := tt.after.Cut(tt.before); got != tt.cut {
				t.Errorf("cut %t, want %t (%.2f of the colours)", got, tt.cut, tt.after.colours(tt.before))
			}
		})
	}
}

// TestThereAndBack has properties of any two pictures: a change is of 0 to 1, is none from a
// picture to itself, and with a cut is as large there as back.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	sketches := []Sketch{{RGB: make([]uint8, 3*cells)}, relit(mixed(1), 0, 255)}
	for i := range uint64(20) {
		s := mixed(i)
		if i%2 == 0 {
			s = scene(i, uint8(r.IntN(200)), uint8(r.IntN(250)), r.IntN(50), r.IntN(40), r.IntN(60), r.IntN(40))
		}
		sketches = append(sketches, s, relit(s, 0.5+r.Float64(), 80*r.Float64()-40))
	}
	for i, a := range sketches {
		if a.Change(a) != 0 || a.Cut(a) {
			t.Errorf("sketch %d is not itself", i)
		}
		for j, b := range sketches[:i] {
			there, back := a.Change(b), b.Change(a)
			if there < 0 || there > 1 || max(there-back, back-there) > 0.02 || a.Cut(b) != b.Cut(a) {
				t.Errorf("from %d to %d: change %v, cut %t; back %v, %t", j, i, there, a.Cut(b), back, b.Cut(a))
			}
		}
	}
}

func BenchmarkChange(b *testing.B) {
	before, after := mixed(1), mixed(2)
	for b.Loop() {
		after.Change(before)
	}
}

func BenchmarkCut(b *testing.B) {
	before, after := mixed(1), mixed(2)
	for b.Loop() {
		after.Cut(before)
	}
}
