package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/demo/camera"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// anywhere lets the cameras of clients be on this machine, as those of the tests are.
const anywhere = "--reach-cameras=any"

// ask sends a request to a daemon, and returns the answer's status and body.
func (p *process) ask(t testing.TB, method, path, body string) (int, string) {
	t.Helper()
	r := p.request(t, method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	a := send(t, r)
	return a.status, a.body
}

// must is ask where one status is right.
func (p *process) must(t testing.TB, status int, method, path, body string) string {
	t.Helper()
	code, answer := p.ask(t, method, path, body)
	if code != status {
		t.Fatalf("%s %s: %d, want %d: %s", method, path, code, status, answer)
	}
	return answer
}

// cameraNamed is how a camera stands.
func (p *process) cameraNamed(t testing.TB, name string) (c api.Camera) {
	t.Helper()
	if err := json.Unmarshal([]byte(p.must(t, 200, "GET", "/v1/cameras/"+name, "")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// until waits for something to be so.
func until(t testing.TB, what string, so func() bool) {
	t.Helper()
	for begun := time.Now(); !so(); <-time.After(100 * time.Millisecond) {
		if time.Since(begun) > time.Minute {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// A camera that is added over HTTP is captioned, changed, there after a restart, and removed.
func TestCameraAdded(t *testing.T) {
	t.Parallel()
	one, two := startCamera(t, camera.Options{Scenes: scenes(31), Username: "viewer", Password: "right"}), startCamera(t, camera.Options{Scenes: scenes(32)})
	state, config := t.TempDir(), configFile(t, shapesCamera("fixed", two.URL(), ""))
	p := startProcess(t, state, config, anywhere)
	added := p.must(t, 201, "POST", "/v1/cameras", fmt.Sprintf(
		`{"name": "door", "url": %q, "username": "viewer", "password": "right", "window": 3, "every": 0.5, "gate": {"enabled": false}}`, one.URL()))
	if strings.Contains(added, "right") || strings.Contains(added, "viewer") || !strings.Contains(added, `"password_set":true`) {
		t.Errorf("the answer is %s", added)
	}
	var m measured
	p.receive(t, nats.From{All: true}, func(e sinks.Event) bool {
		if c, ok := e.(*sinks.Caption); ok && c.Source == "door" {
			m.take(t, c, one)
		}
		return m.total >= 8 || len(m.ages) >= 40 // on a busy machine hardly a window counts
	})
	c := p.cameraNamed(t, "door")
	if m.total >= 8 && (2*m.right < m.total || c.Clock != sinks.ClockRTCP) {
		t.Errorf("%d of %d captions are right, the clock is %s", m.right, m.total, c.Clock)
	}
	if c.State != sinks.StateLive || c.LastFrame == nil || *c.LastFrameAge > 10 || c.Epoch == 0 || c.Codec != "h264" ||
		c.EncoderRuns == 0 || c.Captions < 8 || c.Configured || *c.Window != 3 || *c.Every != 0.5 || *c.Gate.Enabled || *c.Transport != "tcp" {
		t.Errorf("%+v", c)
	}
	if fixed := p.cameraNamed(t, "fixed"); !fixed.Configured {
		t.Errorf("%+v", fixed)
	}
	p.must(t, 409, "POST", "/v1/cameras", fmt.Sprintf(`{"name": "door", "url": %q}`, one.URL()))
	for _, method := range []string{"PATCH", "DELETE"} {
		if answer := p.must(t, 409, method, "/v1/cameras/fixed", `{"window": 4}`); !strings.Contains(answer, "configuration file") {
			t.Error(answer)
		}
	}
	p.must(t, 200, "PATCH", "/v1/cameras/door", `{"window": 2, "questions": [{"name": "n", "text": "how many shapes are there?"}]}`)
	p.receive(t, nats.From{All: true}, func(e sinks.Event) bool { return e.Kind() == sinks.KindAnswer && e.Head().Source == "door" })
	if status := p.end(t, syscall.SIGTERM); status != exitDone {
		t.Errorf("status %d after SIGTERM:\n%s", status, p.log)
	}
	info, err := os.Stat(filepath.Join(state, "cameras.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of the cameras: %v, %v", info, err)
	}
	again := startProcess(t, state, config, anywhere)
	until(t, "the camera is live again", func() bool { return again.cameraNamed(t, "door").State == sinks.StateLive })
	if c := again.cameraNamed(t, "door"); *c.Window != 2 || *c.Every != 0.5 || len(*c.Questions) != 1 || !c.PasswordSet {
		t.Errorf("after the restart: %+v", c)
	}
	if err := again.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	until(t, "the configuration is read again", func() bool { return strings.Contains(again.log.String(), "configuration read again") })
	if c := again.cameraNamed(t, "door"); c.State != sinks.StateLive {
		t.Errorf("after SIGHUP: %+v", c)
	}
	again.must(t, 204, "DELETE", "/v1/cameras/door", "")
	again.must(t, 404, "GET", "/v1/cameras/door", "")
	again.must(t, 404, "GET", "/v1/cameras/door/snapshot.jpg", "")
	again.end(t, syscall.SIGTERM)
}

// What is wrong with a camera is told field by field, and nothing begins.
func TestCameraRefused(t *testing.T) {
	t.Parallel()
	c := startCamera(t, camera.Options{Scenes: scenes(33)})
	p := startProcess(t, t.TempDir(), configFile(t, shapesCamera("fixed", c.URL(), "")))
	for body, want := range map[string]string{
		`{"name": "a b", "url": "http://192.0.2.1/", "window": 0, "every": -1e300}`:                                            "every: must be",
		`{"name": "x", "url": "` + c.URL() + `"}`:                                                                              "url: the address is this machine's own (loopback)",
		`{"name": "x", "url": "rtsp://localhost/x"}`:                                                                           "url: the address is this machine's own (loopback)",
		`{"name": "x", "url": "rtsp://[::ffff:127.0.0.1]/x"}`:                                                                  "url: the address is this machine's own (loopback)",
		`{"name": "x", "url": "rtsp://169.254.169.254/x"}`:                                                                     "url: the address is a cloud's metadata service",
		`{"name": "x", "url": "rtsp://192.168.0.9/x", "caption": "/etc/passwd"}`:                                               "caption: must be the name of a model",
		`{"name": "x", "url": "rtsp://192.168.0.9/x", "masks": [[0.5, 0, 0.9, 1]]}`:                                            "masks[0]: must end within the picture",
		`{"name": "x", "url": "rtsp://192.168.0.9/x", "masks": [[0.5]]}`:                                                       "masks: must be lists of [x, y, w, h]",
		`{"name": "x", "url": "rtsp://192.168.0.9/x", "questions": [{"name": "q", "text": "a?"}, {"name": "q", "text": " "}]}`: "questions[1].text: must not be empty",
		`{"name": "x", "url": "rtsp://u:p@192.168.0.9/x"}`:                                                                     "url: must not hold a user or a password",
		`{"name": "job-1", "url": "rtsp://192.168.0.9/x"}`:                                                                     "name: must not begin with job-",
		`{"name": "x"}`: "url: must be a URL",
		`{"name": "x", "url": "rtsp://192.168.0.9/x", "password_file": "/etc/shadow"}`: "password_file",
	} {
		if answer := p.must(t, 422, "POST", "/v1/cameras", body); !strings.Contains(answer, want) {
			t.Errorf("%s: %s", body, answer)
		}
	}
	if answer := p.must(t, 422, "POST", "/v1/cameras/test", `{"url": "rtsp://127.0.0.1/"}`); !strings.Contains(answer, "loopback") {
		t.Error(answer)
	}
	if answer := p.must(t, 422, "POST", "/v1/cameras", `{"name": "a b", "url": "http://192.0.2.1/", "window": 0}`); strings.Count(answer, "must") < 3 {
		t.Errorf("not all that is wrong is told: %s", answer)
	}
	p.must(t, 404, "PATCH", "/v1/cameras/none", `{"window": 4}`)
	p.must(t, 404, "DELETE", "/v1/cameras/none", "")
	p.must(t, 404, "GET", "/v1/cameras/none/hls/index.m3u8", "")
	var all struct{ Cameras []api.Camera }
	if err := json.Unmarshal([]byte(p.must(t, 200, "GET", "/v1/cameras", "")), &all); err != nil || len(all.Cameras) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	p.end(t, syscall.SIGTERM)
}

// A snapshot is what the camera shows, with its masks; its video is what it sends, and plays.
func TestCameraSeen(t *testing.T) {
	t.Parallel()
	c := startCamera(t, camera.Options{Scenes: scenes(34)})
	p := startProcess(t, t.TempDir(), configFile(t,
		shapesCamera("open", c.URL(), ""), shapesCamera("masked", c.URL(), ", masks: [[0, 0, 0.5, 1]]"), shapesCamera("away", "rtsp://127.0.0.1:9/x", "")))
	for _, name := range []string{"open", "masked"} {
		until(t, "a snapshot of "+name, func() bool { code, _ := p.ask(t, "GET", "/v1/cameras/"+name+"/snapshot.jpg", ""); return code == 200 })
	}
	whole := decodeJPEG(t, p.must(t, 200, "GET", "/v1/cameras/open/snapshot.jpg", ""))
	small := decodeJPEG(t, p.must(t, 200, "GET", "/v1/cameras/open/snapshot.jpg?width=160", ""))
	masked := decodeJPEG(t, p.must(t, 200, "GET", "/v1/cameras/masked/snapshot.jpg", ""))
	if whole.Bounds().Dx() != 320 || whole.Bounds().Dy() != 240 || small.Bounds().Dx() != 160 || small.Bounds().Dy() != 120 {
		t.Errorf("%v and %v", whole.Bounds(), small.Bounds())
	}
	if dark(whole, 0, 160) || !dark(masked, 0, 152) || dark(masked, 168, 320) {
		t.Error("the masks are not where they should be")
	}
	p.must(t, 422, "GET", "/v1/cameras/open/snapshot.jpg?width=0", "")
	p.checkTimes(t, "/v1/cameras/open/snapshot.jpg")
	if answer := p.must(t, 404, "GET", "/v1/cameras/away/snapshot.jpg", ""); !strings.Contains(answer, "has not been seen yet: it is connecting") {
		t.Error(answer)
	}
	if answer := p.must(t, 409, "GET", "/v1/cameras/masked/hls/index.m3u8", ""); !strings.Contains(answer, "masks") {
		t.Error(answer)
	}
	p.checkVideo(t, "open", c)
	p.end(t, syscall.SIGTERM)
}

// checkTimes sees that a picture says when it was, and is not kept.
func (p *process) checkTimes(t *testing.T, path string) {
	t.Helper()
	res := send(t, p.request(t, http.MethodGet, path, nil))
	at, err := time.Parse(time.RFC3339, res.header.Get("X-Captiond-Time"))
	modified, err2 := http.ParseTime(res.header.Get("Last-Modified"))
	if err != nil || err2 != nil || time.Since(at) > 10*time.Second || time.Since(at) < -time.Second || !modified.Equal(at.Truncate(time.Second)) ||
		res.header.Get("Content-Type") != "image/jpeg" || res.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v, %v, %v", res.header, err, err2)
	}
}

// checkVideo has four segments of a camera's video, of a second each, decoded and captioned as a
// file.
func (p *process) checkVideo(t *testing.T, name string, c *camera.Camera) {
	t.Helper()
	at, lines := "/v1/cameras/"+name+"/hls/", regexp.MustCompile(`(?m)^[^#\n].*$`)
	index := lines.FindString(p.must(t, 200, "GET", at+"index.m3u8", ""))
	var list string
	var segments []string
	until(t, "four segments", func() bool {
		list = p.must(t, 200, "GET", at+index, "")
		segments = lines.FindAllString(list, -1)
		return len(segments) == 4 && strings.Count(list, "#EXTINF:1.0") == 4
	})
	film := p.must(t, 200, "GET", at+regexp.MustCompile(`URI="(.*)"`).FindStringSubmatch(list)[1], "")
	for _, segment := range segments {
		film += p.must(t, 200, "GET", at+segment, "")
	}
	begun, err := time.Parse(time.RFC3339, regexp.MustCompile(`DATE-TIME:(\S+)`).FindStringSubmatch(list)[1])
	begun = begun.Add(-2 * time.Second) // it is the third's
	path := filepath.Join(t.TempDir(), "video.mp4")
	if err := errors.Join(err, os.WriteFile(path, []byte(film), 0o600)); err != nil {
		t.Fatal(err)
	}
	got := captiond(t, "caption", path, "--every", "2s", "-o", "jsonl")
	right, total := 0, 0
	for line := range strings.Lines(got.out) {
		e, err := sinks.Decode([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		said := e.(*sinks.Caption)
		const off = 200 * time.Millisecond // of the clocks
		truth, known := c.Truth(begun.Add(said.Start.Duration()+off), begun.Add(said.End.Duration()-off))
		if total++; known && truth.Caption == said.Text {
			right++
		}
	}
	if got.status != exitDone || total != 2 || right == 0 {
		t.Errorf("%d of %d captions of the video are right: %+v\n%s", right, total, got, list)
	}
}

func decodeJPEG(t testing.TB, text string) image.Image {
	t.Helper()
	img, err := jpeg.Decode(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// dark says whether columns of a picture are black.
func dark(img image.Image, from, to int) bool {
	for y := range img.Bounds().Dy() {
		for x := from; x < to; x++ {
			if r, g, b, _ := img.At(x, y).RGBA(); r+g+b > 3*16<<8 {
				return false
			}
		}
	}
	return true
}

// An address that is tested shows a picture and its caption, or why there is none.
func TestCameraTest(t *testing.T) {
	t.Parallel()
	c := startCamera(t, camera.Options{Scenes: scenes(35), Username: "viewer", Password: "right"})
	silent, _ := listening(t)
	p := startProcess(t, t.TempDir(), "", anywhere)
	trial := func(url, password string) (r api.Trial) {
		body := fmt.Sprintf(`{"url": %q, "username": "viewer", "password": %q}`, url, password)
		if err := json.Unmarshal([]byte(p.must(t, 200, "POST", "/v1/cameras/test", body)), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	good := trial(c.URL(), "right")
	picture, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(good.Image, "data:image/jpeg;base64,"))
	if err != nil || !good.OK || good.State != sinks.StateLive || good.Codec != "h264" || good.Width != 320 || good.Height != 240 ||
		good.Caption == "" || good.Confidence == nil || decodeJPEG(t, string(picture)).Bounds().Dx() != 320 {
		t.Errorf("%+v, %v", good, err)
	}
	for name, tt := range map[string]struct {
		url, password string
		state         sinks.State
		reason        string
	}{
		"wrong password": {c.URL(), "wrong", sinks.StateWrongPassword, "correct username and password"},
		"wrong path":     {c.URL() + "/else", "right", sinks.StateRefused, "correct the path"},
		"silent":         {"rtsp://" + silent.Addr().String() + "/x", "right", sinks.StateConnecting, "check the address"},
		"closed":         {"rtsp://127.0.0.1:9/x", "right", sinks.StateConnecting, "connection refused: check the address"},
	} {
		if r := trial(tt.url, tt.password); r.OK || r.State != tt.state || !strings.Contains(r.Reason, tt.reason) || r.TookMS > 20000 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	answers := make(chan int, 4)
	for range cap(answers) {
		go func() {
			code, _ := p.ask(t, "POST", "/v1/cameras/test", fmt.Sprintf(`{"url": "rtsp://%s/x"}`, silent.Addr()))
			answers <- code
		}()
	}
	told := map[int]int{}
	for range cap(answers) {
		told[<-answers]++
	}
	if told[200] != 2 || told[429] != 2 {
		t.Errorf("four tests at once: %v", told)
	}
	p.end(t, syscall.SIGTERM)
}

// No answer, error, log line, event or metric tells the password of a camera.
func TestCameraCanary(t *testing.T) {
	t.Parallel()
	const canary = "c%21n@ry#!"
	c := startCamera(t, camera.Options{Scenes: scenes(36), Username: "viewer", Password: "right"})
	p := startProcess(t, t.TempDir(), "", anywhere, "--log-level", "debug")
	var told []string
	ask := func(method, path, body string) {
		_, answer := p.ask(t, method, path, body)
		told = append(told, answer)
	}
	camera := func(more string) string {
		return fmt.Sprintf(`{"name": "locked", "url": %q, "username": "viewer", "password": %q%s}`, c.URL(), canary, more)
	}
	trial := func(url string, more string) string {
		return fmt.Sprintf(`{"url": %q, "username": "viewer", "password": %q%s}`, url, canary, more)
	}
	ask("POST", "/v1/cameras", camera(`, "window": 0`))
	ask("POST", "/v1/cameras", camera(`, "nonsense": 1`))
	ask("POST", "/v1/cameras", `{"name": "x", "password": ["`+canary+`"]}`)
	ask("POST", "/v1/cameras", `{"name": "x", "url": "rtsp://viewer:`+canary+`@127.0.0.1/x"}`)
	ask("POST", "/v1/cameras", `{"name": "`+canary)
	ask("POST", "/v1/cameras", camera(""))
	ask("POST", "/v1/cameras", camera(""))
	ask("POST", "/v1/cameras/test", trial(c.URL(), ""))
	ask("POST", "/v1/cameras/test", trial("rtsp://127.0.0.1:9/x?password="+canary, ""))
	ask("POST", "/v1/cameras", `{"name": "query", "url": "rtsp://127.0.0.1:9/user=viewer_password=canary1234_channel=1?token=canary1234"}`)
	ask("PATCH", "/v1/cameras/locked", `{"window": 4}`)
	if code, answer := p.ask(t, "PATCH", "/v1/cameras/locked", `{"url": "rtsp://127.0.0.1:9/elsewhere"}`); code != 422 || !strings.Contains(answer, "give the password again") {
		t.Errorf("a password would go elsewhere: %d %s", code, answer)
	}
	until(t, "the password is refused", func() bool { return p.cameraNamed(t, "locked").State == sinks.StateWrongPassword })
	p.receive(t, nats.From{All: true}, func(e sinks.Event) bool {
		b, err := sinks.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, string(b))
		s, ok := e.(*sinks.Status)
		return ok && s.State == sinks.StateWrongPassword
	})
	for _, path := range []string{"/v1/cameras", "/v1/cameras/locked", "/v1/cameras/locked/snapshot.jpg", "/v1/cameras/locked/hls/index.m3u8", "/readyz", "/metrics", "/openapi.yaml"} {
		ask("GET", path, "")
	}
	ask("DELETE", "/v1/cameras/locked", "")
	p.end(t, syscall.SIGTERM)
	all := strings.Join(told, "\n") + p.log.String()
	for _, secret := range []string{canary, "c!n@ry", base64.StdEncoding.EncodeToString([]byte("viewer:" + canary)), "c%2521n", "canary1234"} {
		if i := strings.Index(all, secret); i >= 0 {
			t.Errorf("%s is told: %s", secret, all[max(0, i-200):min(len(all), i+100)])
		}
	}
}

// A name that the configuration comes to have is the configuration's; a file of cameras that is
// damaged keeps the daemon from starting, and says what to do.
func TestCameraFile(t *testing.T) {
	t.Parallel()
	c := startCamera(t, camera.Options{Scenes: scenes(37)})
	state, config := t.TempDir(), configFile(t, shapesCamera("fixed", c.URL(), ""))
	p := startProcess(t, state, config, anywhere)
	p.must(t, 201, "POST", "/v1/cameras", fmt.Sprintf(`{"name": "door", "url": %q}`, c.URL()))
	if err := os.WriteFile(config, []byte("cameras:\n"+shapesCamera("door", c.URL(), "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	until(t, "the configuration's camera", func() bool { return p.cameraNamed(t, "door").Configured })
	if !strings.Contains(p.log.String(), "camera of the api is not watched") {
		t.Errorf("the log does not tell:\n%s", p.log)
	}
	p.end(t, syscall.SIGTERM)
	file := filepath.Join(state, "cameras.json")
	for text, want := range map[string]string{
		`{"version": 1, "cameras": [{"name": "door"`: "damaged", `{"version": 2, "more": 1}`: "newer captiond", "": "damaged",
		`{"version": 1, "cameras": [{"name": "a"}, {"name": "a"}]}`: "that of another",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := captiond(t, "serve", "--state", state, "--nats-listen", "127.0.0.1:0", "--http", "")
		got.want(t, exitFailed, want)
		got.want(t, exitFailed, "restore "+file+" from a backup")
	}
}
