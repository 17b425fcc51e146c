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

func lit(s Sketch, by uint8) Sketch {
	l := Sketch{RGB: make([]uint8, len(s.RGB))}
	for i, v := range s.RGB {
		l.RGB[i] = v + by
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
		{"brighter", still, lit(still, 9), 0, 0.005, false},
		{"a thing appears", scene(1, 100, 0, 0, 0, 0, 0), still, 0.04, 1, false},
		{"in a corner of four tiles", scene(1, 100, 0, 0, 0, 0, 0), scene(2, 100, 130, 29, 22, 6, 5), 0.03, 1, false},
		{"a thing moves by a third of its size", still, scene(2, 100, 160, 22, 20, 6, 5), 0.02, 1, false},
		{"a large thing moves", scene(1, 100, 160, 0, 10, 32, 30), scene(2, 100, 160, 20, 10, 32, 30), 0.5, 1, false},
		{"another wall", still, scene(2, 60, 160, 20, 20, 6, 5), 0, 1, true},
		{"another scene", mixed(1), scene(1, 30, 200, 20, 20, 6, 5), 0.5, 1, true},
		{"the camera turns", mixed(3), pan(mixed(3), 9), 0.2, 1, false},
		{"the light goes on", still, lit(still, 80), 0, 0.005, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.after.Change(tt.before); got < tt.least || got > tt.most {
				t.Errorf("change %.3f, want %.3f to %.3f", got, tt.least, tt.most)
			}
			if a, b := tt.after.Change(tt.before), tt.before.Change(tt.after); a != b {
				t.Errorf("change %.3f there and %.3f back", a, b)
			}
			if got := tt.after.Cut(tt.before); got != tt.cut {
				t.Errorf("cut %t, want %t (%.2f of the colours)", got, tt.cut, tt.after.colours(tt.before))
			}
		})
	}
}
