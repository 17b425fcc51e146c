package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/pipeline/live"
	"github.com/captiond/captiond/sinks"
)

// host is a fake of what watches cameras: it notes what it is to watch.
type host struct {
	mu      sync.Mutex
	file    []api.Camera
	put     []api.NamedCamera
	puts    int
	refuses error // of Check
	screen  live.Screen
}

func (h *host) Check(context.Context, api.NamedCamera) error { return h.refuses }

func (h *host) Put(_ context.Context, cameras []api.NamedCamera) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.put = cameras
	h.puts++
	return nil
}

func (h *host) Cameras() []api.Camera {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := slices.Clone(h.file)
	for _, n := range h.put {
		all = append(all, api.Camera{Name: n.Name, CameraSpec: n.CameraSpec, CameraState: api.CameraState{State: sinks.StateStopped, Detail: "it says s3 cret/%"}})
	}
	return all
}

func (h *host) View(name string) (api.CameraView, bool) {
	return api.CameraView{Screen: &h.screen, State: sinks.StateStalled, Detail: "lost", Masked: name == "masked"}, name != "off"
}

// openCameras are those of a host, kept in a file.
func openCameras(t *testing.T, file string, h *host) *api.Cameras {
	t.Helper()
	c, err := api.OpenCameras(api.CamerasOptions{File: file, Host: h, Most: 3, Try: func(context.Context, api.CameraSpec) (api.Trial, error) {
		return api.Trial{Reason: "the answer was s3 cret/% and s3+cret%2F%25"}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// spec reads settings as a client writes them.
func spec(t *testing.T, text string) (s api.CameraSpec) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func named(t *testing.T, name, text string) api.NamedCamera {
	t.Helper()
	return api.NamedCamera{Name: name, CameraSpec: spec(t, text)}
}

const door = `{"url": "rtsp://192.0.2.1/x", "username": "viewer", "password": "s3 cret/%", "questions": [{"name": "a", "text": "b?"}], "tls": {"verify": false}}`

// Fields that are given replace what was; all others stay, credentials too.
func TestCameraChange(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ change, want string }{
		"nothing":        {`{}`, door},
		"a number":       {`{"window": 4.5}`, strings.Replace(door, "{", `{"window": 4.5, `, 1)},
		"part of a part": {`{"tls": {"fingerprint": "ab"}}`, strings.Replace(door, `"verify": false`, `"verify": false, "fingerprint": "ab"`, 1)},
		"a list":         {`{"questions": [{"name": "c", "text": "d?"}]}`, strings.Replace(door, `"name": "a", "text": "b?"`, `"name": "c", "text": "d?"`, 1)},
		"no list":        {`{"questions": []}`, strings.Replace(door, `{"name": "a", "text": "b?"}`, "", 1)},
		"the path":       {`{"url": "RTSP://192.0.2.1/other"}`, strings.Replace(door, "rtsp://192.0.2.1/x", "RTSP://192.0.2.1/other", 1)},
		"the host, with a password": {`{"url": "rtsp://192.0.2.2/x", "password": "new"}`,
			strings.NewReplacer("192.0.2.1", "192.0.2.2", "s3 cret/%", "new").Replace(door)},
		"the host, without one": {`{"url": "rtsp://192.0.2.2/x", "password": ""}`, strings.NewReplacer("192.0.2.1", "192.0.2.2", "s3 cret/%", "").Replace(door)},
		"the host alone":        {`{"url": "rtsp://192.0.2.2/x"}`, ""},
		"the port alone":        {`{"url": "rtsp://192.0.2.1:8554/x"}`, ""},
		"the scheme alone":      {`{"url": "rtsps://192.0.2.1/x"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := new(host)
			c := openCameras(t, filepath.Join(t.TempDir(), "cameras.json"), h)
			if _, err := c.Add(t.Context(), named(t, "door", door)); err != nil {
				t.Fatal(err)
			}
			_, err := c.Change(t.Context(), "door", spec(t, tt.change))
			if tt.want == "" {
				if api.Status(err) != 422 || !strings.Contains(err.Error(), "give the password again") || h.puts != 1 {
					t.Errorf("%v after %d changes", err, h.puts)
				}
				return
			}
			got, _ := json.Marshal(h.put[0].CameraSpec)
			want, _ := json.Marshal(spec(t, tt.want))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, want %s: %v", got, want, err)
			}
		})
	}
}

// What is refused changes nothing, and names are those of one camera.
func TestCamerasRefused(t *testing.T) {
	t.Parallel()
	h := &host{file: []api.Camera{{Name: "fixed", Configured: true}}}
	c := openCameras(t, filepath.Join(t.TempDir(), "cameras.json"), h)
	add := func(name string) error {
		_, err := c.Add(t.Context(), named(t, name, door))
		return err
	}
	for _, name := range []string{"c", "a", "b"} {
		if err := add(name); err != nil {
			t.Fatal(err)
		}
	}
	change := func(name string) error {
		_, err := c.Change(t.Context(), name, spec(t, `{"window": 4}`))
		return err
	}
	get := func(name string) error {
		_, err := c.Get(name)
		return err
	}
	for what, tt := range map[string]struct {
		err    error
		status int
		says   string
	}{
		"a name that is taken":     {add("a"), 409, "change it with PATCH"},
		"one of the configuration": {add("fixed"), 409, "configuration file"},
		"one too many":             {add("d"), 409, "there are 3 cameras"},
		"changing the fixed one":   {change("fixed"), 409, "configuration file"},
		"removing the fixed one":   {c.Remove(t.Context(), "fixed"), 409, "configuration file"},
		"changing none":            {change("none"), 404, "GET /v1/cameras"},
		"removing none":            {c.Remove(t.Context(), "none"), 404, "GET /v1/cameras"},
		"none":                     {get("none"), 404, "GET /v1/cameras"},
	} {
		if api.Status(tt.err) != tt.status || !strings.Contains(tt.err.Error(), tt.says) {
			t.Errorf("%s: %v", what, tt.err)
		}
	}
	h.refuses = api.Errorf(422, "window: wrong")
	if err := change("a"); api.Status(err) != 422 || h.puts != 3 {
		t.Errorf("%v after %d changes", err, h.puts)
	}
	if _, err := c.Test(t.Context(), spec(t, door)); api.Status(err) != 422 {
		t.Errorf("a test: %v", err)
	}
	var names []string
	for _, n := range h.put {
		names = append(names, n.Name)
	}
	if !slices.Equal(names, []string{"a", "b", "c"}) {
		t.Errorf("%v are watched", names)
	}
}

// Nothing that clients are told holds a credential, wherever a camera has it.
func TestCameraCredentials(t *testing.T) {
	t.Parallel()
	h := new(host)
	c := openCameras(t, filepath.Join(t.TempDir(), "cameras.json"), h)
	added, err := c.Add(t.Context(), named(t, "door", door))
	if err != nil || !added.UsernameSet || !added.PasswordSet {
		t.Errorf("%+v, %v", added, err)
	}
	got, err := c.Get("door")
	trial, trialErr := c.Test(t.Context(), spec(t, door))
	text, jsonErr := json.Marshal([]any{added, got, c.List(), trial})
	if err := errors.Join(err, trialErr, jsonErr); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"viewer", "s3 cret", "s3+cret", "s3%20cret"} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("%s is told: %s", secret, text)
		}
	}
	for address, want := range map[string]string{
		"rtsp://192.0.2.1/x?channel=1&subtype=0":                       "rtsp://192.0.2.1/x?channel=1&subtype=0",
		"rtsp://192.0.2.1/x?User=anna&password=p&channel=1":            "rtsp://192.0.2.1/x?User=xxxxx&password=xxxxx&channel=1",
		"rtsp://192.0.2.1/user=anna_password=p_channel=1_stream=0.sdp": "rtsp://192.0.2.1/user=xxxxx_password=xxxxx_channel=1_stream=0.sdp",
		"rtsp://anna:p@192.0.2.1/x":                                    "rtsp://192.0.2.1/x",
		"rtsp://192.0.2.1/x?access_token=p":                            "rtsp://192.0.2.1/x?access_token=xxxxx",
	} {
		h.file = []api.Camera{{Name: "fixed", Configured: true, CameraSpec: api.CameraSpec{URL: &address}}}
		if fixed, err := c.Get("fixed"); err != nil || *fixed.URL != want {
			t.Errorf("%s is shown as %s, %v", address, *fixed.URL, err)
		}
	}
}

// Cameras are there after a restart, for nobody else to read; a file that is damaged is told.
func TestCameraFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "cameras.json")
	c := openCameras(t, file, new(host))
	for _, name := range []string{"door", "yard"} {
		if _, err := c.Add(t.Context(), named(t, name, door)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Remove(t.Context(), "yard"); err != nil {
		t.Fatal(err)
	}
	asked, err := openCameras(t, file, new(host)).Asked(t.Context())
	if err != nil || len(asked) != 1 || asked[0].Name != "door" || *asked[0].Password != "s3 cret/%" {
		t.Errorf("%+v, %v", asked, err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if others, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); err != nil || len(others) != 0 {
		t.Errorf("%v is left", others)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		string(whole[:len(whole)/2]): "damaged", "": "damaged", "null": "damaged", "{}": "damaged", string(whole) + "{}": "damaged",
		`{"version": 7, "cameras": {}}`:                   "version 7 was written by a newer captiond",
		`{"version": 1, "cameras": [{"nmae": "s3cret"}]}`: "damaged",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := api.OpenCameras(api.CamerasOptions{File: file, Host: new(host)})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "restore "+file) || strings.Contains(err.Error(), "cret") {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

// Where cameras cannot be kept nothing is changed.
func TestCameraNotKept(t *testing.T) {
	t.Parallel()
	folder, h := t.TempDir(), new(host)
	c := openCameras(t, filepath.Join(folder, "gone", "cameras.json"), h)
	if _, err := c.Add(t.Context(), named(t, "door", door)); api.Status(err) != 500 || h.puts != 0 {
		t.Errorf("%v after %d changes", err, h.puts)
	}
	if asked, err := c.Asked(t.Context()); err != nil || len(asked) != 0 {
		t.Errorf("%v, %v", asked, err)
	}
}

// Changes at once are made one after another, and none is lost.
func TestCamerasAtOnce(t *testing.T) {
	t.Parallel()
	h := new(host)
	c := openCameras(t, filepath.Join(t.TempDir(), "cameras.json"), h)
	var clients sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		clients.Go(func() {
			if _, err := c.Add(t.Context(), named(t, name, door)); err != nil {
				t.Error(err)
			}
			if _, err := c.Change(t.Context(), name, spec(t, `{"window": 4}`)); err != nil {
				t.Error(err)
			}
			_, _ = c.List(), c.Remove(t.Context(), "none")
		})
	}
	clients.Wait()
	if len(h.put) != 3 || h.puts != 6 {
		t.Errorf("%d cameras after %d changes", len(h.put), h.puts)
	}
}

// No more than two addresses are tested at once.
func TestCameraTrials(t *testing.T) {
	t.Parallel()
	begun, end := make(chan bool), make(chan bool)
	c, err := api.OpenCameras(api.CamerasOptions{File: filepath.Join(t.TempDir(), "cameras.json"), Host: new(host),
		Try: func(context.Context, api.CameraSpec) (api.Trial, error) {
			begun <- true
			<-end
			img := image.NewRGBA(image.Rect(0, 0, 2000, 1000))
			return api.Trial{OK: true, Picture: img}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	for range 2 {
		clients.Go(func() {
			trial, err := c.Test(t.Context(), spec(t, door))
			if err != nil || trial.Width != 2000 || trial.Height != 1000 || !strings.HasPrefix(trial.Image, "data:image/jpeg;base64,") {
				t.Errorf("%+v, %v", trial, err)
			}
		})
		<-begun
	}
	third, err := c.Test(t.Context(), spec(t, door))
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Status != 429 || e.RetryAfter <= 0 {
		t.Errorf("a third: %+v, %v", third, err)
	}
	close(end)
	clients.Wait()
}

func TestJPEG(t *testing.T) {
	t.Parallel()
	img := image.NewRGBA(image.Rect(0, 0, 301, 200)).SubImage(image.Rect(1, 0, 301, 200)).(*image.RGBA)
	for i := range img.Rect.Dx() * img.Rect.Dy() {
		x, shade := i%300, uint8(0)
		if x >= 150 {
			shade = uint8(200 + 40*(x%2)) // columns of two shades
		}
		img.SetRGBA(1+x, i/300, color.RGBA{shade, shade, shade, 255})
	}
	for width, want := range map[int]image.Point{0: {300, 200}, 300: {300, 200}, 1000: {300, 200}, 150: {150, 100}, 100: {100, 66}, 1: {1, 1}} {
		b, err := api.JPEG(img, width)
		if err != nil {
			t.Fatal(err)
		}
		got, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil || got.Bounds().Size() != want {
			t.Fatalf("%d: %v, %v", width, got.Bounds(), err)
		}
		if width != 150 {
			continue
		}
		left, _, _, _ := got.At(10, 50).RGBA()
		right, _, _, _ := got.At(140, 50).RGBA()
		if left>>8 > 3 || right>>8 < 217 || right>>8 > 223 {
			t.Errorf("shades %d and %d, want 0 and 220", left>>8, right>>8)
		}
	}
}

// A picture shows nothing of now when it is older than ten minutes.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := new(host)
		c := openCameras(t, filepath.Join(t.TempDir(), "cameras.json"), h)
		refuses := func(name, says string) {
			t.Helper()
			if _, err := c.Snapshot(name); api.Status(err) != 404 || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v", name, err)
			}
		}
		h.file = []api.Camera{{Name: "off", CameraState: api.CameraState{State: sinks.StateStopped}}}
		refuses("off", "is not watched: it is stopped")
		refuses("door", "has not been seen yet: it is stalled (lost)")
		if _, err := c.Video("masked"); api.Status(err) != 409 || !strings.Contains(err.Error(), "snapshot.jpg") {
			t.Errorf("the video behind masks: %v", err)
		}
		shown := color.RGBA{1, 2, 3, 255}
		show(t, &h.screen, shown)
		if p, err := c.Snapshot("door"); err != nil || p.Image.RGBAAt(0, 0) != shown {
			t.Errorf("%+v, %v", p, err)
		}
		time.Sleep(11 * time.Minute)
		refuses("door", "which is too long: it is stalled (lost)")
	})
}

// show has a camera show one picture of a colour.
func show(t *testing.T, s *live.Screen, shade color.RGBA) {
	t.Helper()
	stop := make(chan struct{})
	camera := live.Camera{
		Settings: live.Settings{Source: "door", Window: time.Second, Every: time.Second}, Connection: still{}, Screen: s,
		Ring: live.NewRing(time.Minute, 1), Load: live.NewLoad(1), Log: slog.New(slog.DiscardHandler), Eye: blank{},
		Decode: func(ctx context.Context, _ frames.Codec, use func(context.Context, live.Stream) error) error {
			img := image.NewRGBA(image.Rect(0, 0, 1, 1))
			img.SetRGBA(0, 0, shade)
			return use(ctx, &slide{seen: []frames.Seen{{}, {Image: img}, {Drained: true}}, over: sync.OnceFunc(func() { close(stop) })})
		},
		Emit: func(context.Context, sinks.Event) error { return nil },
	}
	camera.Caption.Captioner, camera.Answer.Captioner = new(parrot), new(parrot)
	if err := live.Run(t.Context(), stop, camera, new(live.Stats)); err != nil {
		t.Fatal(err)
	}
}

// still is a camera of one unit.
type still struct{}

func (still) Read(ctx context.Context, use func(frames.Unit) error) error {
	return errors.Join(use(frames.Unit{Codec: frames.MJPEG, Key: true, Stamp: frames.Stamp{Wall: time.Now()}}), errors.New("lost"))
}

func (still) Attend(ctx context.Context, attempt func(context.Context) (time.Duration, error), report func(error, time.Duration)) error {
	_, err := attempt(ctx)
	report(err, 0)
	<-ctx.Done()
	return context.Cause(ctx)
}

func (still) State(error) sinks.State { return sinks.StateConnecting }

// slide is a decoder that shows what it was given when all has been fed.
type slide struct {
	seen []frames.Seen
	over func()
}

func (*slide) Feed(frames.Unit, time.Duration) error   { return nil }
func (*slide) Grid(time.Duration, time.Duration) error { return nil }
func (*slide) Drain() error                            { return nil }

func (s *slide) Next() (frames.Seen, error) {
	time.Sleep(time.Second) // of the bubble: what was fed is placed by then
	next := s.seen[0]
	if s.seen = s.seen[1:]; len(s.seen) == 0 {
		s.over()
	}
	return next, nil
}

// blank sees no difference.
type blank struct{}

func (blank) Sketch(*image.RGBA) (frames.Sketch, error) {
	return frames.Sketch{RGB: make([]uint8, 3*frames.SketchWidth*frames.SketchHeight)}, nil
}
