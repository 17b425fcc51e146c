package http_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/captiond/captiond/api"
	door "github.com/captiond/captiond/api/http"
	"github.com/captiond/captiond/api/tokens"
)

// metadata is the header Upload-Metadata of pairs.
func metadata(pairs ...string) string {
	var all []string
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, pairs[i]+" "+base64.StdEncoding.EncodeToString([]byte(pairs[i+1])))
	}
	return strings.Join(all, ",")
}

// tus sends a request of the protocol.
func (s *server) tus(t *testing.T, method, path string, body io.Reader, headers ...string) answer {
	t.Helper()
	return s.do(t, method, path, body, append([]string{"Tus-Resumable", "1.0.0", "Content-Type", "application/offset+octet-stream"}, headers...)...)
}

// begin creates an upload of so many bytes, and returns its address.
func (s *server) begin(t *testing.T, size int, headers ...string) string {
	t.Helper()
	a := s.tus(t, "POST", "/v1/uploads/", nil, append([]string{"Upload-Length", fmt.Sprint(size)}, headers...)...)
	if a.status != http.StatusCreated || !strings.HasPrefix(a.header.Get("Location"), "/v1/uploads/") {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	return a.header.Get("Location")
}

func (s *server) patch(t *testing.T, path string, offset int, content string, headers ...string) answer {
	t.Helper()
	return s.tus(t, "PATCH", path, strings.NewReader(content), append([]string{"Upload-Offset", fmt.Sprint(offset)}, headers...)...)
}

func TestResumable(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	content := clip(300_000)
	path := s.begin(t, len(content), "Upload-Metadata", metadata("filename", "../a\u202e.mp4", "filetype", "video/mp4", "every", "2", "owner", "admin"))
	id := path[len("/v1/uploads/"):]
	for _, name := range s.left(t) {
		if info, err := os.Stat(filepath.Join(s.folder, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
	if a := s.patch(t, path, 0, content[:100_000]); a.status != 204 || a.header.Get("Upload-Offset") != "100000" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if a := s.tus(t, "HEAD", path, nil); a.status != 200 || a.header.Get("Upload-Offset") != "100000" || a.header.Get("Upload-Length") != "300000" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if len(s.videos) != 0 {
		t.Error("it is a video before it is whole")
	}
	if a := s.patch(t, path, 100_000, content[100_000:]); a.status != 204 {
		t.Errorf("%d %s", a.status, a.body)
	}
	v := s.videos[id]
	if v.Title != "a.mp4" || v.Bytes != 300_000 || v.Options.Every != 2000 || v.Owner != "" {
		t.Errorf("%+v", v)
	}
	if a := s.do(t, "GET", "/v1/videos/"+id+"/media", nil); a.body != content {
		t.Errorf("%d bytes came of %d", len(a.body), len(content))
	}
	// What is whole is a video, and goes as one.
	s.tus(t, "DELETE", path, nil).problem(t, 409, "/v1/videos/"+id)
	if a := s.tus(t, "HEAD", path, nil); a.status != 200 || a.header.Get("Upload-Offset") != "300000" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if len(s.admitted) != 1 || s.admitted[0] != 300_000 {
		t.Errorf("admitted %d", s.admitted)
	}
}

func TestCreationWithUpload(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	content := clip(1000)
	a := s.tus(t, "POST", "/v1/uploads", strings.NewReader(content), "Upload-Length", "1000")
	if a.status != 201 || a.header.Get("Upload-Offset") != "1000" || len(s.videos) != 1 {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
}

// A client that is cut off goes on where the file ends.
func TestCutUploadResumed(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	content := clip(200_000)
	path := s.begin(t, len(content))
	file := filepath.Join(s.folder, path[len("/v1/uploads/"):])
	c := s.dial(t, "PATCH %s HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: 200000\r\n\r\n%s", path, content[:70_000])
	wait(t, "some of it came", func() bool {
		info, err := os.Stat(file)
		return err == nil && info.Size() == 70_000
	})
	_ = c.Close()
	a := s.tus(t, "HEAD", path, nil)
	if a.status != 200 || a.header.Get("Upload-Offset") != "70000" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	if a := s.patch(t, path, 70_000, content[70_000:]); a.status != 204 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != content {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// A client that comes again while its old connection is still thought to be open takes over.
func TestUploadTakenOver(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	path := s.begin(t, 1000)
	_ = s.dial(t, "PATCH %s HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: 1000\r\n\r\nabcd", path)
	wait(t, "some of it came", func() bool {
		info, err := os.Stat(filepath.Join(s.folder, path[len("/v1/uploads/"):]))
		return err == nil && info.Size() == 4
	})
	if a := s.tus(t, "HEAD", path, nil); a.status != 200 || a.header.Get("Upload-Offset") != "4" {
		t.Errorf("%d %v", a.status, a.header)
	}
}

// A daemon that was killed after the last byte makes a video of it when it is asked again.
func TestWholeButUnknown(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.add = api.Later(http.StatusServiceUnavailable, 1, "the job queue cannot be reached: try again later")
	path := s.begin(t, 1000)
	s.patch(t, path, 0, clip(1000)).problem(t, 503, "try again")
	if a := s.tus(t, "HEAD", path, nil); a.status != 503 {
		t.Errorf("%d", a.status)
	}
	s.mu.Lock()
	s.add = nil
	s.mu.Unlock()
	if a := s.tus(t, "HEAD", path, nil); a.status != 200 || len(s.videos) != 1 {
		t.Errorf("%d, %d videos", a.status, len(s.videos))
	}
}

func TestResumableWrongType(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	path := s.begin(t, 1000, "Upload-Metadata", metadata("filename", "a.mp4", "filetype", "video/mp4"))
	s.patch(t, path, 0, strings.Repeat("this is text", 100)[:1000]).problem(t, 415, "no video")
	if left := s.left(t); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
	if a := s.tus(t, "HEAD", path, nil); a.status != 404 {
		t.Errorf("%d", a.status)
	}
}

func TestResumableBadRequests(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	path := s.begin(t, 1000)
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		says               string
	}{
		"no version":       {"POST", "/v1/uploads", "", []string{"Upload-Length", "5", "Tus-Resumable", "0.2.0"}, 412, "Tus-Resumable: 1.0.0"},
		"no length":        {"POST", "/v1/uploads", "", nil, 400, "Upload-Length"},
		"negative length":  {"POST", "/v1/uploads", "", []string{"Upload-Length", "-1"}, 400, "Upload-Length"},
		"unknown length":   {"POST", "/v1/uploads", "", []string{"Upload-Defer-Length", "1"}, 501, "Upload-Length"},
		"too large":        {"POST", "/v1/uploads", "", []string{"Upload-Length", "1048577"}, 413, "too large"},
		"empty":            {"POST", "/v1/uploads", "", []string{"Upload-Length", "0"}, 422, "empty"},
		"bad option":       {"POST", "/v1/uploads", "", []string{"Upload-Length", "5", "Upload-Metadata", metadata("every", "soon")}, 422, "every"},
		"two ways":         {"POST", "/v1/uploads", "", []string{"Upload-Length", "5", "Upload-Metadata", metadata("whole", "true", "scenes", "true")}, 422, "give one of them"},
		"parts of others":  {"POST", "/v1/uploads", "", []string{"Upload-Concat", "final;" + path}, 400, "Upload-Length"},
		"more than said":   {"PATCH", path, strings.Repeat("a", 1001), []string{"Upload-Offset", "0"}, 413, "Upload-Length"},
		"wrong offset":     {"PATCH", path, "abc", []string{"Upload-Offset", "5"}, 409, "HEAD"},
		"no offset":        {"PATCH", path, "abc", nil, 400, "Upload-Offset"},
		"wrong type":       {"PATCH", path, "abc", []string{"Upload-Offset", "0", "Content-Type", "video/mp4"}, 415, "offset+octet-stream"},
		"unknown id":       {"PATCH", "/v1/uploads/" + door.NewID(), "abc", []string{"Upload-Offset", "0"}, 404, "POST /v1/uploads"},
		"a path for an id": {"PATCH", "/v1/uploads/..%2f..%2fetc%2fpasswd", "abc", []string{"Upload-Offset", "0"}, 404, "POST /v1/uploads"},
		"another file":     {"DELETE", "/v1/uploads/" + path[len("/v1/uploads/"):] + ".info", "", nil, 404, "POST /v1/uploads"},
	} {
		t.Log(name)
		s.tus(t, c.method, c.path, strings.NewReader(c.body), c.headers...).problem(t, c.status, c.says)
	}
	if left := s.left(t); len(left) != 2 {
		t.Errorf("left: %q", left)
	}
	if a := s.tus(t, "DELETE", path, nil); a.status != 204 || len(s.left(t)) != 0 {
		t.Errorf("%d %s, left %q", a.status, a.body, s.left(t))
	}
}

func TestResumableSlowLoris(t *testing.T) {
	t.Parallel()
	s := start(t, impatient)
	path := s.begin(t, 1000)
	c := s.dial(t, "PATCH %s HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: 1000\r\n\r\nabcd", path)
	var b bytes.Buffer
	if _, err := io.Copy(&b, c); err != nil || !strings.Contains(b.String(), " 408 ") || !strings.Contains(b.String(), "application/problem+json") {
		t.Errorf("%s, %v", b.String(), err)
	}
	if a := s.tus(t, "HEAD", path, nil); a.status != 200 || a.header.Get("Upload-Offset") != "4" {
		t.Errorf("%d %v", a.status, a.header)
	}
}

// To another token an upload is not there.
func TestAnotherTokensUpload(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	mine, other, admin := s.token(t, "mine", tokens.Upload), s.token(t, "other", tokens.Upload), s.token(t, "admin", tokens.Admin)
	path := s.begin(t, 1000, "Authorization", mine)
	content := clip(1000)
	for _, method := range []string{"HEAD", "PATCH", "DELETE"} {
		if a := s.tus(t, method, path, strings.NewReader(content), "Upload-Offset", "0", "Authorization", other); a.status != 404 {
			t.Errorf("%s: %d", method, a.status)
		}
	}
	if a := s.patch(t, path, 0, content[:500], "Authorization", mine); a.status != 204 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.patch(t, path, 500, content[500:], "Authorization", admin); a.status != 204 {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, v := range s.videos {
		if v.Owner != "mine" {
			t.Errorf("it is %s's", v.Owner)
		}
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	a := s.do(t, "OPTIONS", "/v1/uploads", nil)
	if ext := a.header.Get("Tus-Extension"); a.status != 200 || ext != "creation,creation-with-upload,termination" || a.header.Get("Tus-Max-Size") != "1048576" {
		t.Errorf("%d %v", a.status, a.header)
	}
}
