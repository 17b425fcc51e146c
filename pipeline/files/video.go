// Package files is the way of an uploaded video: from the queue, where it waits, through a
// worker, who captions it, to the events that leave. A job is done once however often it is
// begun: texts have the same ids on every attempt, and an attempt begins where the captions
// of the one before end.
//
// It is pure Go: the queue and the records lie in pipeline/jetstream.
package files

import (
	"errors"
	"fmt"
	"time"

	"github.com/captiond/captiond/sinks"
)

// Video is the record of an upload, as it is stored and as clients see it.
type Video struct {
	ID       string            `json:"id"`     // of the upload: 32 hexadecimal digits
	Source   string            `json:"source"` // of its events: job-<id>
	Title    string            `json:"title"`  // the name that the client gave; it is shown and nothing else
	Owner    string            `json:"owner,omitempty"`
	Bytes    int64             `json:"bytes"`
	Created  sinks.Time        `json:"created"`
	Expires  sinks.Time        `json:"expires"` // when file and captions go
	Options  Options           `json:"options"`
	State    sinks.JobState    `json:"state"`
	Attempt  int64             `json:"attempt"`  // that is or was under way, from 1; 0 before the first
	Progress sinks.Probability `json:"progress"` // part of the duration that has been captioned
	Duration sinks.Seconds     `json:"duration"` // 0 until it is known, and of a picture
	Model    string            `json:"model"`    // name@digest of the captions, "" until it is known
	Detail   string            `json:"detail,omitempty"`
	Damage   string            `json:"damage,omitempty"`   // of the file, as far as it was seen
	Captions int64             `json:"caption_count"`      // how many have been made
	Failures int64             `json:"failures,omitempty"` // attempts in a row that came no further
}

// Event is the event that tells of the record as it is, sealed. The same record gives the same
// id.
func (v Video) Event() *sinks.Job {
	e := &sinks.Job{Header: sinks.Header{Source: v.Source, Title: v.Title}, State: v.State,
		Attempt: v.Attempt, Progress: v.Progress, Detail: v.Detail}
	sinks.Seal(e)
	return e
}

// Options are how an upload is to be captioned: at most one of Every, Whole and Scenes.
type Options struct {
	Every  sinks.Seconds `json:"every,omitempty"` // length of the windows; 0 for 10 s where neither of the others is set
	Whole  bool          `json:"whole,omitempty"`
	Scenes bool          `json:"scenes,omitempty"`
	Model  string        `json:"model,omitempty"` // a name; "" for the daemon's
}

// The bounds of windows.
const (
	minEvery     = 100 * time.Millisecond
	maxEvery     = 24 * time.Hour
	defaultEvery = 10 * time.Second
)

// Validate says what is wrong with options.
func (o Options) Validate() error {
	ways := 0
	for _, given := range []bool{o.Every != 0, o.Whole, o.Scenes} {
		if given {
			ways++
		}
	}
	every := o.Every.Duration()
	switch {
	case ways > 1:
		return errors.New("every, whole and scenes are three ways to cut a video: give one of them")
	case o.Every != 0 && (every < minEvery || every > maxEvery):
		return fmt.Errorf("every must be %v to %v seconds, not %v", sinks.SecondsOf(minEvery), sinks.SecondsOf(maxEvery), o.Every)
	}
	return nil
}

// ValidID says whether s can be the id of an upload. Nothing else is ever part of a path, a
// subject or a key.
func ValidID(s string) bool {
	if len(s) != 32 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Source is the source of the events of an upload.
func Source(id string) string { return "job-" + id }

// Ended says whether nothing more will happen to a job.
func Ended(s sinks.JobState) bool {
	return s == sinks.JobDone || s == sinks.JobFailed || s == sinks.JobCancelled
}
