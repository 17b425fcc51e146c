package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/pipeline/files"
	"github.com/captiond/captiond/sinks"
)

func TestAdd(t *testing.T) {
	t.Parallel()
	s := newService(t, terms{})
	u := s.put(t, 1, "video")
	u.Title, u.Options = "../../<b>a\x00\u202eclip.mp4"+strings.Repeat("ä", 300), files.Options{Every: 2000, Model: "demo"}
	v, err := s.Add(t.Context(), me, u)
	do(t, "add", err)
	got, err := s.Get(t.Context(), me, id(1))
	do(t, "get", err)
	if got != v || got.State != sinks.JobQueued || got.Owner != "me" || got.Source != "job-"+id(1) || got.Options != u.Options ||
		got.Expires.Sub(got.Created.Time) != time.Hour {
		t.Errorf("the record is %+v", got)
	}
	if !strings.HasPrefix(got.Title, "../../<b>aclip.mp4ää") || len(got.Title) > 255 || strings.ContainsRune(got.Title, '\ufffd') {
		t.Errorf("the title is %q", got.Title)
	}
	if got := s.events(t, 1); !slices.Equal(got, []sinks.JobState{sinks.JobQueued}) {
		t.Errorf("told were %v", got)
	}
	if got := s.queued(t); !slices.Equal(got, []string{id(1)}) {
		t.Errorf("in the queue are %v", got)
	}
	_, err = s.Add(t.Context(), me, u)
	status(t, "the same upload again", err, http.StatusConflict)
	if got := s.names(t); len(got) != 2 {
		t.Errorf("after that there are %q", got)
	}
}

// What is refused leaves nothing.
func TestAddRefuses(t *testing.T) {
	t.Parallel()
	s := newService(t, terms{})
	for name, tt := range map[string]struct {
		content string
		o       files.Options
		want    int
	}{
		"no video":      {"#!/bin/sh", files.Options{}, http.StatusUnsupportedMediaType},
		"empty":         {"", files.Options{}, http.StatusUnsupportedMediaType},
		"two ways":      {"video", files.Options{Whole: true, Scenes: true}, http.StatusUnprocessableEntity},
		"short windows": {"video", files.Options{Every: 1}, http.StatusUnprocessableEntity},
		"no such model": {"video", files.Options{Model: "gpt"}, http.StatusUnprocessableEntity},
	} {
		u := s.put(t, 1, tt.content)
		u.Options = tt.o
		_, err := s.Add(t.Context(), me, u)
		status(t, name, err, tt.want)
		if got := s.names(t); len(got) != 0 {
			t.Errorf("%s: left are %q", name, got)
		}
		_, err = s.Get(t.Context(), me, id(1))
		status(t, name, err, http.StatusNotFound)
	}
	if got := s.queued(t); len(got) != 0 {
		t.Errorf("in the queue are %v", got)
	}
}

// The same bytes sent twice are two videos, each with captions of its own.
func TestSameBytesTwice(t *testing.T) {
	t.Parallel()
	s := newService(t, terms{})
	a, b := s.add(t, me, 1), s.add(t, me, 2)
	if a.ID == b.ID || a.Source == b.Source {
		t.Errorf("%+v and %+v are one", a, b)
	}
	if got := s.queued(t); !slices.Equal(got, []string{id(1), id(2)}) {
		t.Errorf("in the queue are %v", got)
	}
	s.say(t, 1, 3)
	s.say(t, 2, 3)
	do(t, "delete one", s.Delete(t.Context(), me, id(1)))
	if got, err := s.texts(t, me, 2); err != nil || len(got) != 3 {
		t.Errorf("of the other there are %q, %v", got, err)
	}
}

