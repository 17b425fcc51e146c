package http_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/captiond/captiond/api"
	door "github.com/captiond/captiond/api/http"
	"github.com/captiond/captiond/api/tokens"
)

// impatient limits are those under which tests need not wait.
func impatient(o *door.Options) {
	o.Limits.Header, o.Limits.Patience = 300*time.Millisecond, 300*time.Millisecond
	o.Limits.Grace, o.Limits.Speed = 300*time.Millisecond, 1<<20
}

func TestSlowLorisHead(t *testing.T) {
	t.Parallel()
	s := start(t, impatient)
	c := s.dial(t, "GET /v1/videos HTTP/1.1\r\nHost: localhost\r\nX-A: ")
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if b, err := io.ReadAll(c); err != nil || strings.Contains(string(b), "200 OK") {
		t.Errorf("%s, %v", b, err)
	}
}

// A body that stops, and one of which a byte comes now and then.
func TestSlowLorisBody(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"json": "/v1/ask", "form": "/v1/videos"} {
		for _, drip := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s drip %t", name, drip), func(t *testing.T) {
				t.Parallel()
				s := start(t, impatient)
				kind := map[string]string{"json": "application/json", "form": "multipart/form-data; boundary=b"}[name]
				c := s.dial(t, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 100000\r\n\r\n", path, kind)
				stop := make(chan struct{})
				defer close(stop)
				go func() {
					tick := time.NewTicker(50 * time.Millisecond)
					defer tick.Stop()
					for drip {
						select {
						case <-tick.C:
							if _, err := io.WriteString(c, " "); err != nil {
								return
							}
						case <-stop:
							return
						}
					}
				}()
				_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
				res, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				b, _ := io.ReadAll(res.Body)
				answer{res.StatusCode, res.Header, string(b)}.problem(t, 408, "too slowly")
				wait(t, "nothing is left", func() bool { return len(s.left(t)) == 0 })
			})
		}
	}
}

// A body that is not wanted is not waited for either.
func TestSlowLorisRefused(t *testing.T) {
	t.Parallel()
	s := start(t, impatient)
	c := s.dial(t, "POST /v1/videos HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000\r\n\r\n")
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if b, err := io.ReadAll(c); err != nil || !strings.Contains(string(b), "403 Forbidden") {
		t.Errorf("%s, %v", b, err)
	}
}

// A client that does not read its answer does not keep a place.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *door.Options) {
		impatient(o)
		o.Limits.Requests, o.Limits.Upload = 1, 64<<20
	})
	id := s.upload(t, clip(32<<20))
	_ = s.dial(t, "GET /v1/videos/%s/media HTTP/1.1\r\nHost: localhost\r\n\r\n", id)
	wait(t, "the place is taken", func() bool { return s.do(t, "GET", "/v1/videos", nil).status == 503 })
	wait(t, "the place is free", func() bool { return s.do(t, "GET", "/v1/videos", nil).status == 200 })
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.form(t, "/v1/videos", field{"file", "a.mp4", clip(2 << 20)}).problem(t, 413, "too large")
	s.form(t, "/v1/videos", field{"file", "a.mp4", clip(1<<20 + 1)}).problem(t, 413, "too large")
	body, kind := form(t, field{"file", "a.mp4", clip(2 << 20)})
	s.do(t, "POST", "/v1/videos", io.MultiReader(body), "Content-Type", kind).problem(t, 413, "too large") // of a size not declared
	s.form(t, "/v1/ask", field{"questions", "", "what?"}, field{"file", "a.mp4", clip(8 << 20)}).problem(t, 413, "too large")
	s.json(t, "POST", "/v1/ask", map[string]any{"camera": "a", "questions": []string{strings.Repeat("a", 5<<20)}}).problem(t, 413, "too large")
	s.json(t, "POST", "/v1/videos/"+door.NewID()+"/questions", map[string]any{"questions": []string{strings.Repeat("a", 2<<20)}}).problem(t, 413, "too large")
	if left := s.left(t); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
	if len(s.admitted) != len(s.released) {
		t.Errorf("admitted %d, released %d", s.admitted, s.released)
	}
}

