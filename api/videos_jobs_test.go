package api_test

import (
	"context"
	"errors"
	"image"
	"iter"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/pipeline/files"
	"github.com/captiond/captiond/sinks"
)

// stills is what all files show: a frame a second, and a caption for each; the model may be
// held up.
type stills struct {
	open chan bool // what is closed where the model is not held up
}

const stillSeconds = 4

func (s stills) Show(ctx context.Context, _ files.Reel, use func(context.Context, pipeline.Footage) error) error {
	return use(ctx, pipeline.Footage{Clip: slides{}})
}

type slides struct{}

func (slides) Info() frames.Info { return frames.Info{Duration: stillSeconds * time.Second} }

func (slides) Show(_ context.Context, at []time.Duration) iter.Seq2[frames.Sample, error] {
	return func(yield func(frames.Sample, error) bool) {
		for i, t := range at {
			f := frames.Frame{Image: image.NewRGBA(image.Rect(0, 0, 1, 1)), PTS: t.Truncate(time.Second)}
			if !yield(frames.Sample{Frame: f, First: i, Count: 1}, nil) {
				return
			}
		}
	}
}

func (stills) EncodeAll(_ context.Context, imgs []*image.RGBA, _ model.View) (fs []*model.Features, _ error) {
	for range imgs {
		fs = append(fs, new(model.Features))
	}
	return fs, nil
}

func (stills) BeginAll(context.Context, [][]*model.Features) (*model.Prefix, error) {
	return new(model.Prefix), nil
}

func (stills) BeginPicture(context.Context, *model.Features) (*model.Prefix, error) {
	return nil, errors.ErrUnsupported
}

func (s stills) GenerateAll(ctx context.Context, _ *model.Prefix, rs []model.Request) ([]model.Text, error) {
	select {
	case <-s.open:
		return slices.Repeat([]model.Text{{Text: "a slide", Confidence: 1, MinConfidence: 1}}, len(rs)), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// worker has a worker on the service's server until the test ends.
func (s *service) worker(t *testing.T, what stills) {
	t.Helper()
	w := files.Worker{
		Queue: s.queue, Records: s.Records, Journal: s.client, Projector: what, Patience: 20 * time.Second,
		Open: s.Folder.Open,
		Voice: func(context.Context, string) (pipeline.Voice, error) {
			return pipeline.Voice{Captioner: what, Name: "stills@000000000000", Samples: 1}, nil
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
}

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for begun := time.Now(); !so(); <-time.After(5 * time.Millisecond) {
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func (s *service) state(t *testing.T, n int) sinks.JobState {
	t.Helper()
	v, err := s.Get(t.Context(), me, id(n))
	do(t, "get", err)
	return v.State
}

// An upload is captioned by a worker on another host.
func TestUploadIsCaptioned(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	s, other := newService(t, terms{store: true, server: server}), newService(t, terms{store: true, server: server})
	open := make(chan bool)
	close(open)
	other.worker(t, stills{open})
	u := s.put(t, 1, "video")
	u.Options.Every = 1000
	_, err := s.Add(t.Context(), me, u)
	do(t, "add", err)
	await(t, "done", func() bool { return s.state(t, 1) == sinks.JobDone })
	got, err := s.texts(t, me, 1)
	if err != nil || !slices.Equal(got, slices.Repeat([]string{"a slide"}, stillSeconds)) {
		t.Errorf("captions %q, %v", got, err)
	}
	await(t, "told", func() bool { return slices.Contains(s.events(t, 1), sinks.JobDone) })
	if got := s.events(t, 1); got[0] != sinks.JobQueued || got[len(got)-1] != sinks.JobDone {
		t.Errorf("told were %v", got)
	}
	f, err := os.Open(other.dir + "/" + id(1))
	do(t, "the worker's copy", err)
	do(t, "close", f.Close())
	do(t, "delete", s.Delete(t.Context(), me, id(1)))
}

// A job that another process works on ends within 2 s of its being cancelled, or deleted.
func TestCancelUnderWay(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	s, other := newService(t, terms{store: true, server: server}), newService(t, terms{store: true, server: server})
	other.worker(t, stills{make(chan bool)})
	for n, end := range []func() error{
		func() error { _, err := s.Cancel(t.Context(), me, id(0)); return err },
		func() error { return s.Delete(t.Context(), me, id(1)) },
	} {
		s.add(t, me, n)
		await(t, "running", func() bool { return s.state(t, n) == sinks.JobRunning })
		s.add(t, me, 7+n)
		ended := time.Now()
		do(t, "end", end())
		await(t, "the worker is free again", func() bool { return s.state(t, 7+n) == sinks.JobRunning })
		if took := time.Since(ended); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		do(t, "delete", s.Delete(t.Context(), me, id(7+n)))
	}
	if got := s.events(t, 0); got[len(got)-1] != sinks.JobCancelled || len(s.events(t, 1)) != 0 {
		t.Errorf("told were %v, and of what was deleted %v", got, s.events(t, 1))
	}
	_, err := s.Get(t.Context(), me, id(1))
	status(t, "get", err, http.StatusNotFound)
}
