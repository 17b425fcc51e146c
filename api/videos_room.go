package api

import (
	"slices"
	"sync"
	"time"

	"github.com/captiond/captiond/pipeline/files"
)

// promised is how long room is kept for an upload of which nothing is seen. One whose size is
// announced in the folder keeps its room as long as that stands there.
const promised = time.Hour

// clocks is what the times of files may lag behind ours.
const clocks = time.Second

// reservations are the bytes of uploads that may begin and of which the folder does not know.
// The zero value is ready.
type reservations struct {
	mu   sync.Mutex
	made []reservation
	seen map[string]bool // uploads whose size was announced, and whose reservation has gone
}

type reservation struct {
	owner string
	bytes int64
	at    time.Time
}

// take reserves room for an upload, where there is enough beside what is announced in the
// folder and what is reserved.
func (r *reservations) take(folder *files.Folder, owner string, bytes int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	announced, growing, err := r.settle(folder)
	if err != nil {
		return err
	}
	var made int64
	for _, m := range r.made {
		made += m.bytes
	}
	if err := folder.Room(announced + max(0, made-growing) + bytes); err != nil {
		return err
	}
	r.made = append(r.made, reservation{owner, bytes, time.Now()})
	return nil
}

// settle forgets the reservations that are old, and those of uploads that have announced their
// size in the folder since. It returns how many of the bytes announced there have not come, and
// how many have come of what was not.
func (r *reservations) settle(folder *files.Folder) (announced, growing int64, err error) {
	traces, err := folder.Traces()
	if err != nil {
		return 0, 0, err
	}
	now := time.Now()
	r.made = slices.DeleteFunc(r.made, func(m reservation) bool { return now.Sub(m.at) > promised })
	seen := make(map[string]bool)
	for id, t := range traces {
		if t.Announced == 0 {
			growing += t.Growing
			continue
		}
		announced += t.Missing
		if seen[id] = true; !r.seen[id] {
			r.drop(func(m reservation) bool { return m.bytes == t.Announced && m.at.Before(t.Begun.Add(clocks)) })
		}
	}
	r.seen = seen
	return announced, growing, nil
}

// arrived ends the reservation of an upload that is complete.
func (r *reservations) arrived(folder *files.Folder, owner string, u Upload) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, _, err := r.settle(folder); err == nil && r.seen[u.ID] {
		return
	}
	r.dropLeast(owner, u.Bytes)
}

// give ends the reservation of an upload that will not come.
func (r *reservations) give(owner string, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropLeast(owner, bytes)
}

// dropLeast forgets the smallest reservation of an owner's that holds so many bytes: a form has
// more of them than the file in it.
func (r *reservations) dropLeast(owner string, bytes int64) {
	least := int64(-1)
	for _, m := range r.made {
		if m.owner == owner && m.bytes >= bytes && (least < 0 || m.bytes < least) {
			least = m.bytes
		}
	}
	r.drop(func(m reservation) bool { return m.owner == owner && m.bytes == least })
}

// drop forgets the first reservation that fits.
func (r *reservations) drop(fits func(reservation) bool) {
	if i := slices.IndexFunc(r.made, fits); i >= 0 {
		r.made = slices.Delete(r.made, i, i+1)
	}
}
