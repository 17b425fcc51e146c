package live

import (
	"slices"
	"sync"
	"time"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/sinks"
)

// Look is a frame that was looked at, and what the models made of it.
type Look struct {
	Epoch      int64
	PTS        time.Duration // in its epoch
	Used       time.Duration // PTS of the frame that the models saw: an earlier one where nothing changed
	Wall       time.Time
	Clock      sinks.Clock // that Wall is by
	ClockError time.Duration
	Caption    *model.Features
	Answer     *model.Features // the same where the models are; nil where they are not kept
}

// Ring remembers the looks of all cameras for a while and within so many bytes; the oldest go
// first. It may be used by any number of goroutines.
type Ring struct {
	length time.Duration
	most   int64
	size   func(*model.Features) int64

	mu    sync.Mutex
	bytes int64
	looks map[string][]Look // by source, in the order of time
}

// NewRing is an empty one.
func NewRing(length time.Duration, bytes int64) *Ring {
	return &Ring{length: length, most: bytes, size: (*model.Features).Bytes, looks: make(map[string][]Look)}
}

// Add remembers a look that comes after the source's others.
func (r *Ring) Add(source string, l Look) {
	r.mu.Lock()
	defer r.mu.Unlock()
	looks := r.looks[source]
	r.bytes += r.cost(looks, l)
	r.looks[source] = append(looks, l)
	for len(r.looks[source]) > 1 && l.Wall.Sub(r.looks[source][0].Wall) > r.length {
		r.forget(source)
	}
	for r.bytes > r.most {
		r.forget(r.oldest())
	}
}

// cost is what a look adds to those before: a still frame shares its features with the last.
func (r *Ring) cost(before []Look, l Look) (bytes int64) {
	var last Look
	if len(before) > 0 {
		last = before[len(before)-1]
	}
	if l.Caption != last.Caption {
		bytes += r.size(l.Caption)
	}
	if l.Answer != nil && l.Answer != l.Caption && l.Answer != last.Answer {
		bytes += r.size(l.Answer)
	}
	return bytes
}

// oldest is the source whose first look is the oldest of all.
func (r *Ring) oldest() (source string) {
	var at time.Time
	for s, looks := range r.looks {
		if source == "" || looks[0].Wall.Before(at) {
			source, at = s, looks[0].Wall
		}
	}
	return source
}

// forget drops a source's first look. What it shares with the second is paid by that.
func (r *Ring) forget(source string) {
	looks := r.looks[source]
	r.bytes -= r.cost(nil, looks[0])
	if len(looks) == 1 {
		delete(r.looks, source)
		return
	}
	r.bytes += r.cost(nil, looks[1]) - r.cost(looks[:1], looks[1])
	r.looks[source] = slices.Delete(looks, 0, 1)
}

// Past is all that is remembered of a source.
func (r *Ring) Past(source string) Past {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Past(slices.Clone(r.looks[source]))
}

// Forget drops all of a source that is no more.
func (r *Ring) Forget(source string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.looks[source]) > 0 {
		r.forget(source)
	}
}

// Bytes is the memory that is held.
func (r *Ring) Bytes() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes
}
