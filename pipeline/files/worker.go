package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

// A Worker captions what is queued. The fields up to Eye are needed, the others have defaults.
type Worker struct {
	Queue     Queue
	Records   Records
	Journal   Journal
	Projector Projector
	// Open opens the file of an upload; fs.ErrNotExist is the error for one that is not there.
	// Beat is called while it is being fetched from elsewhere.
	Open func(ctx context.Context, id string, beat func()) (*os.File, error)
	// Voice is the voice of a model by its name, "" for the usual one.
	Voice func(ctx context.Context, name string) (pipeline.Voice, error)
	Eye   pipeline.Eye

	Slots    int           // jobs at a time; 1
	Attempts int64         // attempts in a row that may come no further; 4
	Patience time.Duration // how long an attempt may make no progress, less than the queue waits; 30 s
	Pause    time.Duration // before a job whose attempt failed is handed out again; Patience
	Logger   *slog.Logger  // none
}

const (
	// lastWords is how long the end of an attempt may take to be told.
	lastWords = 5 * time.Second
	// breath is the time between tries while the broker is away.
	breath = time.Second
)

func (w Worker) withDefaults() Worker {
	w.Slots = cmp.Or(w.Slots, 1)
	w.Attempts = cmp.Or(w.Attempts, 4)
	w.Patience = cmp.Or(w.Patience, 30*time.Second)
	w.Pause = cmp.Or(w.Pause, w.Patience)
	w.Logger = cmp.Or(w.Logger, slog.New(slog.DiscardHandler))
	return w
}

// Run works until ctx ends. What is under way then goes back into the queue at once, and that
// attempt does not count.
func (w Worker) Run(ctx context.Context) {
	w = w.withDefaults()
	var slots sync.WaitGroup
	for range w.Slots {
		slots.Go(func() { w.serve(ctx) })
	}
	slots.Wait()
}

// serve takes one job after the other.
func (w Worker) serve(ctx context.Context) {
	for away := false; ctx.Err() == nil; {
		d, err := w.Queue.Take(ctx)
		if err == nil {
			away = false
			w.work(ctx, d)
			continue
		}
		if ctx.Err() == nil && !away {
			away = true
			w.Logger.Warn("job queue cannot be read: it is tried on", "err", err)
		}
		sleep(ctx, breath)
	}
}

// work makes one attempt at a job and tells how it ended. While that cannot be told, because
// the broker is away, it is tried on.
func (w Worker) work(ctx context.Context, d Delivery) {
	a := &attempt{Worker: w, delivery: d, log: w.Logger.With("video", d.ID())}
	err := a.begin(ctx)
	if err == nil {
		a.log.Info("video is captioned", "attempt", a.number, "captions", a.most)
		err = a.run(ctx)
	}
	if ctx.Err() != nil && (isTrouble(err) || errors.Is(err, context.Cause(ctx))) {
		err = errStopped
	}
	for told := false; ; {
		telling, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		failed := a.end(telling, err)
		cancel()
		if failed == nil {
			return
		}
		if !told {
			told = true
			a.log.Warn("end of an attempt could not be told: it is tried on", "err", failed)
		}
		if !sleep(ctx, breath) {
			return // the queue will find that nobody works on it
		}
	}
}

// end does what an attempt's outcome asks for. It may be called again after an error.
func (a *attempt) end(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return a.close(ctx, sinks.JobDone, "")
	case errors.Is(err, errTaken):
		return nil // what happens to the job is not ours to say
	case errors.Is(err, errEnded):
		return a.tell(ctx)
	case errors.Is(err, ErrUnknown):
		return a.forget(ctx)
	case errors.Is(err, errStopped):
		return a.back(ctx, 0, false, "captiond was stopped: the video waits for its next start, or for another captiond")
	case isTrouble(err):
		a.log.Warn("attempt met trouble: there will be another", "attempt", a.number, "err", err)
		return a.back(ctx, a.Pause, false, err.Error())
	case isFile(err):
		return a.close(ctx, sinks.JobFailed, err.Error())
	case a.failures >= a.Attempts:
		return a.close(ctx, sinks.JobFailed, fmt.Sprintf("given up after %d attempts that came no further; the last: %v", a.failures, err))
	}
	a.log.Warn("attempt failed: there will be another", "attempt", a.number, "err", err)
	return a.back(ctx, a.Pause, true, err.Error())
}

// sleep says whether it slept through.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
