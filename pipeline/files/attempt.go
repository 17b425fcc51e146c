package files

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/captiond/captiond/sinks"
)

// Why an attempt ends, beside errors of what it does.
var (
	errStopped = errors.New("the worker was stopped")
	errTaken   = errors.New("the job has been begun again, here or elsewhere")
	errEnded   = errors.New("the job has ended")
	errCut     = errors.New("captiond ended in the middle of it: the video may be at fault, or memory is short")
)

// An attempt is one try at a job. Its number in the record is what tells it from others: one
// that finds another number there, or that the job has ended, changes nothing any more. Only
// attend runs beside the goroutine that it belongs to, and uses number, delivery and beats.
type attempt struct {
	Worker
	delivery Delivery
	log      *slog.Logger
	number   int64        // from 1
	begun    bool         // the record says so
	beats    atomic.Int64 // how often it has got on

	video    Video  // as last written or read
	revision uint64 // of it
	after    uint64 // the journal's number of the last caption
	captions int64  // how many there are
	most     int64  // there ever were
	failures int64  // attempts in a row that came no further, this one included until it does
	progress sinks.Probability
	duration time.Duration
	damage   func() string // of the file, as far as it was seen
	reported time.Time
}

func (a *attempt) beat() { a.beats.Add(1) }

// begin takes the job. Attempts are counted as failures in advance, since one that ends the
// process cannot do so itself.
func (a *attempt) begin(ctx context.Context) error {
	for {
		v, revision, err := a.Records.Get(ctx, a.delivery.ID())
		if err != nil {
			return trouble(err)
		}
		a.video, a.revision, a.number = v, revision, v.Attempt
		if Ended(v.State) {
			return errEnded
		}
		last, _, err := a.Journal.Last(ctx, a.caption())
		if err != nil {
			return trouble(err)
		}
		if c, ok := last.(*sinks.Caption); ok && c.Seq >= v.Captions {
			v.Captions, v.Failures = c.Seq+1, 0
		}
		a.most, a.failures, a.progress = v.Captions, v.Failures, v.Progress
		if a.failures >= a.Attempts {
			return a.lastError()
		}
		v.Attempt, v.Failures, v.State, v.Detail = v.Attempt+1, v.Failures+1, sinks.JobRunning, ""
		revision, err = a.Records.Put(ctx, v, revision)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return trouble(err)
		}
		a.video, a.revision, a.number, a.failures, a.begun = v, revision, v.Attempt, v.Failures, true
		return nil
	}
}

// lastError is why the attempt before this one failed.
func (a *attempt) lastError() error {
	if a.video.Detail == "" {
		return errCut
	}
	return errors.New(a.video.Detail)
}

// caption stands for the subject of the captions.
func (a *attempt) caption() *sinks.Caption {
	return &sinks.Caption{Header: sinks.Header{Source: Source(a.delivery.ID())}}
}

// look reads the record, and says whether the job is still this attempt's.
func (a *attempt) look(ctx context.Context) (Video, uint64, error) {
	v, revision, err := a.Records.Get(ctx, a.delivery.ID())
	switch {
	case err != nil:
		return v, 0, trouble(err)
	case Ended(v.State):
		return v, revision, errEnded
	case v.Attempt != a.number:
		return v, revision, errTaken
	}
	return v, revision, nil
}

// update changes the record while the job is this attempt's.
func (a *attempt) update(ctx context.Context, change func(*Video)) error {
	for {
		v := a.video
		v.Captions, v.Failures, v.Progress = a.most, a.failures, a.progress
		change(&v)
		revision, err := a.Records.Put(ctx, v, a.revision)
		if err == nil {
			a.video, a.revision = v, revision
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return trouble(err)
		}
		if v, revision, err = a.look(ctx); err != nil {
			return err
		}
		if revision == a.revision && !sleep(ctx, lag) { // it was read where the change is not known yet
			return trouble(context.Cause(ctx))
		}
		a.video, a.revision = v, revision
	}
}

// lag is how long copies of the records may take to be the same.
const lag = 100 * time.Millisecond

// close ends the job, unless somebody else has done so.
func (a *attempt) close(ctx context.Context, s sinks.JobState, detail string) error {
	err := a.update(ctx, func(v *Video) {
		v.State, v.Detail, v.Captions, v.Failures = s, cut(detail), a.captions, 0
		if s == sinks.JobDone {
			v.Progress = 1
		}
	})
	if err == nil {
		a.log.Info("video has ended", "state", s, "attempt", a.number, "captions", a.captions, "detail", detail)
		err = errEnded
	}
	return a.settle(ctx, err)
}

// back has the job handed out again. An attempt that does not count never was a failure.
func (a *attempt) back(ctx context.Context, after time.Duration, counts bool, why string) error {
	if !a.begun {
		return a.delivery.Back(ctx, after)
	}
	err := a.update(ctx, func(v *Video) {
		v.State, v.Detail = sinks.JobQueued, cut(why)
		if !counts {
			v.Failures = max(0, a.failures-1)
		}
	})
	if err != nil {
		return a.settle(ctx, err)
	}
	if err := a.announce(ctx); err != nil {
		return a.settle(ctx, err)
	}
	return a.delivery.Back(ctx, after)
}

// settle does what is left to do when the job is no longer this attempt's.
func (a *attempt) settle(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, errEnded):
		return a.tell(ctx)
	case errors.Is(err, errTaken):
		return nil
	case errors.Is(err, ErrUnknown):
		return a.forget(ctx)
	}
	return err
}

// tell publishes how the job ended, once, and takes it out of the queue.
func (a *attempt) tell(ctx context.Context) error {
	v, _, err := a.Records.Get(ctx, a.delivery.ID())
	if errors.Is(err, ErrUnknown) {
		return a.forget(ctx)
	}
	if err != nil {
		return err
	}
	e := v.Event()
	last, _, err := a.Journal.Last(ctx, e)
	if err != nil {
		return err
	}
	if last == nil || last.Head().ID != e.ID {
		if err := a.Journal.Publish(ctx, e); err != nil {
			return err
		}
	}
	return a.delivery.Done(ctx)
}

// forget removes what this attempt said about a video that has been deleted meanwhile.
func (a *attempt) forget(ctx context.Context) error {
	if err := errors.Join(a.Journal.Clear(ctx, a.caption()), a.Journal.Clear(ctx, Video{Source: Source(a.delivery.ID())}.Event())); err != nil {
		return err
	}
	return a.delivery.Done(ctx)
}

// most of a detail is kept: what decoders say may be long.
const maxDetail = 1000

func cut(detail string) string {
	if len(detail) <= maxDetail {
		return detail
	}
	return detail[:maxDetail] + "…"
}
