package world

import (
	"iter"
	"math"
	"math/rand/v2"
	"time"
)

// Scene is one or two objects before a ground, for a few seconds.
type Scene struct {
	Duration time.Duration
	Objects  []Object // the left one first

	ground ground
	seed   uint64
}

// Object is a coloured shape that does one thing from the scene's start to its end.
type Object struct {
	Colour Colour
	Shape  Shape
	Motion Motion

	form       form
	tone       [3]int // sRGB
	start, end Place
	turn       float64 // the part of the scene's time that is over when it appears or disappears
}

// Place is where an object is and how large: parts of the scene's side, from its upper left
// corner.
type Place struct{ X, Y, Radius float64 }

// ground is what is behind the objects, in levels of 0..255.
type ground struct {
	grey     int
	tint     [3]int
	gradient float64 // from -gradient at the top to +gradient at the bottom
	noise    noiseKind
	levels   *[grainSize]int16 // of the noise
}

type noiseKind int

const (
	liveNoise   noiseKind = iota // another pattern in every frame
	fixedNoise                   // one pattern for the scene
	coarseNoise                  // as live, with a grain of three pixels
	noiseKinds
)

// Options are what scenes may differ in beside their seed.
type Options struct {
	Duration time.Duration // of every scene; 0 for 3 to 4 s
	Vary     bool          // measures by up to 10 % and colours by up to 8 levels, for training
}

// The world's limits: radii and ways are parts of the scene's side.
const (
	minRadius, maxRadius, maxRadiusOfTwo = 0.09, 0.19, 0.14
	minWay                               = 0.16
	smallest, grown, mostGrown           = 0.55, 1.3, 1.5 // of the radius
	earliest, latest                     = 0.20, 0.75     // of the scene's time
	margin                               = 0.005          // between objects and the edges of their room
	minGrey, maxGrey, maxTint            = 60, 180, 12
	maxGradient, maxSigma                = 20, 10
	minCut                               = 25 // levels of grey between neighbouring scenes
)

// Scenes are those of an endless film; their grounds differ from one to the next by at
// least 25 grey levels, so that every cut shows.
func Scenes(seed uint64, o Options) iter.Seq[*Scene] {
	return func(yield func(*Scene) bool) {
		rng := rand.New(rand.NewPCG(seed, 0x5ea9e5))
		grey := -minCut
		for {
			s := newScene(rng, o, grey)
			if grey = s.ground.grey; !yield(s) {
				return
			}
		}
	}
}

// New is the first scene of the film with this seed.
func New(seed uint64, o Options) *Scene {
	for s := range Scenes(seed, o) {
		return s
	}
	return nil
}

func newScene(rng *rand.Rand, o Options, before int) *Scene {
	s := &Scene{Duration: o.Duration, seed: rng.Uint64(), ground: newGround(rng, before)}
	if s.Duration == 0 {
		s.Duration = 3*time.Second + time.Duration(rng.IntN(1001))*time.Millisecond
	}
	tones, forms := rng.Perm(colours), rng.Perm(int(shapes))
	rooms := []room{{0, 1, maxRadius}}
	if rng.IntN(2) == 1 {
		rooms = []room{{0, 0.5, maxRadiusOfTwo}, {0.5, 1, maxRadiusOfTwo}}
	}
	for i, room := range rooms {
		s.Objects = append(s.Objects, newObject(rng, o.Vary, Object{Colour: Colour(tones[i]), Shape: Shape(forms[i])}, room))
	}
	return s
}

func newGround(rng *rand.Rand, before int) ground {
	g := ground{gradient: between(rng, -maxGradient, maxGradient), levels: levels(between(rng, 0, maxSigma)), noise: noiseKind(rng.IntN(int(noiseKinds)))}
	for g.grey = before; abs(g.grey-before) < minCut; {
		g.grey = minGrey + rng.IntN(maxGrey-minGrey+1)
	}
	for c := range g.tint {
		g.tint[c] = rng.IntN(2*maxTint+1) - maxTint
	}
	return g
}

// room is what an object may fill: the picture's whole height, and these columns.
type room struct{ left, right, maxRadius float64 }

// newObject decides all that a colour and a shape leave open.
func newObject(rng *rand.Rand, vary bool, obj Object, room room) Object {
	obj.Motion, obj.form, obj.tone = Motion(rng.IntN(int(motions))), obj.Shape.form(), obj.Colour.rgb()
	if vary {
		obj.vary(rng)
	}
	obj.turn = between(rng, earliest, latest)
	obj.place(rng, room)
	return obj
}

// vary changes the measures and the colour a little.
func (o *Object) vary(rng *rand.Rand) {
	for _, length := range []*float64{&o.form.size, &o.form.inner, &o.form.corner[0], &o.form.corner[1], &o.form.corner[2]} {
		*length *= between(rng, 0.9, 1.1)
	}
	for i := range o.tone {
		o.tone[i] = min(max(o.tone[i]+rng.IntN(17)-8, 0), 255)
	}
}

// place chooses where the object begins and ends, all of it within its room.
func (o *Object) place(rng *rand.Rand, room room) {
	beside, above, below := o.form.reach()
	width := room.right - room.left - 2*margin
	most := room.maxRadius
	if o.Motion == Left || o.Motion == Right {
		most = min(most, (width-minWay)/(2*beside))
	}
	r := between(rng, minRadius, most)
	first, last := r, r
	if o.Motion == Grows || o.Motion == Shrinks {
		first, last = r*smallest, min(r*between(rng, grown, mostGrown), width/(2*beside))
	}
	largest := max(first, last)
	left, right := room.left+margin+largest*beside, room.right-margin-largest*beside
	top, bottom := margin+largest*above, 1-margin-largest*below
	o.start = Place{between(rng, left, right), between(rng, top, bottom), first}
	o.end = Place{o.start.X, o.start.Y, last}
	switch o.Motion {
	case Left, Right:
		o.start.X, o.end.X = way(rng, left, right)
	case Up, Down:
		o.start.Y, o.end.Y = way(rng, top, bottom)
	}
	if o.Motion == Left || o.Motion == Up || o.Motion == Shrinks {
		o.start, o.end = o.end, o.start
	}
}

// way is a stretch of at least minWay within low and high, upwards.
func way(rng *rand.Rand, low, high float64) (from, to float64) {
	length := between(rng, minWay, max(high-low, minWay))
	from = between(rng, low, max(high-length, low))
	return from, from + length
}

// At is where the object is when part p of the scene's time is over, 0 to 1, and whether
// it is visible then.
func (o *Object) At(p float64) (at Place, visible bool) {
	mix := func(a, b float64) float64 { return a + (b-a)*p }
	at = Place{mix(o.start.X, o.end.X), mix(o.start.Y, o.end.Y), mix(o.start.Radius, o.end.Radius)}
	switch o.Motion {
	case Appears:
		return at, p >= o.turn
	case Disappears:
		return at, p < o.turn
	}
	return at, true
}

func between(rng *rand.Rand, low, high float64) float64 { return low + (high-low)*rng.Float64() }

func abs(n int) int { return int(math.Abs(float64(n))) }
