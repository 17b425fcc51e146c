package demo

import (
	"bytes"
	_ "embed" // for the files below
	"encoding/json"
	"image"
	"image/draw"
	"image/png"
)

//go:embed picture.png
var picture []byte

//go:embed golden.json
var golden []byte

// Picture is a small picture of shapes that every installation has, to see whether a model
// still says of it what it said before.
func Picture() *image.RGBA {
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		panic(err) // only for a file that is damaged at build time
	}
	rgba := image.NewRGBA(img.Bounds())
	draw.Draw(rgba, rgba.Rect, img, img.Bounds().Min, draw.Src)
	return rgba
}

// Golden are the tokens that transformers 4.56.2 gives Picture with Model by greedy search,
// without begin and end token (train/golden.py).
func Golden() []int64 {
	var tokens []int64
	if err := json.Unmarshal(golden, &tokens); err != nil {
		panic(err) // likewise
	}
	return tokens
}
