package files

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

// What a queue and records answer in place of what was asked. Other errors are troubles of
// theirs, which pass.
var (
	ErrUnknown  = errors.New("there is no such video")
	ErrConflict = errors.New("the record has been changed meanwhile")
	ErrFull     = errors.New("there is no room for another one")
)

// Queue hands out jobs; pipeline/jetstream implements it.
type Queue interface {
	// Take waits for a job. One that is not confirmed, by Beat, for the time that the queue
	// allows is handed out again, to whoever asks: so a job may be with two workers at a time.
	Take(ctx context.Context) (Delivery, error)
}

// A Delivery is a job that was handed out once.
type Delivery interface {
	ID() string                                          // of the upload
	Beat() error                                         // confirms that it is being worked on
	Done(ctx context.Context) error                      // takes it out of the queue
	Back(ctx context.Context, after time.Duration) error // has it handed out again
}

// Records are where the Videos of all processes are kept; pipeline/jetstream implements them.
type Records interface {
	// Get is a record and its revision, or ErrUnknown.
	Get(ctx context.Context, id string) (Video, uint64, error)
	// Put writes a record where its revision is still that one, 0 for none; else it is
	// ErrConflict. It returns the new revision.
	Put(ctx context.Context, v Video, revision uint64) (uint64, error)
}

// Journal is where events go; sinks/nats.Client implements it. Of an event that stands for its
// subject, only what the subject depends on counts.
type Journal interface {
	// Publish stores an event, and knows an id again for an hour at least.
	Publish(ctx context.Context, e sinks.Event) error
	// Append stores an event behind the one of that number, which was the last of its subject,
	// 0 for none; it is sinks.ErrMoved where it no longer is, and nil for an event that is the
	// last one already.
	Append(ctx context.Context, e sinks.Event, after uint64) (uint64, error)
	// Last is the last event on the subject of e, with its number; nil and 0 for none.
	Last(ctx context.Context, e sinks.Event) (sinks.Event, uint64, error)
	// Clear removes what is on the subject of e.
	Clear(ctx context.Context, e sinks.Event) error
}

// A Projector shows files. Show opens one and has use look at it: a clip, which is valid until
// use returns, or a picture. Errors that lie in the file itself, those of the clip among them,
// are a *FileError; what it returns of use's own is as use returned it.
type Projector interface {
	Show(ctx context.Context, r Reel, use func(context.Context, pipeline.Footage) error) error
}

// A Reel is a file to be shown.
type Reel struct {
	*os.File        // open for reading; Show does not close it
	Beat     func() // to be called whenever decoding has got on; any goroutine may
}

// FileError is an error that lies in the file itself: trying again is no use.
type FileError struct{ Err error }

// Error implements error.
func (e *FileError) Error() string { return e.Err.Error() }

// Unwrap is what is wrong.
func (e *FileError) Unwrap() error { return e.Err }

// isFile says whether an error lies in the file itself.
func isFile(err error) bool {
	_, ok := errors.AsType[*FileError](err)
	return ok
}

// troubleError is an error of the broker or the disk: it passes, and no attempt is counted for
// it.
type troubleError struct{ err error }

func (e *troubleError) Error() string { return e.err.Error() }
func (e *troubleError) Unwrap() error { return e.err }

// trouble wraps what a queue, records or a journal answered, but for the answers that mean
// something.
func trouble(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrUnknown), errors.Is(err, ErrConflict), errors.Is(err, sinks.ErrMoved):
		return err
	}
	return &troubleError{err}
}

func isTrouble(err error) bool {
	_, ok := errors.AsType[*troubleError](err)
	return ok
}