// A form that is shorter than it says, because the client was cut off, leaves nothing.
func TestWrongLength(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	body, kind := form(t, field{"file", "a.mp4", clip(100_000)})
	half := body.Bytes()[:50_000]
	c := s.dial(t, "POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", kind, body.Len(), half)
	wait(t, "it begins", func() bool { return len(s.left(t)) == 1 })
	_ = c.Close()
	wait(t, "nothing is left", func() bool { return len(s.left(t)) == 0 })
	// One that ends as the header says, but before its last boundary.
	s.do(t, "POST", "/v1/videos", strings.NewReader(string(half)), "Content-Type", kind).problem(t, 400, "ended before")
	if left := s.left(t); len(left) != 0 || len(s.videos) != 0 {
		t.Errorf("left: %q", left)
	}
}

func TestWrongType(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.form(t, "/v1/videos", field{"file", "a.mp4", "this is text, whatever its name says"}).problem(t, 415, "no video")
	s.do(t, "POST", "/v1/videos", strings.NewReader(clip(100)), "Content-Type", "video/mp4").problem(t, 415, "send a form")
	s.do(t, "POST", "/v1/videos", strings.NewReader(clip(100))).problem(t, 415, "send a form")
	s.do(t, "POST", "/v1/ask", strings.NewReader("questions=a"), "Content-Type", "application/x-www-form-urlencoded").problem(t, 415, "send a form")
	s.do(t, "POST", "/v1/videos/"+door.NewID()+"/questions", strings.NewReader("a: 1"), "Content-Type", "application/yaml").problem(t, 415, "JSON")
	if left := s.left(t); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}

func TestBadForms(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	file := field{"file", "a.mp4", clip(100)}
	for name, c := range map[string]struct {
		fields []field
		status int
		says   string
	}{
		"no file":        {[]field{{"every", "", "1"}}, 422, "no file"},
		"two files":      {[]field{file, file}, 422, "two files"},
		"empty file":     {[]field{{"file", "a.mp4", ""}}, 422, "empty"},
		"unknown field":  {[]field{file, {"speed", "", "1"}}, 422, "speed"},
		"given twice":    {[]field{file, {"every", "", "1"}, {"every", "", "2"}}, 422, "every"},
		"every":          {[]field{file, {"every", "", "soon"}}, 422, "every"},
		"every too long": {[]field{file, {"every", "", "48h"}}, 422, "every"},
		"whole":          {[]field{file, {"whole", "", "perhaps"}}, 422, "whole"},
		"two ways":       {[]field{file, {"whole", "", "true"}, {"scenes", "", "1"}}, 422, "give one of them"},
		"long field":     {[]field{file, {"model", "", strings.Repeat("a", 5000)}}, 413, "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.form(t, "/v1/videos", c.fields...).problem(t, c.status, c.says)
		})
	}
	t.Cleanup(func() {
		if left := s.left(t); len(left) != 0 {
			t.Errorf("left: %q", left)
		}
	})
}

func TestHostileNames(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for name, want := range map[string]string{
		"../../etc/passwd": "passwd", "/etc/shadow": "shadow", `C:\Users\me\clip.mp4`: "clip.mp4", "a\x1b[2J\r\nSet-Cookie: x.mp4": "a[2JSet-Cookie: x.mp4",
		"gpj\u202e4pm.exe": "gpj4pm.exe", "<img src=x onerror=alert(1)>.mp4": "<img src=x onerror=alert(1)>.mp4",
		strings.Repeat("ä", 400): strings.Repeat("ä", 255), "..": "..", "a\x00b": "ab", "\xff\xfe": "\ufffd",
	} {
		if got := api.Title(name); got != want {
			t.Errorf("%q is shown as %q, want %q", name, got, want)
		}
	}
	id := s.upload(t, clip(100))
	a := s.form(t, "/v1/videos", field{"file", "../../../tmp/evil\u202e.mp4", clip(100)})
	if a.status != 202 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if left := s.left(t); len(left) != 2 {
		t.Errorf("in the folder: %q", left)
	}
	for _, v := range s.videos {
		if v.ID != id && v.Title != "evil.mp4" {
			t.Errorf("title %q", v.Title)
		}
	}
	v := s.videos[id]
	v.Title = "a\"; filename=b.exe\r\nX: y \u202e.mp4"
	s.videos[id] = v
	a = s.do(t, "GET", "/v1/videos/"+id+"/media", nil)
	if _, p, err := mime.ParseMediaType(a.header.Get("Content-Disposition")); err != nil || p["filename"] != `a"; filename=b.exeX: y .mp4` || a.header.Get("X") != "" {
		t.Errorf("%d %v: %q, %v", a.status, a.header, p["filename"], err)
	}
}

