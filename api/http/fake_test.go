package http_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/captiond/captiond/api"
	door "github.com/captiond/captiond/api/http"
	"github.com/captiond/captiond/api/http/tus"
	"github.com/captiond/captiond/api/tokens"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/pipeline/files"
	"github.com/captiond/captiond/pipeline/live"
	"github.com/captiond/captiond/sinks"
)

// service is videos in memory, of files in a folder.
type service struct {
	folder string

	mu       sync.Mutex
	videos   map[string]files.Video
	admitted []int64
	released []int64
	admit    error // in place of what Admit and Add say
	add      error
}

func newService(t *testing.T) *service {
	return &service{folder: t.TempDir(), videos: make(map[string]files.Video)}
}

func unknown() error { return api.Errorf(http.StatusNotFound, "there is no such video") }

func (s *service) List(_ context.Context, who api.Caller) (mine []files.Video, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.videos {
		if who.Owns(v.Owner) {
			mine = append(mine, v)
		}
	}
	return mine, nil
}

func (s *service) Get(_ context.Context, who api.Caller, id string) (files.Video, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.videos[id]
	if !ok || !who.Owns(v.Owner) {
		return files.Video{}, unknown()
	}
	return v, nil
}

func (s *service) Cancel(ctx context.Context, who api.Caller, id string) (files.Video, error) {
	v, err := s.Get(ctx, who, id)
	if err == nil {
		v.State = sinks.JobCancelled
		s.mu.Lock()
		s.videos[id] = v
		s.mu.Unlock()
	}
	return v, err
}

func (s *service) Delete(ctx context.Context, who api.Caller, id string) error {
	if _, err := s.Get(ctx, who, id); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.videos, id)
	return os.Remove(filepath.Join(s.folder, id))
}

func (s *service) Admit(_ context.Context, _ api.Caller, bytes int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.admitted = append(s.admitted, bytes)
	return s.admit
}

func (s *service) Release(_ api.Caller, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.released = append(s.released, bytes)
}

func (s *service) Add(_ context.Context, who api.Caller, u api.Upload) (files.Video, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := os.ReadFile(filepath.Join(s.folder, u.ID))
	switch {
	case err != nil:
		return files.Video{}, err
	case s.add != nil:
		return files.Video{}, s.add
	case !bytes.HasPrefix(b[4:], []byte("ftyp")):
		_, _ = os.Remove(filepath.Join(s.folder, u.ID)), os.Remove(filepath.Join(s.folder, u.ID+".info"))
		return files.Video{}, api.Errorf(http.StatusUnsupportedMediaType, "this is no video")
	}
	v := files.Video{ID: u.ID, Source: files.Source(u.ID), Title: u.Title, Owner: who.Name, Bytes: u.Bytes, Options: u.Options, State: sinks.JobQueued,
		Created: sinks.At(time.Now()), Expires: sinks.At(time.Now().Add(time.Hour))}
	s.videos[u.ID] = v
	return v, nil
}

func (s *service) Media(ctx context.Context, who api.Caller, id string) (*os.File, files.Video, error) {
	v, err := s.Get(ctx, who, id)
	if err != nil {
		return nil, v, err
	}
	f, err := os.Open(filepath.Join(s.folder, id))
	return f, v, err
}

func (s *service) Captions(ctx context.Context, who api.Caller, id string) iter.Seq2[*sinks.Caption, error] {
	return func(yield func(*sinks.Caption, error) bool) {
		v, err := s.Get(ctx, who, id)
		if err != nil {
			yield(nil, err)
			return
		}
		for i, text := range []string{"a red circle moves left", "a blue square & a <b>"} {
			c := &sinks.Caption{Header: sinks.Header{Source: v.Source, Seq: int64(i)}, Speech: sinks.Speech{Text: text, Model: "m@1", Confidence: 0.5, MinConfidence: 0.25},
				Span: sinks.Span{Start: sinks.Seconds(4000 * i), End: sinks.Seconds(4000 * (i + 1)), Frames: []sinks.Seconds{1}, Clock: sinks.ClockNone}}
			sinks.Seal(c)
			if !yield(c, nil) {
				return
			}
		}
	}
}

// model repeats what it is asked, as the service's own Asker lets it through.
type model struct {
	*api.Asker
	service *service

	mu      sync.Mutex
	subject api.Subject
	content []byte // of a file that came along
	ask     api.Ask
	label   api.Classify
}

func (m *model) see(s api.Subject) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subject, m.content = s, nil
	if s.File != nil {
		m.content, _ = io.ReadAll(io.NewSectionReader(s.File, 0, 1<<20))
	}
}

func (m *model) Ask(ctx context.Context, who api.Caller, s api.Subject, q api.Ask) (all []*sinks.Answer, err error) {
	if _, err := m.Asker.Ask(ctx, who, s, q); api.Status(err) == http.StatusUnprocessableEntity {
		return nil, err
	}
	if s.Video != "" {
		if _, err := m.service.Get(ctx, who, s.Video); err != nil {
			return nil, err
		}
	}
	m.see(s)
	m.ask = q
	for _, text := range q.Questions {
		a := &sinks.Answer{Header: sinks.Header{Source: "x"}, Question: text, Speech: sinks.Speech{Text: "yes", Model: "m@1"}, Span: sinks.Span{Clock: sinks.ClockNone}}
		sinks.Seal(a)
		all = append(all, a)
	}
	return all, nil
}

