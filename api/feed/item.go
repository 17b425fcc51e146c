package feed

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"
	"strings"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/sinks"
)

// Item is an event or a gap. It is nothing where there was nothing for a while.
type Item struct {
	Seq     uint64 // its number in the stream; 0 for a gap, and for nothing
	Kind    sinks.Kind
	Source  string
	Subject string
	Data    []byte // its JSON on one line; shared, never to be changed
	Gap     *Gap
}

// Gap is what a client wanted and does not get.
type Gap struct {
	From uint64 `json:"from_seq"` // the first number in the stream
	To   uint64 `json:"to_seq"`   // and the last
	Lost uint64 `json:"lost"`     // events between them, itself included, that are lost; at most, where the stream lets go of them
}

// itemOf is nil for what is no event that we know.
func itemOf(r sinks.Record) *Item {
	if r.Event == nil {
		return nil
	}
	var line bytes.Buffer
	if err := json.Compact(&line, r.Data); err != nil {
		return nil
	}
	return &Item{Seq: r.Seq, Kind: r.Event.Kind(), Source: r.Event.Head().Source, Subject: r.Subject, Data: line.Bytes()}
}

// Want is what a client wants. The zero value is everything, from now on.
type Want struct {
	Sources  []string                 // any of them; all where there are none
	Kinds    []sinks.Kind             // likewise
	Subjects []string                 // likewise, as NATS writes them, * and > included
	Sees     func(source string) bool // what the caller may see, asked for every event: quick; nil for all
	Resume   bool                     // begin after number After of the stream, in place of now
	After    uint64
}

// maxFilters bounds what every event is compared with.
const maxFilters = 100

func (w Want) check() error {
	if len(w.Sources)+len(w.Kinds)+len(w.Subjects) > maxFilters {
		return api.Errorf(422, "more than %d sources and kinds are asked for: leave them out to get all", maxFilters)
	}
	for _, s := range w.Sources {
		if !sinks.ValidName(s) {
			return api.Errorf(422, "source must be the name of a camera, or job- and the id of a video")
		}
	}
	for _, k := range w.Kinds {
		if !slices.Contains(sinks.Kinds(), k) {
			return api.Errorf(422, "kind must be one of %v", sinks.Kinds())
		}
	}
	return nil
}

func (w Want) takes(i *Item) bool {
	return among(w.Sources, i.Source) && among(w.Kinds, i.Kind) && (w.Sees == nil || w.Sees(i.Source)) &&
		(len(w.Subjects) == 0 || slices.ContainsFunc(w.Subjects, func(p string) bool { return matches(p, i.Subject) }))
}

func among[T comparable](some []T, v T) bool { return len(some) == 0 || slices.Contains(some, v) }

// matches says whether a pattern of NATS covers a subject.
func matches(pattern, subject string) bool {
	ps, ss := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i, p := range ps {
		switch {
		case p == ">":
			return len(ss) > i
		case i >= len(ss) || p != "*" && p != ss[i]:
			return false
		}
	}
	return len(ps) == len(ss)
}

// subjects are those on which all that is wanted comes; none stands for all.
func (w Want) subjects(prefix string) (all []string) {
	for _, s := range slices.Compact(slices.Sorted(slices.Values(w.Sources))) {
		all = append(all, sinks.Subjects(prefix, s)...)
	}
	return all
}

// ring is the last items that were pushed and not popped.
type ring struct {
	items    []*Item
	first, n int
}

func newRing(size int) ring { return ring{items: make([]*Item, size)} }

// push gives back what it had no room for any more.
func (r *ring) push(i *Item) (old *Item) {
	if r.n == len(r.items) {
		old = r.pop()
	}
	r.items[(r.first+r.n)%len(r.items)] = i
	r.n++
	return old
}

// pop is nil where there is nothing.
func (r *ring) pop() *Item {
	if r.n == 0 {
		return nil
	}
	i := r.items[r.first]
	r.items[r.first] = nil
	r.first, r.n = (r.first+1)%len(r.items), r.n-1
	return i
}

func (r *ring) all() iter.Seq[*Item] {
	return func(yield func(*Item) bool) {
		for k := range r.n {
			if !yield(r.items[(r.first+k)%len(r.items)]) {
				return
			}
		}
	}
}
