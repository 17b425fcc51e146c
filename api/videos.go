package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/captiond/captiond/pipeline/files"
	"github.com/captiond/captiond/sinks"
)

// VideoRecords are where videos are kept; pipeline/jetstream implements them. See
// files.Records.
type VideoRecords interface {
	files.Records
	List(ctx context.Context) ([]files.Video, error)
	Remove(ctx context.Context, id string) error
}

// VideoQueue is where videos wait; pipeline/jetstream implements it.
type VideoQueue interface {
	// Add has a video captioned; one that waits already stays where it is. It is files.ErrFull
	// where too many wait.
	Add(ctx context.Context, id string) error
	Full(ctx context.Context) (bool, error)
	Remove(ctx context.Context, id string) error
}

// VideoEvents is where events are stored; sinks/nats.Client implements it.
type VideoEvents interface {
	Publish(ctx context.Context, e sinks.Event) error
	// Told is the events on the subject of e, in order.
	Told(ctx context.Context, e sinks.Event) iter.Seq2[sinks.Event, error]
	// Forget removes all events of a source.
	Forget(ctx context.Context, source string) error
}

// Videos is the service for uploads. Its methods are safe for concurrent use; several
// processes may serve the same videos.
type Videos struct {
	Records VideoRecords
	Queue   VideoQueue
	Events  VideoEvents
	Folder  *files.Folder
	// Sniff says by its first bytes what is wrong with a file, in a sentence for the client.
	Sniff func(head []byte) error
	// Known says what is wrong with the name of a model, likewise; "" is the usual one.
	Known func(model string) error
	// Forget is told the source of a video that is removed, for what is remembered of it
	// elsewhere; it may be nil.
	Forget func(source string)
	// Sweep removes what is left over elsewhere, of uploads that are not known; it may be nil.
	Sweep func(ctx context.Context, known func(id string) bool, older time.Duration) error

	MaxBytes  int64         // of an upload
	Retention time.Duration // of a video
	Logger    *slog.Logger

	reserved reservations
	owners   owners
}

const (
	queueTime     = 30 * time.Second // after which a full queue may have room
	headSize      = 8 << 10          // bytes that Sniff is given
	maxTitleBytes = 255              // of a title that are kept
)

// Admit says whether an upload of so many bytes may begin, -1 where it is not known how many,
// and keeps room for it until it has been Added, or is Released.
func (v *Videos) Admit(ctx context.Context, c Caller, bytes int64) error {
	if bytes > v.MaxBytes {
		return Errorf(http.StatusRequestEntityTooLarge, "the video has %d bytes, and %d are allowed (uploads.max_bytes): send a shorter or a smaller one", bytes, v.MaxBytes)
	}
	full, err := v.Queue.Full(ctx)
	switch {
	case err != nil:
		v.Logger.Warn("job queue cannot be asked", "err", err)
		return Later(http.StatusServiceUnavailable, queueTime, "the job queue cannot be reached: try again later")
	case full:
		return queueFull()
	}
	err = v.reserved.take(v.Folder, c.Name, v.most(bytes))
	if errors.Is(err, files.ErrNoRoom) {
		return Errorf(http.StatusInsufficientStorage, "the disk has no room for %d bytes more: delete videos that are not needed, or try again later", v.most(bytes))
	}
	return err
}

// Release gives back the room for an upload that will not come, or that Add refused.
func (v *Videos) Release(c Caller, bytes int64) { v.reserved.give(c.Name, v.most(bytes)) }

// most is how many bytes an upload may have.
func (v *Videos) most(bytes int64) int64 {
	if bytes < 0 {
		return v.MaxBytes
	}
	return bytes
}

func queueFull() error {
	return Later(http.StatusServiceUnavailable, queueTime, "too many videos are waiting: try again later")
}

// Add has an upload captioned, or refuses it: then its file is gone.
func (v *Videos) Add(ctx context.Context, c Caller, u Upload) (files.Video, error) {
	now := time.Now()
	video := files.Video{
		ID: u.ID, Source: files.Source(u.ID), Title: storable(u.Title), Owner: c.Name, Bytes: u.Bytes, Options: u.Options,
		Created: sinks.At(now), Expires: sinks.At(now.Add(v.Retention)), State: sinks.JobQueued,
	}
	if _, _, err := v.Records.Get(ctx, u.ID); err == nil {
		return video, taken(u.ID)
	}
	err := v.check(u)
	if err == nil {
		err = v.Folder.Share(ctx, u.ID)
	}
	if err == nil {
		err = v.enqueue(ctx, video)
	}
	switch {
	case err == nil:
		v.reserved.arrived(v.Folder, c.Name, u)
		return video, nil
	case errors.Is(err, files.ErrConflict): // the file is that of the other record
		return video, taken(u.ID)
	case errors.Is(err, files.ErrFull):
		err = queueFull()
	}
	if failed := v.remove(context.WithoutCancel(ctx), video); failed != nil {
		v.Logger.Warn("what is left of a refused upload could not be removed: it is tried on", "video", u.ID, "err", failed)
	}
	return video, err
}

func taken(id string) error {
	return Errorf(http.StatusConflict, "this upload has been taken already: ask for video %s", id)
}

// enqueue writes the record of a new video and queues it.
func (v *Videos) enqueue(ctx context.Context, video files.Video) error {
	if _, err := v.Records.Put(ctx, video, 0); err != nil {
		return err
	}
	if err := v.Events.Publish(ctx, video.Event()); err != nil { // before a worker has something to say
		return err
	}
	return v.Queue.Add(ctx, video.ID)
}

