package http

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
)

// NewID is the id of an upload: nobody can guess it.
func NewID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// partSuffix is what files.Folder removes when it is old, since its upload never became whole.
const partSuffix = ".in.part"

// part is an upload that comes in. In the folder of uploads only what is whole has an id for a
// name. It is for the daemon's user alone.
type part struct {
	*os.File
	id   string
	path string // where it goes when it is whole
}

func createPart(folder string) (*part, error) {
	p := &part{id: NewID()}
	p.path = filepath.Join(folder, p.id)
	f, err := os.OpenFile(p.path+partSuffix, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	p.File = f
	return p, err
}

// finish gives a part its place and returns its size.
func (p *part) finish() (bytes int64, err error) {
	info, err := p.Stat()
	if err = errors.Join(err, p.Sync(), p.Close()); err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(p.path+partSuffix, p.path)
}

// drop forgets a part, at whatever stage.
func (p *part) drop() {
	_ = p.Close()
	_ = os.Remove(p.path + partSuffix)
	_ = os.Remove(p.path)
}

// temporary is a file without a name: it is gone when it is closed, or the process ends.
func temporary(folder string) (*os.File, error) {
	f, err := os.CreateTemp(folder, "clip-*"+partSuffix)
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}
