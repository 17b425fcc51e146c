package bench

import "github.com/captiond/captiond/model/synthetic"

// Shape is a checkpoint of full size and the work that is done with it.
type Shape struct {
	Name       string
	Checkpoint synthetic.Shape
	Frames     int    // of a clip
	Prompt     string // the first question; "" for a caption
}

// Shapes are those that are measured: git-base-vatex, git-large-vatex, git-base-coco and
// git-base-vqav2.
func Shapes() []Shape {
	return []Shape{
		{Name: "base", Checkpoint: synthetic.Base(6), Frames: 6},
		{Name: "large", Checkpoint: synthetic.Large(6), Frames: 6},
		{Name: "base-coco", Checkpoint: synthetic.Base(0), Frames: 1},
		{Name: "base-vqav2", Checkpoint: synthetic.BaseVQA(), Frames: 1, Prompt: "how many people are in the room?"},
	}
}
