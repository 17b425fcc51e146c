// Package demo holds what captiond shows without anything else: the model named "demo".
//
// The model is a GIT of six frames with 1.5 million weights, in float16, that captions the
// moving-shapes world (world) and answers questions about it; train says how it was made. It
// is embedded, so it is there wherever the program is; nothing here changes after the
// start, so it may be read by any number of goroutines.
package demo

import (
	"embed"
	"io/fs"
)

//go:embed model
var files embed.FS

// Model is the checkpoint's folder in Hugging Face's layout (config.json,
// model.safetensors, ...).
func Model() fs.FS {
	folder, err := fs.Sub(files, "model")
	if err != nil {
		panic(err) // only for a name that is not a valid path
	}
	return folder
}
