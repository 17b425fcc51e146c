package configs

import (
	"fmt"
	"strings"
	"testing"
)

// Beyond loopback the embedded server needs credentials. Whether the HTTP server has tokens is
// seen where it begins to listen.
func TestListenBeyondLoopback(t *testing.T) {
	t.Parallel()
	with := home("CAPTIOND_NATS_USERNAME=u", "CAPTIOND_NATS_PASSWORD=p")
	for key, why := range map[string]string{
		"nats.listen":    ", unless nats.username and nats.password_file are set",
		"nats.websocket": ", unless nats.username and nats.password_file are set",
		"nats.mqtt":      ", unless nats.username and nats.password_file are set",
	} {
		for _, address := range []string{"0.0.0.0:90", ":90", "192.0.2.1:90", "[::]:90", "example.org:90"} {
			flag := "--" + strings.ReplaceAll(key, ".", "-")
			want := fmt.Sprintf("%s: must be on the loopback interface, such as 127.0.0.1:90, not %q%s (from %s)", key, address, why, flag)
			if _, _, err := load(t, home(), flag, address); fmt.Sprint(err) != want {
				t.Errorf("%v\nwant %s", err, want)
			}
			if _, _, err := load(t, with, flag, address); (err == nil) != strings.HasPrefix(key, "nats") {
				t.Errorf("%s %s with a password: %v", key, address, err)
			}
		}
		for _, address := range []string{"127.0.0.1:0", "127.8.8.8:90", "[::1]:90", "localhost:90"} {
			if _, _, err := load(t, home(), "--"+strings.ReplaceAll(key, ".", "-"), address); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:90", "[::]:90", "example.org:90", "127.0.0.1:0"} {
		if _, _, err := load(t, home(), "--http", address); err != nil {
			t.Error(err)
		}
	}
	for _, tt := range []struct{ yaml, want string }{
		{"{listen: nowhere}", `http.listen: must be an address and a port, such as 127.0.0.1:4222, not "nowhere" (from FILE)`},
		{"{hosts: 'a.example,b c'}", `http.hosts: must be names such as captiond.example.org, separated by commas, not "b c" (from FILE)`},
		{"{hosts: 'https://a.example'}", `http.hosts: must be names such as captiond.example.org, separated by commas, not "https://a.example" (from FILE)`},
		{"{cert_file: a.pem}", "http.cert_file: needs http.key_file (from FILE)"},
		{"{key_file: a.pem}", "http.key_file: needs http.cert_file (from FILE)"},
	} {
		at := write(t, "http: "+tt.yaml+"\n")
		if _, _, err := load(t, home(), "-c", at); strings.ReplaceAll(fmt.Sprint(err), at, "FILE") != tt.want {
			t.Errorf("%v\nwant %s", err, tt.want)
		}
	}
	if _, _, err := load(t, home(), "-c", write(t, "http: {hosts: 'a.example, b', cert_file: a, key_file: b}\n")); err != nil {
		t.Error(err)
	}
}

// What clients send and ask has bounds that are bounds.
func TestClients(t *testing.T) {
	t.Parallel()
	at := write(t, `uploads: {max_bytes: 1KiB, retention: 1s}
jobs: {workers: -1, queue: 0, attempts: 0, patience: 1ms}
answers: {memory: 1B, at_once: 0, waiting: -1, max_bytes: 1B}
reach: {videos: home, cameras: ""}
`)
	_, _, err := load(t, home(), "-c", at)
	for _, want := range []string{
		"uploads.max_bytes: must be at least 1MiB", "uploads.retention: must be at least 1m",
		"jobs.workers: must be at least 0", "jobs.queue: must be at least 1", "jobs.attempts: must be at least 1", "jobs.patience: must be at least 1s",
		"answers.memory: must be at least 1MiB", "answers.at_once: must be at least 1", "answers.waiting: must be at least 0", "answers.max_bytes: must be at least 1MiB",
		`reach.videos: must be public or local or any, not "home"`, `reach.cameras: must be public or local or any, not ""`,
	} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
}

func TestListenNowhere(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, home(), "-c", write(t, "http: {listen: ''}\nnats: {websocket: '', mqtt: ''}\n"))
	if err != nil || c.HTTP.Listen != "" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, _, err := load(t, home(), "-c", write(t, "nats: {listen: ''}\n")); err == nil {
		t.Error("the embedded server has no address")
	}
}

// Half a pair of credentials would guard nothing.
func TestCredentialsOfNATS(t *testing.T) {
	t.Parallel()
	file := write(t, "s3cret\n")
	for _, tt := range []struct{ yaml, want string }{
		{"{username: u}", "nats.username: needs nats.password_file or nats.password (from FILE)"},
		{"{password: p}", "nats.password: needs nats.username (from FILE)"},
		{"{password_file: " + file + "}", "nats.password_file: needs nats.username (from FILE)"},
		{"{username: u, password_file: /none, listen: ':1'}", "nats.password_file: open /none: no such file or directory (from FILE)"},
		{"{username: u, password: p, password_file: " + file + "}", "nats.password_file: the password is given as well: give one of them (from FILE)"},
	} {
		at := write(t, "nats: "+tt.yaml+"\n")
		if _, _, err := load(t, home(), "-c", at); strings.ReplaceAll(fmt.Sprint(err), at, "FILE") != tt.want {
			t.Errorf("%v\nwant %s", err, tt.want)
		}
	}
	c, _, err := load(t, home(), "-c", write(t, "nats: {username: u, password_file: "+file+"}\n"))
	if err != nil || c.NATS.Password.Reveal() != "s3cret" {
		t.Errorf("%+v, %v", c, err)
	}
}
