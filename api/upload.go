package api

import "github.com/captiond/captiond/pipeline/files"

// Upload is a video whose file lies complete in the folder of uploads, under its id.
type Upload struct {
	ID      string // 32 hexadecimal digits
	Title   string // the name that the client gave; it is shown and nothing else
	Bytes   int64
	Options files.Options
}
