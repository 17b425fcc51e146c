// Package demo holds what captiond shows without anything else: the model named "demo".
//
// The model is a stand-in: a GIT video checkpoint of six frames with random weights, made
// by train/standin.py. All about it is real but its words, which mean nothing. It is
// embedded, so it is there wherever the program is; nothing here changes after the start,
// so it may be read by any number of goroutines.
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
