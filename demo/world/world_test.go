package world

import (
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// some are the first n scenes of a film.
func some(n int, o Options) []*Scene {
	var scenes []*Scene
	for s := range Scenes(7, o) {
		if scenes = append(scenes, s); len(scenes) == n {
			break
		}
	}
	return scenes
}

// TestScenesKeepTheRules draws many scenes and holds each to what the world promises.
func TestScenesKeepTheRules(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{"plain": {}, "varied": {Vary: true}, "four seconds": {Duration: 4 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := -1000
			acts, counts := map[Motion]int{}, map[int]int{}
			for i, s := range some(1000, o) {
				checkGround(t, i, s.ground, before)
				before = s.ground.grey
				checkObjects(t, i, s)
				counts[len(s.Objects)]++
				for _, o := range s.Objects {
					acts[o.Motion]++
				}
				if s.Duration < 3*time.Second || s.Duration > 4*time.Second {
					t.Errorf("scene %d takes %v", i, s.Duration)
				}
			}
			if len(acts) != 9 || counts[1] < 400 || counts[2] < 400 {
				t.Errorf("motions %v, counts %v: want all of them often", acts, counts)
			}
		})
	}
}

func checkGround(t *testing.T, i int, g ground, before int) {
	t.Helper()
	if g.grey < 60 || g.grey > 180 || abs(g.grey-before) < 25 || math.Abs(g.gradient) > 20 {
		t.Errorf("scene %d: ground of grey %d after %d, gradient %.1f", i, g.grey, before, g.gradient)
	}
	for _, v := range g.tint {
		if abs(v) > 12 {
			t.Errorf("scene %d: tint %v", i, g.tint)
		}
	}
}

func checkObjects(t *testing.T, i int, s *Scene) {
	t.Helper()
	most := 0.19
	if len(s.Objects) == 2 {
		most = 0.14
		a, b := s.Objects[0], s.Objects[1]
		if a.Colour == b.Colour || a.Shape == b.Shape {
			t.Errorf("scene %d: two objects alike: %v %v", i, a, b)
		}
	}
	for k, o := range s.Objects {
		left, right := 0.0, 1.0
		if len(s.Objects) == 2 {
			left, right = 0.5*float64(k), 0.5*float64(k+1)
		}
		for _, p := range []Place{o.start, o.end} {
			beside, above, below := o.form.reach()
			if p.X-p.Radius*beside < left || p.X+p.Radius*beside > right || p.Y-p.Radius*above < 0 || p.Y+p.Radius*below > 1 {
				t.Errorf("scene %d: %v %v at %+v leaves its room", i, o.Colour, o.Shape, p)
			}
		}
		checkMotion(t, i, o, most)
	}
}

func checkMotion(t *testing.T, i int, o Object, most float64) {
	t.Helper()
	dx, dy, a, b := o.end.X-o.start.X, o.end.Y-o.start.Y, o.start.Radius, o.end.Radius
	const exact = 1e-9
	ok := a >= 0.09-exact && a <= most+exact && a == b
	switch o.Motion {
	case Left:
		ok = ok && dx <= -0.16+exact && dy == 0
	case Right:
		ok = ok && dx >= 0.16-exact && dy == 0
	case Up:
		ok = ok && dy <= -0.16+exact && dx == 0
	case Down:
		ok = ok && dy >= 0.16-exact && dx == 0
	case Grows:
		ok = dx == 0 && dy == 0 && b/a >= 1.3/0.55-exact && a >= 0.55*0.09-exact && a <= 0.55*most+exact
	case Shrinks:
		ok = dx == 0 && dy == 0 && a/b >= 1.3/0.55-exact && b >= 0.55*0.09-exact && b <= 0.55*most+exact
	default:
		ok = ok && dx == 0 && dy == 0 && o.turn >= 0.2 && o.turn <= 0.75
	}
	if !ok {
		t.Errorf("scene %d: %v %v %v from %+v to %+v at %.2f", i, o.Colour, o.Shape, o.Motion, o.start, o.end, o.turn)
	}
}

// TestSameSeedSamePictures also shows that frames can be drawn in any order.
func TestSameSeedSamePictures(t *testing.T) {
	t.Parallel()
	draw := func(s *Scene, at time.Duration) []byte {
		img := image.NewRGBA(image.Rect(0, 0, 160, 120))
		s.Draw(img, at)
		return img.Pix
	}
	for seed := range uint64(20) {
		a, b := New(seed, Options{}), New(seed, Options{})
		late := draw(a, 2*time.Second)
		early := draw(a, 0)
		if !slices.Equal(draw(b, 0), early) || !slices.Equal(draw(b, 2*time.Second), late) {
			t.Errorf("seed %d gives different pictures", seed)
		}
		if other := New(seed+1, Options{}); slices.Equal(draw(other, 0), early) {
			t.Errorf("seeds %d and %d give the same picture", seed, seed+1)
		}
	}
}