func (m *model) Caption(_ context.Context, _ api.Caller, s api.Subject, _ api.Search) ([]*sinks.Caption, error) {
	m.see(s)
	return nil, nil
}

func (m *model) Classify(_ context.Context, _ api.Caller, s api.Subject, c api.Classify) (*pipeline.Classes, error) {
	m.see(s)
	m.label = c
	return &pipeline.Classes{Schema: pipeline.ClassesSchema, Classes: []pipeline.Class{{Label: c.Labels[0], Probability: 1}}, Span: sinks.Span{Clock: sinks.ClockNone}}, nil
}

// server is one at work.
type server struct {
	*service
	model *model
	store *tokens.Store
	url   string
	log   *record
}

// record is a log that can be read.
type record struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(b)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

// options are those of a server that has all there is.
func options(t *testing.T, s *service) (door.Options, *model) {
	t.Helper()
	resumable, err := tus.New(tus.Options{Folder: s.folder, MaxBytes: 1 << 20, Uploads: s, Videos: s})
	if err != nil {
		t.Fatal(err)
	}
	m := &model{service: s, Asker: api.NewAsker(api.AskerOptions{
		Voice:  func(string, sinks.Kind) (pipeline.Voice, error) { return pipeline.Voice{}, unknown() },
		Media:  s.Media,
		Camera: func(string) (live.Camera, bool) { return live.Camera{}, false },
	})}
	return door.Options{
		Ready: func(context.Context) door.Readiness { return door.Readiness{OK: true} }, Metrics: door.NewMetrics(func() door.Numbers { return door.Numbers{} }),
		Videos: s, Uploads: s, Library: s, Asker: m, Folder: s.folder,
		More:   []func(huma.API){resumable},
		Limits: door.Limits{Upload: 1 << 20, Clip: 1 << 20},
	}, m
}

// start serves on a free port of the loopback interface until the test ends.
func start(t *testing.T, change func(*door.Options)) *server {
	t.Helper()
	s := newService(t)
	o, m := options(t, s)
	log := &record{}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	o.Tokens = tokens.Open(filepath.Join(t.TempDir(), "tokens.json"))
	if change != nil {
		change(&o)
	}
	l, err := door.Listen("127.0.0.1:0", o.Tokens)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- door.Serve(ctx, l, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &server{service: s, model: m, store: o.Tokens, url: "http://" + l.Addr().String(), log: log}
}

// answer is what a server said.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request. Headers are given in pairs.
func (s *server) do(t *testing.T, method, path string, body io.Reader, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(b)}
}

func (s *server) json(t *testing.T, method, path string, body any, headers ...string) answer {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return s.do(t, method, path, bytes.NewReader(b), append([]string{"Content-Type", "application/json"}, headers...)...)
}

// problem fails the test where the answer is not this error, as a problem that says something.
func (a answer) problem(t *testing.T, status int, says string) {
	t.Helper()
	var p struct {
		Status        int
		Title, Detail string
	}
	if a.status != status {
		t.Errorf("status %d, want %d: %s", a.status, status, a.body)
		return
	}
	if kind := a.header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("%d is %s", a.status, kind)
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || p.Status != status || len(p.Detail) < 10 || !bytes.Contains([]byte(p.Detail), []byte(says)) {
		t.Errorf("%s does not say %q (%v)", a.body, says, err)
	}
}

// field is a part of a form: a file where it has a file name.
type field struct{ name, file, value string }

func form(t *testing.T, fields ...field) (body *bytes.Buffer, contentType string) {
	t.Helper()
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for _, f := range fields {
		var part io.Writer
		var err error
		if f.file != "" {
			part, err = w.CreateFormFile(f.name, f.file)
		} else {
			part, err = w.CreateFormField(f.name)
		}
		if err == nil {
			_, err = io.WriteString(part, f.value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return body, w.FormDataContentType()
}

func (s *server) form(t *testing.T, path string, fields ...field) answer {
	t.Helper()
	body, kind := form(t, fields...)
	return s.do(t, http.MethodPost, path, body, "Content-Type", kind)
}

// clip is an mp4 by its head, of so many bytes.
func clip(size int) string {
	b := make([]byte, size)
	_, _ = rand.Read(b)
	copy(b, "\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41")
	return string(b)
}

// upload sends a clip, and returns its id.
func (s *server) upload(t *testing.T, content string, fields ...field) string {
	t.Helper()
	a := s.form(t, "/v1/videos", append(fields, field{"file", "clip.mp4", content})...)
	var out struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != http.StatusAccepted {
		t.Fatalf("%d %s, %v", a.status, a.body, err)
	}
	if got := a.header.Get("Location"); got != "/v1/videos/"+out.ID {
		t.Errorf("Location %s", got)
	}
	return out.ID
}

// left is what lies in the folder of uploads.
func (s *server) left(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// wait polls until it is so.
func wait(t *testing.T, what string, so func() bool) {
	t.Helper()
	limit := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-limit:
			t.Fatalf("%s: not within 10 s", what)
		case <-tick.C:
		}
	}
}

// token adds one, and returns its header.
func (s *server) token(t *testing.T, name string, scopes ...tokens.Scope) string {
	t.Helper()
	secret, err := s.store.Add(name, scopes, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + secret
}

// dial is a connection on which a test writes what it likes.
func (s *server) dial(t *testing.T, format string, args ...any) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.url[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		t.Fatal(err)
	}
	return c
}
