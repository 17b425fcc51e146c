package api

import (
	"encoding/json"
	"time"
)

// The limits of a Query.
const (
	MaxFound      = 500 // a page
	DefaultFound  = 50
	MaxQueryBytes = 1000
	MaxQueryWords = 32
)

// Query is what to look for among the captions and answers that are kept. The zero value
// finds all.
type Query struct {
	Words   string                   // all of them; "a phrase" and the beginn* of a word too
	Sources []string                 // any of them; of all where there are none
	From    time.Time                // what is about From or later
	To      time.Time                // what is about a time before To
	ByRank  bool                     // the best first, in place of what was stored last
	Limit   int                      // of a page: 1 to MaxFound, DefaultFound if 0
	Cursor  string                   // Next of the page before; none for the first
	Sees    func(source string) bool // what the caller may see; nil for all
}

// Page is a part of what was found.
type Page struct {
	Found []Found
	Next  string // Cursor of the page after; empty where there is none
}

// Found is a caption or an answer.
type Found struct {
	Seq     uint64          // its number in the stream
	Event   json.RawMessage // as it was published, on one line
	Snippet string          // of its text or question, plain text, what was looked for in [brackets]
}