// plain is a scene without noise: one red object in the middle, on grey.
func plain(s Shape) *Scene {
	o := Object{Colour: 0, Shape: s, Motion: Still, form: s.form(), tone: Colour(0).rgb(), start: Place{0.5, 0.5, 0.25}, end: Place{0.5, 0.5, 0.25}}
	return &Scene{Duration: 4 * time.Second, Objects: []Object{o}, ground: ground{grey: 100, levels: levels(0)}}
}

// TestShapes looks at points, in radii from the centre, just inside and outside each edge.
func TestShapes(t *testing.T) {
	t.Parallel()
	type points [][2]float64
	tests := []struct {
		shape   Shape
		in, out points
	}{
		{Circle, points{{0, 0}, {0.96, 0}, {0, -0.96}, {0.67, 0.67}}, points{{1.04, 0}, {0.75, 0.75}}},
		{Square, points{{0, 0}, {0.84, 0.84}, {-0.84, 0.84}}, points{{0.92, 0}, {0, -0.92}}},
		{Triangle, points{{0, 0}, {0, -1.14}, {1.0, 0.66}, {-1.0, 0.66}}, points{{0, -1.28}, {0, 0.74}, {0.6, -0.4}, {1.16, 0.66}}},
		{Ring, points{{0.56, 0}, {1.04, 0}, {0, 0.8}}, points{{0, 0}, {0.48, 0}, {1.12, 0}}},
		{Cross, points{{0, 0}, {0.96, 0.29}, {0.29, -0.96}}, points{{0.5, 0.5}, {1.04, 0}, {0.37, 0.5}}},
	}
	const side = 800
	for _, test := range tests {
		t.Run(test.shape.String(), func(t *testing.T) {
			t.Parallel()
			img := image.NewRGBA(image.Rect(0, 0, side+100, side)) // the scene is the square in the middle
			plain(test.shape).Draw(img, 0)
			check := func(ps points, want color.RGBA) {
				for _, p := range ps {
					x, y := int(50+side/2+p[0]*side/4), int(side/2+p[1]*side/4)
					if got := img.RGBAAt(x, y); got != want {
						t.Errorf("%v at %v is %v, want %v", test.shape, p, got, want)
					}
				}
			}
			check(test.in, color.RGBA{220, 40, 40, 255})
			check(test.out, color.RGBA{100, 100, 100, 255})
		})
	}
}

// TestNoise measures each kind: its deviation, and where it repeats.
func TestNoise(t *testing.T) {
	t.Parallel()
	for _, kind := range []noiseKind{liveNoise, fixedNoise, coarseNoise} {
		s := plain(Circle)
		s.Objects, s.seed = nil, 5
		s.ground.noise, s.ground.levels = kind, levels(8)
		a, b := image.NewRGBA(image.Rect(0, 0, 300, 300)), image.NewRGBA(image.Rect(0, 0, 300, 300))
		s.Draw(a, 0)
		s.Draw(b, time.Second)
		if same := slices.Equal(a.Pix, b.Pix); same != (kind == fixedNoise) {
			t.Errorf("noise %d: equal at two times is %v", kind, same)
		}
		sum, n := 0.0, 0
		for i, v := range a.Pix {
			if i%4 != 3 {
				sum, n = sum+(float64(v)-100)*(float64(v)-100), n+1
			}
		}
		if got := math.Sqrt(sum / float64(n)); math.Abs(got-8) > 0.3 {
			t.Errorf("noise %d: deviation %.2f, want 8", kind, got)
		}
		if grain := a.RGBAAt(0, 0) == a.RGBAAt(2, 2); grain != (kind == coarseNoise) {
			t.Errorf("noise %d: grain of three pixels is %v", kind, grain)
		}
	}
}

// pair is a scene of two seconds: a mover on the left, and on the right what turns at half time.
func pair(way float64, right Motion) *Scene {
	mover := Object{Colour: 5, Shape: Ring, Motion: Right, start: Place{0.2, 0.5, 0.1}, end: Place{0.2 + way, 0.5, 0.1}}
	other := Object{Colour: 2, Shape: Cross, Motion: right, turn: 0.5, start: Place{0.7, 0.5, 0.1}, end: Place{0.7, 0.5, 0.1}}
	return &Scene{Duration: 2 * time.Second, Objects: []Object{mover, other}}
}