// Ids that are none come near no path.
func TestUnknownID(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	if err := os.WriteFile(filepath.Join(filepath.Dir(s.folder), "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{door.NewID(), "1", "..%2fsecret", "%2e%2e%2fsecret", strings.Repeat("A", 32), strings.Repeat("0", 31) + "%00", strings.Repeat("0", 33)} {
		for _, rest := range []string{"", "/media", "/captions", "/captions.vtt", "/captions.srt", "/captions.json"} {
			s.do(t, "GET", "/v1/videos/"+id+rest, nil).problem(t, 404, "")
		}
		s.do(t, "DELETE", "/v1/videos/"+id, nil).problem(t, 404, "")
		s.do(t, "POST", "/v1/videos/"+id+"/cancel", nil).problem(t, 404, "")
		s.json(t, "POST", "/v1/videos/"+id+"/questions", map[string]any{"questions": []string{"what?"}}).problem(t, 404, "")
	}
}

// What is another token's is not there.
func TestAnotherTokensID(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	mine, other := s.token(t, "mine", tokens.Read, tokens.Ask, tokens.Upload), s.token(t, "other", tokens.Read, tokens.Ask, tokens.Upload)
	admin := s.token(t, "admin", tokens.Admin)
	body, kind := form(t, field{"file", "a.mp4", clip(100)})
	if a := s.do(t, "POST", "/v1/videos", body, "Content-Type", kind, "Authorization", mine); a.status != 202 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var id string
	for id = range s.videos {
	}
	for _, rest := range []string{"", "/media", "/captions", "/captions.vtt"} {
		s.do(t, "GET", "/v1/videos/"+id+rest, nil, "Authorization", other).problem(t, 404, "")
		for _, who := range []string{mine, admin} {
			if a := s.do(t, "GET", "/v1/videos/"+id+rest, nil, "Authorization", who); a.status != 200 {
				t.Errorf("%s: %d %s", rest, a.status, a.body)
			}
		}
	}
	s.do(t, "DELETE", "/v1/videos/"+id, nil, "Authorization", other).problem(t, 404, "")
	s.do(t, "POST", "/v1/videos/"+id+"/cancel", nil, "Authorization", other).problem(t, 404, "")
	s.json(t, "POST", "/v1/ask", map[string]any{"video": id, "questions": []string{"what?"}}, "Authorization", other).problem(t, 404, "")
	if a := s.do(t, "GET", "/v1/videos", nil, "Authorization", other); strings.Contains(a.body, id) {
		t.Errorf("listed: %s", a.body)
	}
}

func TestBadQuestions(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	id := s.upload(t, clip(100))
	for name, c := range map[string]struct {
		body string
		says string
	}{
		"10,000 words":    {`{"questions":["` + strings.Repeat("word ", 10_000) + `"]}`, "question 1 has 50000 characters: use 2000"},
		"empty":           {`{"questions":["what?",""]}`, "question 2 is empty"},
		"blank":           {`{"questions":[" \t\n"]}`, "question 1 is empty"},
		"none":            {`{"questions":[]}`, "0 questions"},
		"missing":         {`{}`, "questions"},
		"too many":        {`{"questions":["a"` + strings.Repeat(`,"a"`, 100) + `]}`, "101 questions"},
		"from after to":   {`{"questions":["a"],"from":5,"to":3}`, "to must come after from"},
		"from is to":      {`{"questions":["a"],"from":5,"to":5}`, "to must come after from"},
		"negative":        {`{"questions":["a"],"from":-1}`, "from"},
		"time of a clip":  {`{"questions":["a"],"from":"2026-01-01T00:00:00Z"}`, "camera"},
		"no time":         {`{"questions":["a"],"from":"yesterday"}`, "from"},
		"last of a clip":  {`{"questions":["a"],"last":5}`, "last is for cameras"},
		"beams":           {`{"questions":["a"],"beam":1000}`, "beams"},
		"unknown field":   {`{"questions":["a"],"form":1}`, "form"},
		"no list":         {`{"questions":"a"}`, "questions"},
		"null":            {`{"questions":null}`, "questions"},
		"not even object": {`[]`, "object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.do(t, "POST", "/v1/videos/"+id+"/questions", strings.NewReader(c.body), "Content-Type", "application/json").problem(t, 422, c.says)
			if strings.HasPrefix(c.body, "{") {
				body := `{"video":"` + id + `",` + strings.TrimPrefix(strings.Replace(c.body, "{}", `{"top":1}`, 1), "{")
				s.do(t, "POST", "/v1/ask", strings.NewReader(body), "Content-Type", "application/json").problem(t, 422, "")
			}
		})
	}
}

