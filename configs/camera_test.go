package configs

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
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

// The camera of the reference names every key, and can be used.
func TestReferenceCamera(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("captiond.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(text), "\n# cameras:\n")
	example = regexp.MustCompile(`(?m)^# ?`).ReplaceAllString("# cameras:\n"+example, "")
	for _, k := range keysOf(reflect.ValueOf(DefaultCamera()), "", true) {
		name := k.path[strings.LastIndexByte(k.path, '.')+1:]
		if !found || !regexp.MustCompile(`(?m)^[ #-]*`+name+`:`).MatchString(example) {
			t.Errorf("captiond.yaml does not mention cameras.%s", k.path)
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

func TestBadCameras(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		"{}":      "cameras: must be a list (in FILE)",
		"[front]": "cameras[0]: must be a section of keys (in FILE)",
		"[{name: a, url: 'rtsp://h/', gate: {treshold: 1}}]":                                 "cameras[0].gate.treshold: no such key (in FILE)",
		"[{name: a, url: 'rtsp://h/', windows: 6s}]":                                         "cameras[0].windows: no such key (in FILE)",
		"[{name: a, url: 'rtsp://h/', window: 6}]":                                           "cameras[0].window: must be a duration with a unit, such as 90s or 7d (from FILE)",
		"[{name: a, url: 'rtsp://h/', window: 6h}]":                                          "cameras[0].window: must be 1s to 10m0s, not 6h0m0s (from FILE)",
		"[{name: a, url: 'rtsp://h/', every: 7s}]":                                           "cameras[0].every: must be 100ms to 6s, not 7s (from FILE)",
		"[{name: a.b, url: 'rtsp://h/'}]":                                                    `cameras[0].name: must be 1 to 64 letters, digits, _ or -, not "a.b" (from FILE)`,
		"[{name: job-1, url: 'rtsp://h/'}]":                                                  "cameras[0].name: must not begin with job-, which other sources do (from FILE)",
		"[{url: 'rtsp://h/'}]":                                                               `cameras[0].name: must be 1 to 64 letters, digits, _ or -, not ""`,
		"[{name: a}]":                                                                        "cameras[0].url: must be a URL such as rtsp://192.0.2.10/stream1 (rtsp or rtsps)",
		"[{name: a, url: 'http://h/'}]":                                                      "cameras[0].url: must be a URL such as rtsp://192.0.2.10/stream1 (rtsp or rtsps) (from FILE)",
		"[{name: a, url: 'rtsp://u:canary@h/'}]":                                             "cameras[0].url: must not hold a user or a password: give username, and password_file or password (from FILE)",
		"[{name: a, url: 'rtsp://h/', password: canary, password_file: /none}]":              "cameras[0].password_file: the password is given as well: give one of them",
		"[{name: a, url: 'rtsp://h/', password_file: /none}]":                                "cameras[0].password_file: open /none: no such file or directory",
		"[{name: a, url: 'rtsp://h/', transport: sctp}]":                                     `cameras[0].transport: must be tcp or udp, not "sctp" (from FILE)`,
		"[{name: a, url: 'rtsp://h/', tls: {fingerprint: abc}}]":                             "cameras[0].tls.fingerprint: must be the SHA-256 of a certificate: 64 hexadecimal digits, with or without colons (from FILE)",
		"[{name: a, url: 'rtsp://h/', view: left}]":                                          `cameras[0].view: must be crop, squash, or x,y,w,h in parts of the picture, not "left" (from FILE)`,
		"[{name: a, url: 'rtsp://h/', masks: [[0, 0, 1]]}]":                                  "cameras[0].masks[0]: must be [x, y, w, h] in parts of the picture",
		"[{name: a, url: 'rtsp://h/', masks: [[0, 0, 2, 1]]}]":                               "cameras[0].masks[0]: must be 0 to 1, not 2",
		"[{name: a, url: 'rtsp://h/', gate: {threshold: 2}}]":                                "cameras[0].gate.threshold: must be 0 to 1, not 2 (from FILE)",
		"[{name: a, url: 'rtsp://h/', gate: {enabled: 1}}]":                                  "cameras[0].gate.enabled: must be true or false (from FILE)",
		"[{name: a, url: 'rtsp://h/', questions: [{name: q}]}]":                              "cameras[0].questions[0].text: must not be empty",
		"[{name: a, url: 'rtsp://h/'}, {name: a, url: 'rtsp://g/'}]":                         `cameras[1].name: cameras[0] is called "a", too`,
		"[{name: a, url: 'rtsp://h/', questions: [{name: q, text: a}, {name: q, text: b}]}]": `cameras[0].questions[1].name: another question is called "q"`,
	} {
		t.Run(yaml, func(t *testing.T) {
			t.Parallel()
			file := write(t, "cameras: "+yaml+"\n")
			_, _, err := load(t, home(), "-c", file)
			if err == nil || strings.ReplaceAll(err.Error(), file, "FILE") != want { // and no password with it
				t.Errorf("%v\nwant %s", err, want)
			}
		})
	}
}

// No way of printing a configuration prints a password.
func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, home("CAPTIOND_NATS_PASSWORD=canary"), "-c",
		write(t, "cameras: [{name: a, url: 'rtsp://h/', username: u, password: canary}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Cameras[0].Password.Reveal() != "canary" || c.NATS.Password.Reveal() != "canary" {
		t.Fatal("the passwords did not arrive")
	}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), fmt.Sprintf("%q", c.NATS.Password)} {
		if strings.Contains(text, "canary") {
			t.Error(text)
		}
	}
}

// Beyond loopback the embedded server needs credentials.
func TestListenBeyondLoopback(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"listen", "websocket", "mqtt"} {
		open := fmt.Sprintf("nats: {%s: '0.0.0.0:9'}\n", key)
		if _, _, err := load(t, home(), "-c", write(t, open)); err == nil || !strings.HasPrefix(err.Error(), "nats."+key+": must be on the loopback") {
			t.Errorf("%s: %v", key, err)
		}
		if _, _, err := load(t, home("CAPTIOND_NATS_USERNAME=u", "CAPTIOND_NATS_PASSWORD=p"), "-c", write(t, open)); err != nil {
			t.Errorf("%s with a password: %v", key, err)
		}
	}
}
