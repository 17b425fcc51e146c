package files

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"strings"
	"time"
)

// What names of files end with: what the door keeps of an upload, and what is not whole.
const (
	infoSuffix = "info"
	partSuffix = "part"
)

// growing is how long after its last change a part is taken to grow further.
const growing = time.Minute

// A Trace is what there is of an upload in the folder.
type Trace struct {
	ID        string
	Modified  time.Time // when it last grew
	Begun     time.Time // when its size was announced
	Announced int64     // that size; 0 where nothing is known of it
	Missing   int64     // bytes of it that are not there
	Growing   int64     // bytes of parts that are being written
	Parts     []string  // names of what is not whole: under way, or broken off
}

// Traces is what there is of all uploads, by their ids.
func (f *Folder) Traces() (map[string]*Trace, error) {
	entries, err := f.list()
	if err != nil {
		return nil, err
	}
	traces := make(map[string]*Trace)
	for _, e := range entries {
		id, kind, _ := strings.Cut(e.Name(), ".")
		info, err := e.Info()
		if err != nil || !ValidID(id) || !info.Mode().IsRegular() {
			continue // gone meanwhile, or not ours
		}
		if traces[id] == nil {
			traces[id] = &Trace{ID: id}
		}
		f.trace(traces[id], kind, info)
	}
	for _, t := range traces {
		t.Missing = max(0, t.Missing)
	}
	return traces, nil
}

// trace adds a file to what there is of an upload.
func (f *Folder) trace(t *Trace, kind string, info fs.FileInfo) {
	if info.ModTime().After(t.Modified) {
		t.Modified = info.ModTime()
	}
	switch {
	case kind == "":
		t.Missing -= info.Size()
	case kind == infoSuffix:
		t.Announced, t.Begun = f.announced(info.Name()), info.ModTime()
		t.Missing += t.Announced
	case strings.HasSuffix(kind, partSuffix):
		t.Parts = append(t.Parts, info.Name())
		if time.Since(info.ModTime()) < growing {
			t.Growing += info.Size()
		}
	}
}

// maxInfo is more than the door keeps of an upload.
const maxInfo = 64 << 10

// announced is the size that an upload is to have, 0 where that is not known.
func (f *Folder) announced(name string) int64 {
	file, err := f.root.Open(name)
	if err != nil {
		return 0
	}
	defer file.Close()
	var info struct{ Size int64 }
	if err := json.NewDecoder(io.LimitReader(file, maxInfo)).Decode(&info); err != nil {
		return 0
	}
	return max(0, info.Size)
}

// Tidy removes what is older than a while: parts, and of uploads that are not known all there
// is.
func (f *Folder) Tidy(ctx context.Context, known func(id string) bool, older time.Duration) error {
	traces, err := f.Traces()
	if err != nil {
		return err
	}
	for _, t := range traces {
		if time.Since(t.Modified) < older {
			continue
		}
		for _, part := range t.Parts {
			err = errors.Join(err, f.remove(part))
		}
		if !known(t.ID) {
			err = errors.Join(err, f.Remove(ctx, t.ID))
		}
	}
	return err
}
