package api_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/pipeline/files"
	"github.com/captiond/captiond/pipeline/jetstream"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// A service is Videos on a server of its own.
type service struct {
	*api.Videos
	dir       string
	client    *nats.Client
	queue     *jetstream.Queue
	mu        sync.Mutex
	free      int64
	forgotten []string
}

// terms are what of a service is not usual.
type terms struct {
	waiting   int64
	retention time.Duration
	store     bool
	server    *nats.Server
}

func do(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func newServer(t *testing.T) *nats.Server {
	t.Helper()
	s, err := nats.Start(nats.ServerOptions{StoreDir: t.TempDir(), MaxStore: 32 << 30})
	do(t, "start", err)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newService(t *testing.T, c terms) *service {
	t.Helper()
	s := &service{dir: t.TempDir(), free: 1 << 40}
	if c.server == nil {
		c.server = newServer(t)
	}
	var err error
	s.client, err = nats.Dial(nats.Options{Server: c.server})
	do(t, "dial", err)
	t.Cleanup(func() {
		if err := s.client.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	o := jetstream.Options{Waiting: c.waiting, Patience: 500 * time.Millisecond}
	s.queue, err = jetstream.NewQueue(s.client.Conn(), o)
	do(t, "queue", err)
	records, err := jetstream.NewRecords(s.client.Conn(), o)
	do(t, "records", err)
	uploads, err := jetstream.NewUploads(s.client.Conn(), o)
	do(t, "uploads", err)
	f := files.FolderOptions{Reserve: 1000, Free: func(string) (int64, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.free, nil
	}}
	if c.store {
		f.Store = uploads
	}
	folder, err := files.OpenFolder(s.dir, f)
	do(t, "folder", err)
	t.Cleanup(func() { do(t, "close", folder.Close()) })
	s.Videos = &api.Videos{
		Records: records, Queue: s.queue, Events: s.client, Folder: folder,
		Sniff: func(head []byte) error {
			if !strings.HasPrefix(string(head), "video") {
				return errors.New("this is no video: give one")
			}
			return nil
		},
		Known: func(model string) error {
			if model != "" && model != "demo" {
				return fmt.Errorf("there is no model %q: use demo", model)
			}
			return nil
		},
		Forget:   func(source string) { s.forgotten = append(s.forgotten, source) },
		MaxBytes: 10000, Retention: orHour(c.retention), Logger: slog.New(slog.DiscardHandler),
	}
	if c.store {
		s.Sweep = uploads.Sweep
	}
	return s
}

func orHour(d time.Duration) time.Duration {
	if d == 0 {
		return time.Hour
	}
	return d
}

// id is the id of the n-th upload.
func id(n int) string { return fmt.Sprintf("%032x", n) }

// put lays a file into the folder, with what tus keeps of it.
func (s *service) put(t *testing.T, n int, content string) api.Upload {
	t.Helper()
	do(t, "write", os.WriteFile(filepath.Join(s.dir, id(n)), []byte(content), 0o600))
	do(t, "write", os.WriteFile(filepath.Join(s.dir, id(n)+".info"), fmt.Appendf(nil, `{"Size":%d}`, len(content)), 0o600))
	return api.Upload{ID: id(n), Title: fmt.Sprintf("clip %d.mp4", n), Bytes: int64(len(content))}
}

// add uploads a video.
func (s *service) add(t *testing.T, c api.Caller, n int) files.Video {
	t.Helper()
	v, err := s.Add(t.Context(), c, s.put(t, n, "video"))
	do(t, "add", err)
	return v
}

func (s *service) names(t *testing.T) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(s.dir)
	do(t, "list", err)
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// events are those of a job, as states.
func (s *service) events(t *testing.T, n int) (states []sinks.JobState) {
	t.Helper()
	for e, err := range s.client.Told(t.Context(), &sinks.Job{Header: sinks.Header{Source: files.Source(id(n))}}) {
		do(t, "events", err)
		states = append(states, e.(*sinks.Job).State)
	}
	return states
}

// say publishes captions of a video, as a worker would.
func (s *service) say(t *testing.T, n, captions int) {
	t.Helper()
	for i := range captions {
		c := &sinks.Caption{Header: sinks.Header{Source: files.Source(id(n)), Seq: int64(i)},
			Span: sinks.Span{Start: sinks.Seconds(i * 1000), End: sinks.Seconds(i*1000 + 1000)}, Speech: sinks.Speech{Text: fmt.Sprint("text ", i)}}
		sinks.Seal(c)
		do(t, "publish", s.client.Publish(t.Context(), c))
	}
}

// texts are the captions that a caller gets.
func (s *service) texts(t *testing.T, c api.Caller, n int) (list []string, err error) {
	t.Helper()
	for caption, err := range s.Captions(t.Context(), c, id(n)) {
		if err != nil {
			return list, err
		}
		list = append(list, caption.Text)
	}
	return list, nil
}

// queued takes all jobs that are handed out, by their ids.
func (s *service) queued(t *testing.T) (ids []string) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		d, err := s.queue.Take(ctx)
		cancel()
		if err != nil {
			return ids
		}
		ids = append(ids, d.ID())
		do(t, "done", d.Done(t.Context()))
	}
}

func status(t *testing.T, what string, err error, want int) {
	t.Helper()
	if err == nil || api.Status(err) != want {
		t.Errorf("%s: %v (%d), want %d", what, err, api.Status(err), want)
	}
}

var (
	me    = api.Caller{Name: "me"}
	you   = api.Caller{Name: "you"}
	admin = api.Caller{Name: "root", Admin: true}
)
