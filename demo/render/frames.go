package main

import (
	"bufio"
	"encoding/json"
	"image"
	"os"

	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/frames"
)

// shown says what the pictures after it are: [Frames][Height][Width][3].
type shown struct {
	Seed      uint64           `json:"seed"`
	Frames    int              `json:"frames"`
	Width     int              `json:"width"`
	Height    int              `json:"height"`
	Caption   string           `json:"caption"`
	Questions []world.Question `json:"questions"`
}

// runFrames writes whole scenes, six frames of each, as they are drawn.
func runFrames(args []string) error {
	a := newArguments("frames")
	a.IntVar(&a.n, "n", 1, "number of scenes")
	_ = a.Parse(args) // exits itself
	w := bufio.NewWriter(os.Stdout)
	for i := range uint64(a.n) {
		s := world.New(a.seed+i, world.Options{})
		truth := s.Truth(0, s.Duration)
		img := image.NewRGBA(image.Rect(0, 0, 320, 240))
		line, err := json.Marshal(shown{a.seed + i, window, img.Rect.Dx(), img.Rect.Dy(), truth.Caption, truth.Questions})
		if err != nil {
			return err
		}
		pixels := append(line, '\n')
		for _, t := range (frames.Window{End: s.Duration}).Instants(window) {
			s.Draw(img, t)
			for at := 0; at < len(img.Pix); at += 4 {
				pixels = append(pixels, img.Pix[at:at+3]...)
			}
		}
		if _, err := w.Write(pixels); err != nil {
			return err
		}
	}
	return w.Flush()
}
