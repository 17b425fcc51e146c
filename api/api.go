// Package api is the service behind every door: what clients can ask of a daemon, whatever
// way they come (api/http, api/micro). Its errors say what the client should do, in words
// and by a status of HTTP, which both doors use.
//
// The package is pure Go. What it needs of drivers is declared here, where it is used.
package api

import (
	"errors"
	"fmt"
	"time"
)

// Error is an answer other than the one that was asked for. Everything else that fails is a
// fault of the daemon's, which a door tells as such, without its details.
type Error struct {
	Status     int           // as RFC 9110 defines it: 404, say
	Message    string        // a sentence that says what to do; it holds no secret
	RetryAfter time.Duration // when it may go better; 0 where that is not known
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Errorf is an Error with a message.
func Errorf(status int, format string, args ...any) error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...)}
}

// Later is an Error that may not be one after a while.
func Later(status int, after time.Duration, message string) error {
	return &Error{Status: status, Message: message, RetryAfter: after}
}

// Status of an error: its own, or 500.
func Status(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 500
}

// Caller is who asks.
type Caller struct {
	Name  string // of the token; "" at a door without tokens
	Admin bool   // may do what others may, and see what is others'
}

// Owns says whether the caller may touch what belongs to owner, the Name of a Caller. To all
// others it must look as if it were not there.
func (c Caller) Owns(owner string) bool { return c.Admin || c.Name == owner }
