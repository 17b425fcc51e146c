package configs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// printed is a value by every way of printing.
func printed(t *testing.T, v any) string {
	t.Helper()
	var all bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t", "%5.2f", "%U"} {
		fmt.Fprintf(&all, verb+"\n", v)
		fmt.Fprintf(&all, verb+"\n", &v)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&all, nil), slog.NewJSONHandler(&all, nil)} {
		slog.New(h).Info("x", "value", v, slog.Group("in", "it", v))
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		text, err := marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// No way of printing prints a password, of what Load gives or what it refuses.
func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, home("CAPTIOND_NATS_USERNAME=u", "CAPTIOND_NATS_PASSWORD=canary", "CAPTIOND_NATS_URL=nats://u:canary@h:1"), "-c",
		write(t, "cameras: [{name: a, url: 'rtsp://h/', username: u, password: canary}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Cameras[0].Password.Reveal() != "canary" || c.NATS.Password.Reveal() != "canary" {
		t.Fatal("the passwords did not arrive")
	}
	for _, u := range []URL{"rtsp://u:canary@h/", "rtsp://canary@h/", "rtsp://u:can,canary@h/", "rtsp://u:canary@h:%zz"} {
		c.Cameras[0].URL = u
		for _, v := range []any{c, c.Cameras[0], c.Cameras[0].Password, u} {
			text := printed(t, v)
			if strings.Contains(text, "canary") || strings.Contains(text, "63616e617279") || !strings.Contains(text, hidden) && v != any(u) {
				t.Error(text)
			}
		}
	}
	if text := fmt.Sprintf("%v|%#v|%v", Secret(""), Secret("x"), Secret("x")); text != `|"xxxxx"|xxxxx` {
		t.Error(text)
	}
}

// A password that YAML takes for something else, or a file that is the password itself.
func TestErrorsDoNotQuotePasswords(t *testing.T) {
	t.Parallel()
	const quotes = " (text that begins with *, &, !, { or [ must be in quotes)"
	for text, want := range map[string]string{
		"canary\n":                       "it must be keys and their values",
		"[canary]\n":                     "it must be keys and their values",
		"nats: {password: *canary}":      "yaml: unknown anchor referenced" + quotes,
		"nats: {password: !!int canary}": "yaml: cannot decode !!str as a !!int" + quotes,
		"nats: {password: {{canary}}}":   "yaml: invalid map key" + quotes,
		"nats: {password: @canary}":      "yaml: found character that cannot start any token",
	} {
		file := write(t, text)
		_, _, err := load(t, home(), "-c", file)
		if got := strings.ReplaceAll(fmt.Sprint(err), file+": ", ""); got != "read configuration "+want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
