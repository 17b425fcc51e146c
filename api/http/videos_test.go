package http_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/captiond/captiond/api"
	door "github.com/captiond/captiond/api/http"
	"github.com/captiond/captiond/pipeline/files"
	"github.com/captiond/captiond/sinks"
)

func TestPostForm(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	content := clip(300_000)
	before := []field{{"every", "", "2.5"}}
	id := s.upload(t, content, before...)
	b, err := os.ReadFile(filepath.Join(s.folder, id))
	if err != nil || string(b) != content {
		t.Errorf("%d bytes came of %d, %v", len(b), len(content), err)
	}
	if info, err := os.Stat(filepath.Join(s.folder, id)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if v := s.videos[id]; v.Title != "clip.mp4" || v.Bytes != 300_000 || v.Options.Every != 2500 {
		t.Errorf("%+v", v)
	}
	a := s.form(t, "/v1/videos", field{"file", "b.mp4", content}, field{"scenes", "", "true"}, field{"model", "", "coco"})
	var out struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 202 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if o := s.videos[out.ID].Options; !o.Scenes || o.Model != "coco" {
		t.Errorf("fields after the file: %+v", o)
	}
	if strings.Contains(a.body, "$schema") {
		t.Errorf("%s has a $schema", a.body)
	}
}

// Two uploads of the same bytes are two videos.
func TestSameBytesTwice(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	content := clip(1000)
	if a, b := s.upload(t, content), s.upload(t, content); a == b || len(s.videos) != 2 {
		t.Errorf("%s, %s", a, b)
	}
}

func TestVideos(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	if a := s.do(t, "GET", "/v1/videos", nil); a.status != 200 || strings.TrimSpace(a.body) != `{"videos":[]}` {
		t.Errorf("none: %d %s", a.status, a.body)
	}
	id := s.upload(t, clip(1000))
	var list struct{ Videos []files.Video }
	if err := json.Unmarshal([]byte(s.do(t, "GET", "/v1/videos", nil).body), &list); err != nil || len(list.Videos) != 1 || list.Videos[0].ID != id {
		t.Errorf("%+v, %v", list, err)
	}
	var one files.Video
	if err := json.Unmarshal([]byte(s.do(t, "GET", "/v1/videos/"+id, nil).body), &one); err != nil || one.State != sinks.JobQueued {
		t.Errorf("%+v, %v", one, err)
	}
	if a := s.do(t, "POST", "/v1/videos/"+id+"/cancel", nil); a.status != 200 || !strings.Contains(a.body, "cancelled") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.do(t, "DELETE", "/v1/videos/"+id, nil); a.status != 204 {
		t.Errorf("%d %s", a.status, a.body)
	}
	s.do(t, "GET", "/v1/videos/"+id, nil).problem(t, 404, "no such video")
	if left := s.left(t); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}

func TestMedia(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	content := clip(5000)
	id := s.upload(t, content)
	path := "/v1/videos/" + id + "/media"
	a := s.do(t, "GET", path, nil)
	if a.status != 200 || a.body != content || a.header.Get("Content-Type") != "video/mp4" || a.header.Get("X-Content-Type-Options") != "nosniff" ||
		!strings.Contains(a.header.Get("Content-Security-Policy"), "sandbox") || a.header.Get("Content-Disposition") != "inline; filename=clip.mp4" {
		t.Errorf("%d, %d bytes, %v", a.status, len(a.body), a.header)
	}
	if a := s.do(t, "GET", path, nil, "Range", "bytes=100-199"); a.status != 206 || a.body != content[100:200] {
		t.Errorf("range: %d, %d bytes", a.status, len(a.body))
	}
	if a := s.do(t, "GET", path, nil, "Range", "bytes=9000-"); a.status != 416 {
		t.Errorf("beyond: %d", a.status)
	}
	if a := s.do(t, "HEAD", path, nil); a.status != 200 || a.header.Get("Content-Length") != "5000" || a.body != "" {
		t.Errorf("head: %d %v", a.status, a.header)
	}
	// What is no video by its bytes is saved, whatever its name.
	if err := os.WriteFile(filepath.Join(s.folder, id), []byte("<script>alert(1)</script>"), 0o600); err != nil {
		t.Fatal(err)
	}
	if a := s.do(t, "GET", path, nil); a.header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("html: %v", a.header)
	}
}

