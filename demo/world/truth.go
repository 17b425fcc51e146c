package world

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Question is a question about a stretch of a scene, with its answer.
type Question struct {
	Kind         string // "color", "shape", "motion", "count" or "moves"
	Text, Answer string
}

// Truth is what can be said about a stretch of a scene, or about one picture of it.
type Truth struct {
	Caption   string     // "nothing" where no object shows
	Objects   []Seen     // the left one first
	Questions []Question // none where no object shows
}

// Below these a change in a stretch does not count: parts of the side, and of the radius.
const (
	leastWay    = 0.04
	leastGrowth = 0.10
)

// Seen is an object that shows in a stretch.
type Seen struct {
	*Object
	Does Motion // what can be seen of its motion in the stretch
}

// Truth is what happens from one time of the scene to another.
func (s *Scene) Truth(from, to time.Duration) Truth {
	objects := s.during(from, to)
	return Truth{
		Caption:   caption(objects, func(o Seen) string { return o.name() + " " + o.Does.String() }),
		Objects:   objects,
		Questions: append(about(objects), doings(objects)...),
	}
}

// Still is what a single picture of the scene shows: no motion can be told from it.
func (s *Scene) Still(at time.Duration) Truth {
	objects := s.during(at, at)
	return Truth{Caption: caption(objects, Seen.name), Objects: objects, Questions: about(objects)}
}

// part is the part of the scene's time that is over.
func (s *Scene) part(t time.Duration) float64 { return float64(t) / float64(s.Duration) }

// during are the objects that show at any time of a stretch.
func (s *Scene) during(from, to time.Duration) []Seen {
	var objects []Seen
	for i := range s.Objects {
		o := &s.Objects[i]
		if does, visible := o.during(s.part(from), s.part(to)); visible {
			objects = append(objects, Seen{o, does})
		}
	}
	return objects
}

// during is what the object can be seen to do in a stretch of the scene's time.
func (o *Object) during(from, to float64) (does Motion, visible bool) {
	a, before := o.At(from)
	b, after := o.At(to)
	if before != after || o.changes(a, b) {
		return o.Motion, true
	}
	return Still, before
}

// changes says whether the way between two places counts as the object's motion.
func (o *Object) changes(a, b Place) bool {
	switch o.Motion {
	case Left, Right, Up, Down:
		return math.Hypot(a.X-b.X, a.Y-b.Y) >= leastWay
	case Grows, Shrinks:
		return math.Abs(a.Radius-b.Radius) >= leastGrowth*min(a.Radius, b.Radius)
	}
	return false
}

// name is the object as captions call it; the article is always "a".
func (o Seen) name() string { return fmt.Sprintf("a %v %v", o.Colour, o.Shape) }

func caption(objects []Seen, say func(Seen) string) string {
	if len(objects) == 0 {
		return "nothing"
	}
	words := make([]string, len(objects))
	for i, o := range objects {
		words[i] = say(o)
	}
	return strings.Join(words, " and ")
}

// about are the questions that one picture answers.
func about(objects []Seen) []Question {
	var qs []Question
	for _, o := range objects {
		qs = append(qs,
			Question{"color", fmt.Sprintf("what color is the %v?", o.Shape), o.Colour.String()},
			Question{"shape", fmt.Sprintf("what shape is %v?", o.Colour), o.Shape.String()})
	}
	if n := len(objects); n > 0 {
		qs = append(qs, Question{"count", "how many shapes are there?", [...]string{"one", "two"}[n-1]})
	}
	return qs
}

// doings are the questions about motion.
func doings(objects []Seen) []Question {
	var qs []Question
	for _, o := range objects {
		moves := "no"
		if o.Does.moves() {
			moves = "yes"
		}
		qs = append(qs,
			Question{"motion", fmt.Sprintf("what does the %v %v do?", o.Colour, o.Shape), o.Does.String()},
			Question{"motion", fmt.Sprintf("what does the %v do?", o.Shape), o.Does.String()},
			Question{"moves", fmt.Sprintf("does the %v move?", o.Shape), moves})
	}
	return qs
}
