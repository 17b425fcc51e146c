package sinks

import "time"

// A Record is an event as a stream keeps it.
type Record struct {
	Seq     uint64 // its number in the stream, from 1
	Stored  time.Time
	Subject string
	Data    []byte // its JSON, as it was published
	Event   Event  // nil where it cannot be decoded
}

// From says where to begin reading a stream: at Seq, else at Since, else with all it holds if
// All, else with what is new.
type From struct {
	Seq   uint64
	Since time.Time
	All   bool
}

// Extent is what a stream holds. It is zero for a stream that is not there.
type Extent struct {
	First, Last uint64    // numbers; First is Last + 1 where it holds nothing, Last never falls
	Removed     int       // messages between them that are there no more
	Created     time.Time // tells a stream from one that was made anew
}
