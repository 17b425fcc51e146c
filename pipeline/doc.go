// Package pipeline is the way of a frame: from a clip's pictures, through the windows
// that are looked at and the model that says what it sees, to the events that leave.
//
// A clip is asked for the frames on screen at the instants that its windows need
// (frames.Window.Instants). One goroutine reads them a few ahead, so that decoding and
// encoding overlap; the caller's goroutine encodes each distinct frame once, however
// many instants and windows it stands for, several in one run where the model takes them
// (Voice.Pictures), and generates the texts of some windows side by side (Voice.Together) as
// soon as the last frame of theirs is there. Which windows go together depends on their
// numbers alone, so that a file's captions are the same to the last digit; where frames share
// runs, one that is on screen in two groups of windows may be in other company after a resume. Files wait: nothing is dropped, nothing is reordered.
//
// The package is pure Go and knows neither FFmpeg nor ONNX Runtime nor NATS: what it
// needs of them is declared here, where it is used.
package pipeline