// check looks at what a client sent.
func (v *Videos) check(u Upload) error {
	if err := u.Options.Validate(); err != nil {
		return Errorf(http.StatusUnprocessableEntity, "%v", err)
	}
	if err := v.Known(u.Options.Model); err != nil {
		return Errorf(http.StatusUnprocessableEntity, "%v", err)
	}
	f, err := v.Folder.Here(u.ID)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, headSize)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read upload: %w", err)
	}
	if err := v.Sniff(head[:n]); err != nil {
		return Errorf(http.StatusUnsupportedMediaType, "%v", err)
	}
	return nil
}

// storable is a title as it is kept, whatever door it came by: of so many bytes, and without what
// could confuse those who read it.
func storable(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, name)
	if len(name) <= maxTitleBytes {
		return name
	}
	end := maxTitleBytes
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end]
}

// List is the caller's videos, the latest first.
func (v *Videos) List(ctx context.Context, c Caller) ([]files.Video, error) {
	all, err := v.Records.List(ctx)
	if err != nil {
		return nil, err
	}
	mine := slices.DeleteFunc(all, func(video files.Video) bool { return !c.Owns(video.Owner) })
	slices.SortFunc(mine, func(a, b files.Video) int {
		return cmp.Or(b.Created.Compare(a.Created.Time), strings.Compare(a.ID, b.ID))
	})
	return mine, nil
}

// Get is a video of the caller's.
func (v *Videos) Get(ctx context.Context, c Caller, id string) (files.Video, error) {
	video, _, err := v.get(ctx, c, id)
	return video, err
}

func (v *Videos) get(ctx context.Context, c Caller, id string) (files.Video, uint64, error) {
	if !files.ValidID(id) {
		return files.Video{}, 0, unknown()
	}
	video, revision, err := v.Records.Get(ctx, id)
	if errors.Is(err, files.ErrUnknown) || err == nil && !c.Owns(video.Owner) {
		return files.Video{}, 0, unknown()
	}
	return video, revision, err
}

func unknown() error {
	return Errorf(http.StatusNotFound, "there is no such video: it was deleted, its time is over, or its id is another")
}

// Cancel ends the captioning of a video. Captions that were made, and the file, stay. A video
// whose captioning has ended stays as it is.
func (v *Videos) Cancel(ctx context.Context, c Caller, id string) (files.Video, error) {
	return v.finish(ctx, c, id, func(video *files.Video) bool {
		if files.Ended(video.State) {
			return false
		}
		video.State, video.Detail = sinks.JobCancelled, "it was cancelled"
		return true
	})
}

// finish ends the captioning of a video, where end does so to its record. First the record
// says so: a worker that has the video looks at it. Where the end could not be told, the job
// stays in the queue: a worker finds there that it has ended, and tells it.
func (v *Videos) finish(ctx context.Context, c Caller, id string, end func(*files.Video) bool) (files.Video, error) {
	for {
		video, revision, err := v.get(ctx, c, id)
		if err != nil || !end(&video) {
			return video, err
		}
		_, err = v.Records.Put(ctx, video, revision)
		if errors.Is(err, files.ErrConflict) {
			continue
		}
		if err == nil {
			err = v.Events.Publish(ctx, video.Event())
		}
		if err == nil {
			err = v.Queue.Remove(ctx, id)
		}
		return video, err
	}
}

// Delete removes a video and all there is of it, whatever its state.
func (v *Videos) Delete(ctx context.Context, c Caller, id string) error {
	video, err := v.Cancel(ctx, c, id)
	if err != nil {
		return err
	}
	return v.remove(ctx, video)
}

// remove removes a video. The record goes last, so that it can be tried again.
func (v *Videos) remove(ctx context.Context, video files.Video) error {
	if v.Forget != nil {
		v.Forget(video.Source)
	}
	err := errors.Join(v.Queue.Remove(ctx, video.ID), v.Folder.Remove(ctx, video.ID), v.Events.Forget(ctx, video.Source))
	if err != nil {
		return err
	}
	return v.Records.Remove(ctx, video.ID)
}

// Media opens the file of a video; the caller closes it.
func (v *Videos) Media(ctx context.Context, c Caller, id string) (*os.File, files.Video, error) {
	video, err := v.Get(ctx, c, id)
	if err != nil {
		return nil, video, err
	}
	f, err := v.Folder.Open(ctx, id, nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, video, Errorf(http.StatusGone, "the file of this video is gone: send it again")
	case errors.Is(err, files.ErrNoRoom):
		return nil, video, Errorf(http.StatusInsufficientStorage, "the disk has no room for this video: try again later")
	}
	return f, video, err
}

// Captions is the captions of a video so far, in order. An error is the last of the sequence.
func (v *Videos) Captions(ctx context.Context, c Caller, id string) iter.Seq2[*sinks.Caption, error] {
	return func(yield func(*sinks.Caption, error) bool) {
		video, err := v.Get(ctx, c, id)
		if err != nil {
			yield(nil, err)
			return
		}
		for e, err := range v.Events.Told(ctx, &sinks.Caption{Header: sinks.Header{Source: video.Source}}) {
			caption, ok := e.(*sinks.Caption)
			if err != nil {
				yield(nil, err)
				return
			}
			if ok && !yield(caption, nil) {
				return
			}
		}
	}
}