func TestBadJSON(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	path := "/v1/videos/" + door.NewID() + "/questions"
	secret := "hunter2"
	a := s.do(t, "POST", path, strings.NewReader(`{"questions": `+secret), "Content-Type", "application/json")
	a.problem(t, 400, "")
	if strings.Contains(a.body, secret) {
		t.Errorf("what was sent comes back: %s", a.body)
	}
	s.do(t, "POST", path, nil, "Content-Type", "application/json").problem(t, 400, "body")
}

func TestQueueFull(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.admit = api.Later(http.StatusServiceUnavailable, 30*time.Second, "too many videos are waiting: try again later")
	for name, send := range senders(s) {
		a := send(t)
		if t.Log(name); a.header.Get("Retry-After") != "30" {
			t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
		}
		a.problem(t, 503, "waiting")
	}
	if left := s.left(t); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}

func TestDiskReserve(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.admit = api.Errorf(http.StatusInsufficientStorage, "the disk has no room for it: delete videos that are not needed")
	for name, send := range senders(s) {
		t.Log(name)
		send(t).problem(t, 507, "no room")
	}
	if left := s.left(t); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}

// senders are the ways in which a video comes.
func senders(s *server) map[string]func(*testing.T) answer {
	return map[string]func(*testing.T) answer{
		"form": func(t *testing.T) answer { return s.form(t, "/v1/videos", field{"file", "a.mp4", clip(100)}) },
		"tus": func(t *testing.T) answer {
			return s.do(t, "POST", "/v1/uploads", nil, "Tus-Resumable", "1.0.0", "Upload-Length", "100")
		},
	}
}

// A fault of ours is told to the log alone, and the client where to look.
func TestInternal(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.add = errors.New("nats: permission violation at 10.1.2.3")
	a := s.form(t, "/v1/videos", field{"file", "a.mp4", clip(100)})
	a.problem(t, 500, "ref=")
	if strings.Contains(a.body, "10.1.2.3") {
		t.Errorf("told: %s", a.body)
	}
	_, ref, _ := strings.Cut(a.body, "ref=")
	if ref = ref[:12]; !strings.Contains(s.log.String(), ref) || !strings.Contains(s.log.String(), "10.1.2.3") {
		t.Errorf("the log does not say %s:\n%s", ref, s.log)
	}
	if left := s.left(t); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}

func TestNoRoute(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.do(t, "GET", "/v2/videos", nil).problem(t, 404, "/openapi.yaml")
	s.do(t, "GET", "/v1/uploads/"+door.NewID(), nil).problem(t, 405, "DELETE")
	a := s.do(t, "PUT", "/v1/videos", nil)
	a.problem(t, 405, "GET")
	if a.header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("Allow: %s", a.header.Get("Allow"))
	}
}
