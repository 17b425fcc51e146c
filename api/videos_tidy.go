package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/captiond/captiond/pipeline/files"
	"github.com/captiond/captiond/sinks"
)

const (
	tidyEvery = time.Minute
	// abandoned is how long an upload that is not complete waits to be gone on with.
	abandoned = 24 * time.Hour
)

// Run keeps order until ctx ends: videos whose time is over go, and so does what was left of
// uploads that never were complete; videos that wait without being in the queue, because a
// process died between the two, are put there.
func (v *Videos) Run(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for failed := false; ; {
		err := v.Tidy(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failed {
			v.Logger.Warn("uploads could not be tidied: it is tried on", "err", err)
		}
		failed = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Tidy is one round of Run.
func (v *Videos) Tidy(ctx context.Context) error {
	all, err := v.Records.List(ctx)
	if err != nil {
		return err
	}
	there := make(map[string]bool)
	for _, video := range all {
		there[video.ID] = true
		err = errors.Join(err, v.tidy(ctx, video))
	}
	known := func(id string) bool { return there[id] }
	err = errors.Join(err, v.Folder.Tidy(ctx, known, abandoned))
	if v.Sweep != nil {
		err = errors.Join(err, v.Sweep(ctx, known, abandoned))
	}
	return err
}

func (v *Videos) tidy(ctx context.Context, video files.Video) error {
	if time.Now().After(video.Expires.Time) {
		v.Logger.Info("video is removed: its time is over", "video", video.ID)
		return ignoreUnknown(v.Delete(ctx, Caller{Admin: true}, video.ID))
	}
	if files.Ended(video.State) {
		return nil
	}
	there, err := v.Folder.Has(ctx, video.ID)
	if err != nil {
		return err
	}
	if !there && video.State == sinks.JobQueued {
		return ignoreUnknown(v.fail(ctx, video.ID, "its file is gone: send it again"))
	}
	if err := v.Queue.Add(ctx, video.ID); !errors.Is(err, files.ErrFull) {
		return err
	}
	return nil
}

// fail ends a video that waits.
func (v *Videos) fail(ctx context.Context, id, why string) error {
	_, err := v.finish(ctx, Caller{Admin: true}, id, func(video *files.Video) bool {
		if video.State != sinks.JobQueued {
			return false
		}
		video.State, video.Detail = sinks.JobFailed, why
		return true
	})
	return err
}

// ignoreUnknown takes a video that somebody else has removed for what it is.
func ignoreUnknown(err error) error {
	if err == nil || Status(err) == http.StatusNotFound {
		return nil
	}
	return err
}
