package configs

import (
	"fmt"
	"strings"
	"testing"
)

// Beyond loopback the embedded server needs credentials, and the HTTP server has none.
func TestListenBeyondLoopback(t *testing.T) {
	t.Parallel()
	with := home("CAPTIOND_NATS_USERNAME=u", "CAPTIOND_NATS_PASSWORD=p")
	for key, why := range map[string]string{
		"nats.listen":    ", unless nats.username and nats.password_file are set",
		"nats.websocket": ", unless nats.username and nats.password_file are set",
		"nats.mqtt":      ", unless nats.username and nats.password_file are set",
		"http.listen":    ": the HTTP server asks for no password",
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