func TestCaptions(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	path := "/v1/videos/" + s.upload(t, clip(100)) + "/captions"
	for _, suffix := range []string{"", ".json"} {
		var out struct{ Captions []json.RawMessage }
		a := s.do(t, "GET", path+suffix, nil)
		if err := json.Unmarshal([]byte(a.body), &out); err != nil || len(out.Captions) != 2 {
			t.Fatalf("%s, %v", a.body, err)
		}
		e, err := sinks.Decode(out.Captions[1])
		if c, ok := e.(*sinks.Caption); !ok || err != nil || c.Text != "a blue square & a <b>" || c.Start != 4000 {
			t.Errorf("%s, %v", out.Captions[1], err)
		}
	}
	vtt := "WEBVTT\n\n00:00:00.000 --> 00:00:04.000\na red circle moves left\n"
	if a := s.do(t, "GET", path+".vtt", nil); a.header.Get("Content-Type") != "text/vtt; charset=utf-8" || !strings.HasPrefix(a.body, vtt) {
		t.Errorf("%v %s", a.header, a.body)
	}
	srt := "1\n00:00:00,000 --> 00:00:04,000\na red circle moves left\n"
	if a := s.do(t, "GET", path+".srt", nil); !strings.HasPrefix(a.body, srt) {
		t.Errorf("%v %s", a.header, a.body)
	}
}

func TestPostAddress(t *testing.T) {
	t.Parallel()
	content := clip(2000)
	s := start(t, func(o *door.Options) {
		o.Fetch = func(_ context.Context, address string, w io.Writer) (string, error) {
			switch address {
			case "http://127.0.0.1/":
				return "", api.Errorf(http.StatusForbidden, "this address may not be reached")
			case "http://large.example/":
				_, err := io.Copy(w, strings.NewReader(clip(2<<20)))
				return "", err
			}
			_, err := io.WriteString(w, content)
			return "a.mp4", err
		}
	})
	a := s.json(t, "POST", "/v1/videos", map[string]any{"url": "http://example.org/a.mp4", "every": 5})
	var out struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 202 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if v := s.videos[out.ID]; v.Title != "a.mp4" || v.Bytes != 2000 || v.Options.Every != 5000 {
		t.Errorf("%+v", v)
	}
	for body, want := range map[string]struct {
		status int
		says   string
	}{
		`{"url":"http://127.0.0.1/"}`:                          {403, "may not be reached"},
		`{"url":"http://large.example/"}`:                      {413, "too large"},
		`{"every":5}`:                                          {422, "url"},
		`{"url":"http://example.org/","every":-1}`:             {422, "every"},
		`{"url":"http://example.org/","whole":1}`:              {422, "whole"},
		`{"url":"http://example.org/","speed":1}`:              {422, "speed"},
		`{"url":"http://example.org/","every":2,"whole":true}`: {422, "give one of them"},
		`{"url":`:   {400, "no JSON"},
		`{} {}`:     {400, "more than one"},
		`["a"]`:     {422, "object"},
		`{"url":5}`: {422, "url"},
	} {
		a := s.do(t, "POST", "/v1/videos", strings.NewReader(body), "Content-Type", "application/json")
		t.Log(body)
		a.problem(t, want.status, want.says)
	}
	if left := s.left(t); len(left) != 1 {
		t.Errorf("left: %q", left)
	}
}

// What a daemon does not have it says.
func TestLacking(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *door.Options) {
		*o = door.Options{Ready: o.Ready, Metrics: o.Metrics, Log: o.Log}
	})
	for _, path := range []string{"/v1/videos", "/v1/videos/" + door.NewID(), "/v1/videos/" + door.NewID() + "/media", "/v1/videos/" + door.NewID() + "/captions.vtt"} {
		s.do(t, "GET", path, nil).problem(t, 501, "this daemon")
	}
	s.form(t, "/v1/videos", field{"file", "a.mp4", clip(100)}).problem(t, 501, "this daemon")
	s.json(t, "POST", "/v1/ask", map[string]any{"video": door.NewID(), "questions": []string{"what?"}}).problem(t, 501, "this daemon")
}