func TestQueueFull(t *testing.T) {
	t.Parallel()
	s := newService(t, terms{waiting: 2})
	for n := range 2 {
		do(t, "admit", s.Admit(t.Context(), me, 5))
		s.add(t, me, n)
	}
	err := s.Admit(t.Context(), me, 5)
	status(t, "admit", err, http.StatusServiceUnavailable)
	if e, ok := errors.AsType[*api.Error](err); !ok || e.RetryAfter <= 0 {
		t.Errorf("it says nothing of when: %+v", err)
	}
	_, err = s.Add(t.Context(), me, s.put(t, 9, "video")) // which was admitted before
	status(t, "add", err, http.StatusServiceUnavailable)
	if e, ok := errors.AsType[*api.Error](err); !ok || e.RetryAfter <= 0 {
		t.Errorf("it says nothing of when: %+v", err)
	}
	if got := s.names(t); len(got) != 4 {
		t.Errorf("there are %q", got)
	}
	if all, err := s.List(t.Context(), me); err != nil || len(all) != 2 || len(s.events(t, 9)) != 0 {
		t.Errorf("there are %v, %v, and %v was told", all, err, s.events(t, 9))
	}
	s.queued(t)
	do(t, "admit when there is room", s.Admit(t.Context(), me, 5))
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	s := newService(t, terms{})
	status(t, "too large", s.Admit(t.Context(), me, 10001), http.StatusRequestEntityTooLarge)
	do(t, "the largest", s.Admit(t.Context(), me, 10000))
}

// What uploads have announced, and have not sent, is not given to others.
func TestDiskReserve(t *testing.T) {
	t.Parallel()
	s := newService(t, terms{})
	room := func(bytes int64) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.free = 1000 + bytes
	}
	full := func(what string, bytes int64) {
		t.Helper()
		status(t, what, s.Admit(t.Context(), me, bytes), http.StatusInsufficientStorage)
	}
	room(100)
	full("one too large", 101)
	do(t, "one that fits", s.Admit(t.Context(), me, 100))
	full("another beside it", 1)
	s.Release(me, 100)
	do(t, "another after it", s.Admit(t.Context(), me, 60))
	s.announce(t, 1, 60, 0) // it begins
	do(t, "one beside it", s.Admit(t.Context(), you, 40))
	full("a third", 1)
	s.announce(t, 1, 60, 50)
	room(50)
	full("a third, when most of the first has come", 1)
	s.Release(you, 40)
	do(t, "a third, when the second has not come", s.Admit(t.Context(), me, 40))
	s.Release(me, 40)
	do(t, "write", os.Remove(filepath.Join(s.dir, id(1)+".info")))
	do(t, "write", os.Remove(filepath.Join(s.dir, id(1))))
	do(t, "all", s.Admit(t.Context(), me, 50))
	s.Release(me, 50)
	room(9999)
	full("one of unknown size", -1)
	room(10000)
	do(t, "one of unknown size", s.Admit(t.Context(), me, -1))
	full("one beside it", 1)
	do(t, "write", os.WriteFile(filepath.Join(s.dir, id(2)+".in.part"), make([]byte, 500), 0o600))
	room(9500)
	full("one beside it, as it grows", 1)
	do(t, "write", os.Rename(filepath.Join(s.dir, id(2)+".in.part"), filepath.Join(s.dir, id(2))))
	u := api.Upload{ID: id(2), Bytes: 500}
	do(t, "write", os.WriteFile(filepath.Join(s.dir, id(2)), []byte("video"), 0o600))
	_, err := s.Add(t.Context(), me, u)
	do(t, "add", err)
	do(t, "another when it has come", s.Admit(t.Context(), me, 9500))
}

// announce writes what tus does of an upload that is under way.
func (s *service) announce(t *testing.T, n, size, written int) {
	t.Helper()
	do(t, "write", os.WriteFile(filepath.Join(s.dir, id(n)), make([]byte, written), 0o600))
	if info := filepath.Join(s.dir, id(n)+".info"); !slices.Contains(s.names(t), id(n)+".info") {
		do(t, "write", os.WriteFile(info, fmt.Appendf(nil, `{"Size":%d}`, size), 0o600))
	}
}