func TestTruth(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		scene    *Scene
		from, to time.Duration
		want     string
	}{
		{"whole", pair(0.16, Appears), 0, 2 * time.Second, "a orange ring moves right and a blue cross appears"},
		{"before it appears", pair(0.16, Appears), 0, 900 * time.Millisecond, "a orange ring moves right"},
		{"after it appeared", pair(0.16, Appears), 1100 * time.Millisecond, 2 * time.Second, "a orange ring moves right and a blue cross stays still"},
		{"before it disappears", pair(0.16, Disappears), 0, 900 * time.Millisecond, "a orange ring moves right and a blue cross stays still"},
		{"as it disappears", pair(0.16, Disappears), 900 * time.Millisecond, 1100 * time.Millisecond, "a orange ring stays still and a blue cross disappears"},
		{"after it disappeared", pair(0.16, Disappears), 1100 * time.Millisecond, 2 * time.Second, "a orange ring moves right"},
		{"just enough", pair(0.16, Still), 0, 510 * time.Millisecond, "a orange ring moves right and a blue cross stays still"},
		{"just too little", pair(0.16, Still), 0, 490 * time.Millisecond, "a orange ring stays still and a blue cross stays still"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.scene.Truth(test.from, test.to).Caption; got != test.want {
				t.Errorf("caption %q, want %q", got, test.want)
			}
		})
	}
}

// TestGrowthThatCounts has a radius that changes by 40 % of what it was, so that a quarter
// of the time is just at the limit of a tenth.
func TestGrowthThatCounts(t *testing.T) {
	t.Parallel()
	o := Object{Shape: Square, Motion: Grows, start: Place{0.5, 0.5, 0.10}, end: Place{0.5, 0.5, 0.14}}
	s := &Scene{Duration: 4 * time.Second, Objects: []Object{o}}
	for to, want := range map[time.Duration]string{980 * time.Millisecond: "a red square stays still", 1020 * time.Millisecond: "a red square grows"} {
		if got := s.Truth(0, to).Caption; got != want {
			t.Errorf("after %v: %q, want %q", to, got, want)
		}
	}
}

func TestEmptyStretch(t *testing.T) {
	t.Parallel()
	s := pair(0.16, Appears)
	s.Objects = s.Objects[1:]
	got := s.Truth(0, 900*time.Millisecond)
	if got.Caption != "nothing" || len(got.Questions) != 0 {
		t.Errorf("an empty stretch is %+v", got)
	}
}

func TestQuestions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		truth Truth
		want  string
	}{
		{"clip", pair(0.16, Appears).Truth(0, 2*time.Second), `
			what color is the ring? orange; what shape is orange? ring;
			what color is the cross? blue; what shape is blue? cross; how many shapes are there? two;
			what does the orange ring do? moves right; what does the ring do? moves right; does the ring move? yes;
			what does the blue cross do? appears; what does the cross do? appears; does the cross move? no`},
		{"one that shows", pair(0.16, Appears).Truth(0, 800*time.Millisecond), `
			what color is the ring? orange; what shape is orange? ring; how many shapes are there? one;
			what does the orange ring do? moves right; what does the ring do? moves right; does the ring move? yes`},
		{"picture", pair(0.16, Appears).Still(0), `
			what color is the ring? orange; what shape is orange? ring; how many shapes are there? one`},
	}
	for _, test := range tests {
		var got []string
		for _, q := range test.truth.Questions {
			got = append(got, q.Text+" "+q.Answer)
		}
		if want := strings.Join(strings.Fields(test.want), " "); strings.Join(got, "; ") != want {
			t.Errorf("%s: %s\nwant %s", test.name, strings.Join(got, "; "), want)
		}
	}
	if got := pair(0.16, Appears).Still(time.Second).Caption; got != "a orange ring and a blue cross" {
		t.Errorf("picture of two is %q", got)
	}
}

func BenchmarkDraw(b *testing.B) {
	s := New(3, Options{})
	img := image.NewRGBA(image.Rect(0, 0, 640, 480))
	b.SetBytes(int64(len(img.Pix)))
	for i := 0; b.Loop(); i++ {
		s.Draw(img, time.Duration(i)*40*time.Millisecond)
	}
}
