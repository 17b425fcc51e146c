package api

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/captiond/captiond/pipeline/files"
)

// owners remembers whose videos are: that never changes.
type owners struct {
	mu sync.Mutex
	of map[string]string // by id
}

const (
	mostOwners = 10_000          // that are remembered; then it begins anew
	ownerTime  = 2 * time.Second // to look one up
)

// Sees says whether a caller may see what is said of a source: of a video its owner may, of all
// else everybody. It is quick but for the first time that a video is asked about.
func (v *Videos) Sees(c Caller, source string) bool {
	id, ok := strings.CutPrefix(source, files.Source(""))
	if !ok || c.Admin {
		return true
	}
	owner, known := v.ownerOf(id)
	return known && c.Owns(owner)
}

func (v *Videos) ownerOf(id string) (string, bool) {
	v.owners.mu.Lock()
	owner, known := v.owners.of[id]
	v.owners.mu.Unlock()
	if known {
		return owner, true
	}
	ctx, cancel := context.WithTimeout(context.Background(), ownerTime)
	defer cancel()
	video, _, err := v.Records.Get(ctx, id)
	if err != nil {
		return "", false
	}
	v.owners.mu.Lock()
	defer v.owners.mu.Unlock()
	if v.owners.of == nil || len(v.owners.of) >= mostOwners {
		v.owners.of = make(map[string]string)
	}
	v.owners.of[id] = video.Owner
	return video.Owner, true
}