// Of what is another's nothing can be seen: it is as if it were not there.
func TestOwners(t *testing.T) {
	t.Parallel()
	s := newService(t, terms{})
	s.add(t, me, 1)
	s.say(t, 1, 2)
	for name, c := range map[string]struct {
		api.Caller
		id string
	}{
		"another's": {you, id(1)}, "nobody's": {api.Caller{}, id(1)}, "unknown": {me, id(2)},
		"no id": {me, "x"}, "a path": {me, "../" + id(1)}, "a wildcard": {me, ">"}, "empty": {me, ""}, "unknown to an admin": {admin, id(2)},
	} {
		_, err := s.Get(t.Context(), c.Caller, c.id)
		status(t, name+": get", err, http.StatusNotFound)
		first := err.Error()
		_, err = s.Cancel(t.Context(), c.Caller, c.id)
		status(t, name+": cancel", err, http.StatusNotFound)
		_, _, err = s.Media(t.Context(), c.Caller, c.id)
		status(t, name+": media", err, http.StatusNotFound)
		status(t, name+": delete", s.Delete(t.Context(), c.Caller, c.id), http.StatusNotFound)
		for _, err := range s.Captions(t.Context(), c.Caller, c.id) {
			status(t, name+": captions", err, http.StatusNotFound)
		}
		if _, unknown, _ := s.Media(t.Context(), me, id(2)); first == "" || unknown != (files.Video{}) {
			t.Errorf("%s: %s, %+v", name, first, unknown)
		}
	}
	for c, want := range map[api.Caller]int{me: 1, you: 0, admin: 1} {
		if all, err := s.List(t.Context(), c); err != nil || len(all) != want {
			t.Errorf("%+v sees %d, %v", c, len(all), err)
		}
	}
	if got, err := s.texts(t, admin, 1); err != nil || !slices.Equal(got, []string{"text 0", "text 1"}) {
		t.Errorf("an admin sees %q, %v", got, err)
	}
}

