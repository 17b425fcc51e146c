package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	natsio "github.com/nats-io/nats.go"

	"github.com/captiond/captiond/demo/film"
	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/frames/ffmpeg"
	"github.com/captiond/captiond/pipeline/files"
	"github.com/captiond/captiond/sinks"
)

// A clip is a film of some scenes, and where each of them ends.
type clip struct {
	path   string
	scenes []*world.Scene
	ends   []time.Duration
}

// newClip films scenes of 4 s.
func newClip(t testing.TB, seed uint64, n int) clip {
	t.Helper()
	var c clip
	for s := range scenes(seed) {
		if c.scenes = append(c.scenes, s); len(c.scenes) == n {
			break
		}
	}
	c.path = filepath.Join(t.TempDir(), "film.mp4")
	file, err := os.Create(c.path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ffmpeg.Quiet()
	c.ends, err = film.Write(file, ffmpeg.Encoding{Width: 320, Height: 240, Rate: 12, CRF: 22, GOP: 24, BFrames: 2}, c.scenes...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// truth is what a scene shows in all.
func (c clip) truth(i int) world.Truth { return c.scenes[i].Truth(0, c.scenes[i].Duration) }

// do sends a request and reads the answer, which must have a status, into v.
func (p *process) do(t testing.TB, r *http.Request, status int, v any) http.Header {
	t.Helper()
	a := send(t, r)
	if a.status != status {
		t.Fatalf("%s %s: %d, want %d:\n%s", r.Method, r.URL.Path, a.status, status, a.body)
	}
	if v != nil {
		if err := json.Unmarshal([]byte(a.body), v); err != nil {
			t.Fatalf("%s %s: %v:\n%s", r.Method, r.URL.Path, err, a.body)
		}
	}
	return a.header
}

// post sends JSON.
func (p *process) post(t testing.TB, path string, status int, body, v any) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r := p.request(t, http.MethodPost, path, bytes.NewReader(b))
	r.Header.Set("Content-Type", "application/json")
	p.do(t, r, status, v)
}

// form is what `curl -F` sends.
func form(t testing.TB, path string, fields ...string) (body *bytes.Buffer, kind string) {
	t.Helper()
	body = new(bytes.Buffer)
	w := multipart.NewWriter(body)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	part, err := w.CreateFormFile("file", filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	_, err = part.Write(file)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		if err == nil {
			err = w.WriteField(name, value)
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return body, w.FormDataContentType()
}

// upload sends a file as `curl -F file=@...` does, and returns the video's id.
func (p *process) upload(t testing.TB, path string, options ...string) string {
	t.Helper()
	body, kind := form(t, path, options...)
	r := p.request(t, http.MethodPost, "/v1/videos", body)
	r.Header.Set("Content-Type", kind)
	var taken struct{ ID string }
	p.do(t, r, http.StatusAccepted, &taken)
	return taken.ID
}

// resume uploads by tus, cut after the first bytes.
func (p *process) resume(t testing.TB, path string, options ...string) string {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	metadata := []string{"filename " + base64.StdEncoding.EncodeToString([]byte(filepath.Base(path)))}
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		metadata = append(metadata, name+" "+base64.StdEncoding.EncodeToString([]byte(value)))
	}
	create := p.request(t, http.MethodPost, "/v1/uploads", nil)
	create.Header.Set("Tus-Resumable", "1.0.0")
	create.Header.Set("Upload-Length", fmt.Sprint(len(file)))
	create.Header.Set("Upload-Metadata", strings.Join(metadata, ","))
	at := p.do(t, create, http.StatusCreated, nil).Get("Location")
	at = at[strings.LastIndex(at, "/v1/uploads"):]
	for _, part := range [][2]int{{0, len(file) / 3}, {len(file) / 3, len(file)}} {
		patch := p.request(t, http.MethodPatch, at, bytes.NewReader(file[part[0]:part[1]]))
		patch.Header.Set("Tus-Resumable", "1.0.0")
		patch.Header.Set("Upload-Offset", fmt.Sprint(part[0]))
		patch.Header.Set("Content-Type", "application/offset+octet-stream")
		p.do(t, patch, http.StatusNoContent, nil)
	}
	return filepath.Base(at)
}

// ended waits for the end of a video's job.
func (p *process) ended(t testing.TB, id string) files.Video {
	t.Helper()
	var v files.Video
	for begun := time.Now(); time.Since(begun) < 2*time.Minute; <-time.After(50 * time.Millisecond) {
		p.do(t, p.request(t, http.MethodGet, "/v1/videos/"+id, nil), http.StatusOK, &v)
		if files.Ended(v.State) {
			return v
		}
	}
	t.Fatalf("video %s has not ended: %+v\n%s", id, v, p.log)
	return v
}

func (p *process) captions(t testing.TB, id string) (captions []*sinks.Caption) {
	t.Helper()
	var list struct{ Captions []*sinks.Caption }
	p.do(t, p.request(t, http.MethodGet, "/v1/videos/"+id+"/captions.json", nil), http.StatusOK, &list)
	return list.Captions
}

// An upload of 24 s of six scenes gives their six captions in order, by curl's way and by tus.
func TestUpload(t *testing.T) {
	t.Parallel()
	c := newClip(t, 51, 6)
	p := startProcess(t, t.TempDir(), "")
	for name, id := range map[string]string{
		"multipart": p.upload(t, c.path, "scenes=true"),
		"tus":       p.resume(t, c.path, "scenes=true"),
	} {
		v := p.ended(t, id)
		if v.State != sinks.JobDone || v.Progress != 1 || v.Title != "film.mp4" || v.Duration != 24000 || !strings.HasPrefix(v.Model, "demo@") {
			t.Errorf("%s: %+v", name, v)
		}
		checkScenes(t, name, c, p.captions(t, id))
		vtt := p.get(t, "/v1/videos/"+id+"/captions.vtt")
		if !strings.HasPrefix(vtt, "WEBVTT\n") || strings.Count(vtt, " --> ") != 6 {
			t.Errorf("%s: captions.vtt:\n%s", name, vtt)
		}
		if media := p.get(t, "/v1/videos/"+id+"/media"); !strings.Contains(media[:32], "ftyp") {
			t.Errorf("%s: media begins with %q", name, media[:32])
		}
	}
	if status := p.stop(t); status != exitDone {
		t.Errorf("status %d:\n%s", status, p.log)
	}
}

// checkScenes compares captions with the film: its words, and its times within one sampling step.
func checkScenes(t *testing.T, name string, c clip, captions []*sinks.Caption) {
	t.Helper()
	if len(captions) != len(c.scenes) {
		t.Fatalf("%s: %d captions for %d scenes", name, len(captions), len(c.scenes))
	}
	start := time.Duration(0)
	for i, said := range captions {
		const step = 4 * time.Second / 6
		if (said.Start.Duration()-start).Abs() > step || (said.End.Duration()-c.ends[i]).Abs() > step {
			t.Errorf("%s: scene %d from %v to %v, want %v to %v", name, i, said.Start, said.End, start, c.ends[i])
		}
		if want := c.truth(i).Caption; said.Text != want {
			t.Errorf("%s: scene %d: %q, want %q", name, i, said.Text, want)
		}
		if said.Seq != int64(i) {
			t.Errorf("%s: caption %d has number %d", name, i, said.Seq)
		}
		start = c.ends[i]
	}
}

// Questions about an upload: the same answers, word for word and number for number, by HTTP, by
// NATS and on the command line; about all of it and about a stretch.
func TestAnswersAtEveryDoor(t *testing.T) {
	t.Parallel()
	c := newClip(t, 52, 2)
	p := startProcess(t, t.TempDir(), "")
	id := p.upload(t, c.path, "whole=true")
	conn, err := natsio.Connect(p.nats)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var questions []string
	for _, q := range c.truth(1).Questions {
		questions = append(questions, q.Text)
	}
	for _, tt := range []struct {
		name  string
		flags []string
		body  map[string]any
	}{
		{"all of it", nil, map[string]any{}},
		{"the second scene", []string{"--from", "4s", "--to", "8s"}, map[string]any{"from": 4, "to": 8}},
		{"by beams", []string{"--from", "4.2s", "--beam", "3", "--max-tokens", "12"}, map[string]any{"from": 4.2, "beam": 3, "max_tokens": 12}},
	} {
		line := captiond(t, append(append([]string{"ask", c.path, "-o", "jsonl"}, tt.flags...), questions...)...)
		line.want(t, exitDone, "")
		want := events(t, line.out)
		tt.body["questions"] = questions
		var byHTTP, byNATS struct{ Answers []*sinks.Answer }
		p.post(t, "/v1/videos/"+id+"/questions", http.StatusOK, tt.body, &byHTTP)
		tt.body["video"] = id
		request, err := json.Marshal(tt.body)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := conn.Request("captiond.ask", request, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(reply.Data, &byNATS); err != nil {
			t.Fatalf("%v: %s", err, reply.Data)
		}
		if len(want) != len(questions) || len(byHTTP.Answers) != len(want) || len(byNATS.Answers) != len(want) {
			t.Fatalf("%s: %d, %d and %d answers to %d questions", tt.name, len(want), len(byHTTP.Answers), len(byNATS.Answers), len(questions))
		}
		for i, w := range want {
			said := *w.(*sinks.Answer)
			said.Source, said.ID = byHTTP.Answers[i].Source, byHTTP.Answers[i].ID // of the upload
			sameAnswer(t, &said, byHTTP.Answers[i])
			sameAnswer(t, &said, byNATS.Answers[i])
		}
	}
	p.stop(t)
}

// Questions about the truth of a scene are answered right, by way of an upload.
func TestFiveRightAnswers(t *testing.T) {
	t.Parallel()
	p := startProcess(t, t.TempDir(), "")
	id := p.upload(t, ringClip, "whole=true")
	questions, want := ringQuestions()
	var got struct{ Answers []*sinks.Answer }
	p.post(t, "/v1/videos/"+id+"/questions", http.StatusOK, map[string]any{"questions": questions}, &got)
	if len(got.Answers) != len(want) {
		t.Fatalf("%d answers", len(got.Answers))
	}
	for i, a := range got.Answers {
		if a.Text != want[i] || a.Confidence <= 0.5 {
			t.Errorf("%s %s (%v), want %s", a.Question, a.Text, a.Confidence, want[i])
		}
	}
	p.stop(t)
}
