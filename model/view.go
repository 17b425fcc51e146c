package model

import "github.com/captiond/captiond/model/pixels"

// View is the part of a picture that a model sees; its zero value is the checkpoint's own.
type View = pixels.View

// ParseView reads a View: see pixels.ParseView.
func ParseView(s string) (View, error) { return pixels.ParseView(s) }