func TestListIsInOrder(t *testing.T) {
	t.Parallel()
	s := newService(t, terms{})
	for n := range 5 {
		v := s.add(t, me, n)
		for until := v.Created.Add(2 * time.Millisecond); time.Now().Before(until); <-time.After(time.Millisecond) {
		}
	}
	all, err := s.List(t.Context(), me)
	do(t, "list", err)
	for i, v := range all {
		if v.ID != id(4-i) {
			t.Errorf("video %d is %s", i, v.ID)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	s := newService(t, terms{})
	s.add(t, me, 1)
	s.say(t, 1, 2)
	for range 2 {
		if v, err := s.Cancel(t.Context(), me, id(1)); err != nil || v.State != sinks.JobCancelled {
			t.Errorf("%+v, %v", v, err)
		}
	}
	if got := s.events(t, 1); !slices.Equal(got, []sinks.JobState{sinks.JobQueued, sinks.JobCancelled}) {
		t.Errorf("told were %v", got)
	}
	if got := s.queued(t); len(got) != 0 {
		t.Errorf("in the queue are %v", got)
	}
	if got, err := s.texts(t, me, 1); err != nil || len(got) != 2 {
		t.Errorf("captions %q, %v", got, err)
	}
	f, _, err := s.Media(t.Context(), me, id(1))
	do(t, "media", err)
	do(t, "close", f.Close())
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s := newService(t, terms{store: true})
	s.add(t, me, 1)
	s.add(t, me, 2)
	s.say(t, 1, 2)
	do(t, "delete", s.Delete(t.Context(), me, id(1)))
	_, err := s.Get(t.Context(), me, id(1))
	status(t, "get", err, http.StatusNotFound)
	status(t, "delete again", s.Delete(t.Context(), me, id(1)), http.StatusNotFound)
	if got := s.names(t); !slices.Equal(got, []string{id(2), id(2) + ".info"}) {
		t.Errorf("left are %q", got)
	}
	if there, err := s.Folder.Has(t.Context(), id(1)); err != nil || there {
		t.Errorf("the file is somewhere: %v, %v", there, err)
	}
	if got := s.queued(t); !slices.Equal(got, []string{id(2)}) {
		t.Errorf("in the queue are %v", got)
	}
	last, _, err := s.client.Last(t.Context(), &sinks.Caption{Header: sinks.Header{Source: files.Source(id(1))}})
	if err != nil || last != nil || len(s.events(t, 1)) != 0 || !slices.Equal(s.forgotten, []string{"job-" + id(1)}) {
		t.Errorf("left are %v, %v and %v; forgotten %q", last, err, s.events(t, 1), s.forgotten)
	}
}

func TestMedia(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	s, other := newService(t, terms{store: true, server: server}), newService(t, terms{store: true, server: server})
	s.add(t, me, 1)
	for name, where := range map[string]*service{"here": s, "on another host": other} {
		f, v, err := where.Media(t.Context(), me, id(1))
		do(t, name, err)
		b, err := io.ReadAll(f)
		do(t, "read", errors.Join(err, f.Close()))
		if string(b) != "video" || v.ID != id(1) {
			t.Errorf("%s: %q of %+v", name, b, v)
		}
	}
	do(t, "remove", s.Folder.Remove(t.Context(), id(1)))
	_, _, err := s.Media(t.Context(), me, id(1))
	status(t, "gone", err, http.StatusGone)
}

// What was left lying is put in order.
func TestTidy(t *testing.T) {
	t.Parallel()
	s := newService(t, terms{})
	for n := range 4 {
		s.add(t, me, n)
	}
	if got := s.queued(t); len(got) != 4 { // a queue that was lost
		t.Fatalf("in the queue are %v", got)
	}
	do(t, "lose a file", os.Remove(filepath.Join(s.dir, id(1))))
	_, err := s.Cancel(t.Context(), me, id(2))
	do(t, "cancel", err)
	s.announce(t, 7, 100, 10)
	s.announce(t, 8, 100, 10)
	old := time.Now().Add(-25 * time.Hour)
	for _, name := range []string{id(0), id(0) + ".info", id(7), id(7) + ".info"} {
		do(t, "age", os.Chtimes(filepath.Join(s.dir, name), old, old))
	}
	for range 2 {
		do(t, "tidy", s.Tidy(t.Context()))
	}
	v, err := s.Get(t.Context(), me, id(1))
	if err != nil || v.State != sinks.JobFailed || !strings.Contains(v.Detail, "send it again") {
		t.Errorf("a video without a file: %+v, %v", v, err)
	}
	if got := s.events(t, 1); !slices.Equal(got, []sinks.JobState{sinks.JobQueued, sinks.JobFailed}) {
		t.Errorf("told of it were %v", got)
	}
	got := s.queued(t)
	slices.Sort(got)
	if !slices.Equal(got, []string{id(0), id(3)}) {
		t.Errorf("in the queue are %v", got)
	}
	names := s.names(t)
	if slices.Contains(names, id(7)) || !slices.Contains(names, id(8)) || !slices.Contains(names, id(0)) {
		t.Errorf("there are %q", names)
	}
}

func TestRetention(t *testing.T) {
	t.Parallel()
	s := newService(t, terms{retention: 200 * time.Millisecond, store: true})
	s.add(t, me, 1)
	s.say(t, 1, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	do(t, "tidy", s.Tidy(ctx))
	for begun := time.Now(); len(s.names(t)) > 0; <-time.After(20 * time.Millisecond) {
		do(t, "tidy", s.Tidy(ctx))
		if time.Since(begun) > 10*time.Second {
			t.Fatal("it is kept for ever")
		}
	}
	_, err := s.Get(ctx, me, id(1))
	status(t, "get", err, http.StatusNotFound)
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	cancel()
	running.Wait()
}

// A broker that is away is a fault that passes, and no upload is lost by it without a word.
func TestBrokerThatIsAway(t *testing.T) {
	t.Parallel()
	s := newService(t, terms{})
	s.add(t, me, 1)
	do(t, "close", s.client.Close(t.Context()))
	status(t, "admit", s.Admit(t.Context(), me, 1), http.StatusServiceUnavailable)
	if _, err := s.Get(t.Context(), me, id(1)); err == nil || api.Status(err) != http.StatusInternalServerError {
		t.Errorf("get: %v", err)
	}
	if _, err := s.Add(t.Context(), me, s.put(t, 2, "video")); err == nil {
		t.Error("an upload was taken by nobody")
	}
	if err := s.Tidy(t.Context()); err == nil {
		t.Error("there was nothing to tidy with, and no error")
	}
}
