package configs

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// write makes a configuration file.
func write(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "captiond.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// tags are the keys of a struct and of the sections and lists in it. Masks are written without.
func tags(s reflect.Type) (names []string) {
	if s.Kind() != reflect.Struct || s == reflect.TypeFor[Mask]() {
		return nil
	}
	for f := range s.Fields() {
		names = append(names, f.Tag.Get("mapstructure"))
		inner := f.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		names = append(names, tags(inner)...)
	}
	return names
}

// The camera of the reference names every key, and can be used.
func TestReferenceCamera(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("captiond.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(text), "\n# cameras:\n")
	example = regexp.MustCompile(`(?m)^# ?`).ReplaceAllString("# cameras:\n"+example, "")
	for _, name := range tags(reflect.TypeFor[Camera]()) {
		if !found || !regexp.MustCompile(`(?m)^[ #-]*`+name+`:`).MatchString(example) {
			t.Errorf("captiond.yaml does not mention %s of cameras", name)
		}
	}
	password := write(t, "s3cret\n")
	c, _, err := load(t, home(), "-c", write(t, strings.Replace(example, "/etc/captiond/front-door", password, 1)))
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultCamera()
	want.Name, want.URL, want.Username, want.Every = "front-door", "rtsp://192.0.2.10/stream1", "viewer", time.Second
	want.Password, want.PasswordFile = "s3cret", password
	want.Masks, want.Questions = []Mask{{0, 0, 0.25, 0.1}}, []Question{{"person", "is there a person?"}}
	if len(c.Cameras) != 1 || !c.Cameras[0].Equal(want) {
		t.Errorf("%+v, want %+v", c.Cameras, want)
	}
}

// camera is a list of one, with more keys.
func camera(more string) string { return "[{name: a, url: 'rtsp://h/', " + more + "}]" }

func TestDefaultsOfCameras(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, home(), "-c", write(t, "cameras: [{name: a, url: 'rtsp://h/'}, {name: b, url: 'rtsps://h:322/', window: 1m}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	a := Camera{
		Name: "a", URL: "rtsp://h/", Transport: "tcp", TLS: TLS{Verify: true},
		Window: 6 * time.Second, Every: time.Second, View: "crop", Gate: Gate{Enabled: true, Threshold: 0.02},
		Unchanged: time.Minute, Enabled: true,
	}
	b := a
	b.Name, b.URL, b.Window, b.Every = "b", "rtsps://h:322/", time.Minute, 10*time.Second
	if !c.Cameras[0].Equal(a) || !c.Cameras[1].Equal(b) || a.Equal(b) {
		t.Errorf("%+v", c.Cameras)
	}
}

func TestGoodCameras(t *testing.T) {
	t.Parallel()
	pin := strings.Repeat("0aF", 21) + "9" // 64 digits
	for more, want := range map[string]func(*Camera){
		"transport: udp, enabled: false":                        func(c *Camera) { c.Transport, c.Enabled = "udp", false },
		"username: u, password: '12345'":                        func(c *Camera) { c.Username, c.Password = "u", "12345" },
		"tls: {verify: false}":                                  func(c *Camera) { c.TLS.Verify = false },
		"url: 'rtsps://h/', tls: {fingerprint: '" + pin + "'}":  func(c *Camera) { c.URL, c.TLS.Fingerprint = "rtsps://h/", pin },
		"window: 2s, every: 500ms, unchanged: 1d":               func(c *Camera) { c.Window, c.Every, c.Unchanged = 2*time.Second, 500*time.Millisecond, 24*time.Hour },
		"view: squash":                                          func(c *Camera) { c.View = "squash" },
		"view: '0.1,0,0.9,1'":                                   func(c *Camera) { c.View = "0.1,0,0.9,1" },
		"masks: [[0, 0, 0.5, 1], {x: 0.5, y: 0, w: 0.5, h: 1}]": func(c *Camera) { c.Masks = []Mask{{0, 0, 0.5, 1}, {0.5, 0, 0.5, 1}} },
		"masks: [], questions: []":                              func(*Camera) {},
		"gate: {enabled: false, threshold: 1}":                  func(c *Camera) { c.Gate = Gate{false, 1} },
		"caption: git-base-coco, answer: git-base-vqav2":        func(c *Camera) { c.Caption, c.Answer = "git-base-coco", "git-base-vqav2" },
	} {
		w := DefaultCamera()
		w.Name, w.URL, w.Every = "a", "rtsp://h/", time.Second
		want(&w)
		list := camera(more)
		if strings.HasPrefix(more, "url") {
			list = "[{name: a, " + more + "}]"
		}
		c, _, err := load(t, home(), "-c", write(t, "cameras: "+list+"\n"))
		if err != nil || !c.Cameras[0].Equal(w) {
			t.Errorf("%s: %+v, %v, want %+v", more, c.Cameras, err, w)
		}
	}
}

const notURL = "cameras[0].url: must be a URL such as rtsp://192.0.2.10/stream1 (rtsp or rtsps)"

// badCameras says what is to be said about each list; FILE is the configuration's path.
var badCameras = map[string]string{
	"":                                   "cameras: has no value: give one, or remove the line (in FILE)",
	"{}":                                 "cameras: must be a list (in FILE)",
	"[front]":                            "cameras[0]: must be a section of keys (in FILE)",
	"[~, {name: a, url: 'rtsp://h/'}]":   "cameras[0]: must be a section of keys (in FILE)",
	"[{url: 'rtsp://h/'}]":               `cameras[0].name: must be 1 to 64 letters, digits, _ or -, not ""`,
	"[{name: a.b, url: 'rtsp://h/'}]":    `cameras[0].name: must be 1 to 64 letters, digits, _ or -, not "a.b" (from FILE)`,
	"[{name: 5, url: 'rtsp://h/'}]":      "cameras[0].name: must be text: put it in quotes (from FILE)",
	"[{name: , url: 'rtsp://h/'}]":       "cameras[0].name: has no value: give one, or remove the line (in FILE)",
	"[{name: job-1, url: 'rtsp://h/'}]":  "cameras[0].name: must not begin with job-, which other sources do (from FILE)",
	"[{name: file-1, url: 'rtsp://h/'}]": "cameras[0].name: must not begin with file-, which other sources do (from FILE)",
	"[{name: live-1, url: 'rtsp://h/'}]": "cameras[0].name: must not begin with live-, which other sources do (from FILE)",
	"[{name: a, url: 'rtsp://h/'}, 7, {name: a, url: 'rtsp://g/'}]": "cameras[1]: must be a section of keys (in FILE)\ncameras[2].name: cameras[0] is called \"a\", too",
	"[{name: a}]":                            notURL,
	"[{name: a, url: 'http://h/'}]":          notURL + " (from FILE)",
	"[{name: a, url: 'rtsp:///s'}]":          notURL + " (from FILE)",
	"[{name: a, url: 'rtsp://:554/s'}]":      notURL + " (from FILE)",
	"[{name: a, url: 'rtsp://h:65536/s'}]":   notURL + " (from FILE)",
	"[{name: a, url: 'rtsp://u:canary@h%'}]": notURL + " (from FILE)",
	"[{name: a, url: 'rtsp://u:canary@h/'}]": "cameras[0].url: must not hold a user or a password: give username, and password_file or password (from FILE)",
	"[{name: a, url: 'rtsp://canary@h/'}]":   "cameras[0].url: must not hold a user or a password: give username, and password_file or password (from FILE)",

	camera("gate: {treshold: 1}"):     "cameras[0].gate.treshold: no such key (in FILE)",
	camera("gate: true"):              "cameras[0].gate: must be a section of keys (in FILE)",
	camera("windows: 6s"):             "cameras[0].windows: no such key (in FILE)",
	camera("Window: 6s"):              "cameras[0].Window: no such key (in FILE)",
	camera("tls.verify: true"):        "cameras[0].tls.verify: no such key (in FILE)",
	camera("window: 6"):               "cameras[0].window: must be a duration with a unit, such as 90s or 7d (from FILE)",
	camera("window: 6h"):              "cameras[0].window: must be 1s to 10m0s, not 6h0m0s (from FILE)",
	camera("every: 7s"):               "cameras[0].every: must be 100ms to 6s, not 7s (from FILE)",
	camera("every: 0s"):               "cameras[0].every: must be 100ms to 6s, not 0s (from FILE)",
	camera("unchanged: 1ms"):          "cameras[0].unchanged: must be 1s to 24h0m0s, not 1ms (from FILE)",
	camera("transport: sctp"):         `cameras[0].transport: must be tcp or udp, not "sctp" (from FILE)`,
	camera("gate: {threshold: 2}"):    "cameras[0].gate.threshold: must be 0 to 1, not 2 (from FILE)",
	camera("gate: {threshold: .nan}"): "cameras[0].gate.threshold: must be 0 to 1, not NaN (from FILE)",
	camera("gate: {enabled: 1}"):      "cameras[0].gate.enabled: must be true or false (from FILE)",
	camera("enabled: yes"):            `cameras[0].enabled: must be true or false, not "yes" (from FILE)`,

	camera("password: canary"):                                     "cameras[0].password: needs username (from FILE)",
	camera("username: u, password: 12345"):                         "cameras[0].password: must be text: put it in quotes (from FILE)",
	camera("username: u, password: [canary]"):                      "cameras[0].password: must be text: put it in quotes (from FILE)",
	camera("username: u, password: {canary: 1}"):                   "cameras[0].password: must be a value, not a section (in FILE)",
	camera("username: u, password: {1: canary}"):                   "cameras[0].password: must be a value, not a section (in FILE)",
	camera("username: u, password: canary, password_file: /none"):  "cameras[0].password_file: the password is given as well: give one of them (from FILE)",
	camera("username: u, password_file: /none"):                    "cameras[0].password_file: open /none: no such file or directory (from FILE)",
	camera("username: u, password_file: testdata/good/empty.yaml"): "cameras[0].password_file: testdata/good/empty.yaml is empty (from FILE)",
	camera("username: u, password_file: camera_test.go"):           "cameras[0].password_file: camera_test.go is longer than a password: 4096 bytes at most (from FILE)",

	camera("tls: {fingerprint: abc}"):                                   "cameras[0].tls.fingerprint: must be the SHA-256 of a certificate: 64 hexadecimal digits, with or without colons (from FILE)",
	camera("tls: {fingerprint: '" + strings.Repeat("ab:", 31) + "ab'}"): "cameras[0].tls.fingerprint: is for rtsps:// alone: a camera at rtsp:// shows no certificate (from FILE)",

	camera("view: left"):                            `cameras[0].view: must be crop, squash, or x,y,w,h in parts of the picture, not "left" (from FILE)`,
	camera("view: '0,0,1'"):                         `cameras[0].view: must be crop, squash, or x,y,w,h in parts of the picture, not "0,0,1" (from FILE)`,
	camera("view: '0,0,1,1,'"):                      `cameras[0].view: must be crop, squash, or x,y,w,h in parts of the picture, not "0,0,1,1," (from FILE)`,
	camera("view: '1..2,0,1,1'"):                    `cameras[0].view: must be crop, squash, or x,y,w,h in parts of the picture, not "1..2,0,1,1" (from FILE)`,
	camera("view: '0,0,100,100'"):                   "cameras[0].view: must be 0 to 1, not 100 (from FILE)",
	camera("view: '0.5,0,0.9,1'"):                   "cameras[0].view: must end within the picture: x+w and y+h are 1 at most (from FILE)",
	camera("view: '0,0,0,1'"):                       "cameras[0].view: must be wider and higher than nothing (from FILE)",
	camera("masks: {}"):                             "cameras[0].masks: must be a list (in FILE)",
	camera("masks: [left]"):                         "cameras[0].masks[0]: must be [x, y, w, h] in parts of the picture (in FILE)",
	camera("masks: [[0, 0, 1]]"):                    "cameras[0].masks[0]: must be [x, y, w, h] in parts of the picture (in FILE)",
	camera("masks: [[0, 0, 1, a]]"):                 "cameras[0].masks[0]: must be [x, y, w, h] in parts of the picture (in FILE)",
	camera("masks: [[0, 0, 0, 0]]"):                 "cameras[0].masks[0]: must be wider and higher than nothing (in FILE)",
	camera("masks: [[0, 0, 2, 1]]"):                 "cameras[0].masks[0]: must be 0 to 1, not 2 (in FILE)",
	camera("masks: [[0, 0, 1, 1], [0.5, 0, 1, 1]]"): "cameras[0].masks[1]: must end within the picture: x+w and y+h are 1 at most (in FILE)",
	camera("masks: [{x: 0, y: 0, w: 1, hight: 1}]"): "cameras[0].masks[0].hight: no such key (in FILE)",
	camera("masks: [{x: 0, y: 0, w: 1}]"):           "cameras[0].masks[0]: must be wider and higher than nothing (in FILE)",
	camera("masks: [{x: 0, y: 0, w: 1, h: a}]"):     `cameras[0].masks[0].h: must be a number, not "a" (from FILE)`,

	camera("questions: what"):                                                         "cameras[0].questions: must be a list (in FILE)",
	camera("questions: [what]"):                                                       "cameras[0].questions[0]: must be a section of keys (in FILE)",
	camera("questions: [{name: q}]"):                                                  "cameras[0].questions[0].text: must not be empty",
	camera("questions: [{name: q, text: ' '}]"):                                       "cameras[0].questions[0].text: must not be empty (from FILE)",
	camera("questions: [{name: a b, text: t}]"):                                       `cameras[0].questions[0].name: must be 1 to 64 letters, digits, _ or -, not "a b" (from FILE)`,
	camera("questions: [{Name: q, text: t}]"):                                         "cameras[0].questions[0].Name: no such key (in FILE)\ncameras[0].questions[0].name: must be 1 to 64 letters, digits, _ or -, not \"\"",
	camera("questions: [{name: q, text: t, ask: 1}]"):                                 "cameras[0].questions[0].ask: no such key (in FILE)",
	camera("questions: [{name: q, text: a}, {name: r, text: b}, {name: q, text: b}]"): `cameras[0].questions[2].name: questions[0] is called "q", too`,

	"[{name: a, url: 'rtsp://h/', window: 6, gate: {treshold: 1}}, {name: a, url: h}]": "cameras[0].gate.treshold: no such key (in FILE)\n" +
		"cameras[0].window: must be a duration with a unit, such as 90s or 7d (from FILE)\n" +
		"cameras[1].url: must be a URL such as rtsp://192.0.2.10/stream1 (rtsp or rtsps) (from FILE)\n" +
		`cameras[1].name: cameras[0] is called "a", too`,
}

func TestBadCameras(t *testing.T) {
	t.Parallel()
	for yaml, want := range badCameras {
		file := write(t, "cameras: "+yaml+"\n")
		_, _, err := load(t, home(), "-c", file)
		if got := strings.ReplaceAll(fmt.Sprint(err), file, "FILE"); got != want { // and no password in it
			t.Errorf("%s:\n%s\nwant\n%s", yaml, got, want)
		}
	}
}

// A SIGHUP reads everything anew, as strictly, and tells who has changed.
func TestLoadAgain(t *testing.T) {
	t.Parallel()
	password := write(t, "first\r\n")
	text := "cameras: [{name: a, url: 'rtsp://h/', username: u, password_file: " + password + "}, {name: b, url: 'rtsp://h/'}]\n"
	file := write(t, text)
	fs := pflag.NewFlagSet("captiond", pflag.ContinueOnError)
	Flags(fs)
	if err := fs.Parse([]string{"-c", file, "--http", "127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	again := func(path, text string) (Config, error) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, _, err := Load(fs, home())
		return c, err
	}
	first, err := again(file, text)
	same, err2 := again(file, text)
	if err != nil || err2 != nil || !reflect.DeepEqual(first, same) || first.Cameras[0].Password != "first" || first.HTTP.Listen != "127.0.0.1:0" {
		t.Fatalf("%+v, %v, then %+v, %v", first, err, same, err2)
	}
	second, err := again(password, "sec ond \n\n")
	if err != nil || second.Cameras[0].Password != "sec ond \n" || second.Cameras[0].Equal(first.Cameras[0]) || !second.Cameras[1].Equal(first.Cameras[1]) {
		t.Errorf("%+v, %v", second.Cameras, err)
	}
	if c, err := again(file, text+"modle: {}\n"); err == nil || !reflect.DeepEqual(c, Config{}) {
		t.Errorf("%+v, %v", c, err)
	}
}

func FuzzLoad(f *testing.F) {
	reference, err := os.ReadFile("captiond.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(reference))
	f.Add(strings.ReplaceAll(string(reference), "\n# ", "\n"))
	for yaml := range badCameras {
		f.Add("cameras: " + yaml)
	}
	for _, yaml := range []string{"a: &a [*a]", "? [a]\n: b", "<<: {state: x}", "state: !!binary =", "{1: 2}", "- x", "state: 2026-01-01"} {
		f.Add(yaml)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "password_file") {
			return // it would read what it makes up
		}
		c, _, err := load(t, home(), "-c", write(t, text))
		if err == nil && c.Validate() != nil {
			t.Errorf("%v is loaded and not valid: %v", c, c.Validate())
		}
	})
}

// A camera that comes from elsewhere is judged as the file's are.
func TestProblems(t *testing.T) {
	t.Parallel()
	c := DefaultCamera()
	c.Name, c.URL, c.Every = "door", "rtsp://192.0.2.1/x", DefaultEvery(c.Window)
	for key, err := range c.Problems() {
		t.Errorf("a camera that is right: %s: %v", key, err)
	}
	c.Name, c.Window, c.Password = "job-1", 0, "secret"
	c.Masks = []Mask{{W: 1, H: 1}, {X: 0.5, W: 1, H: 1}}
	c.Questions = []Question{{"a", "b"}, {"a", " "}}
	var keys []string
	for key, err := range c.Problems() {
		keys = append(keys, key)
		if strings.Contains(err.Error(), "secret") {
			t.Error(err)
		}
	}
	want := []string{"name", "password", "window", "every", "masks[1]", "questions[1].text", "questions[1].name"}
	if !slices.Equal(keys, want) {
		t.Errorf("%q, want %q", keys, want)
	}
	for key, err := range c.Problems() {
		if key != "name" {
			t.Errorf("%s comes first: %v", key, err)
		}
		break // the others are not asked for
	}
}
