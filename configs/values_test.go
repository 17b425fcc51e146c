package configs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Size{"0B": 0, "7B": 7, "512MiB": 512 << 20, "3 GiB": 3 << 30, "500MB": 500e6, "1TiB": 1 << 40} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
		if back, err := ParseSize(got.String()); err != nil || back != got {
			t.Errorf("%s prints as %s", text, got)
		}
	}
	for _, text := range []string{"", "5", "1.5GiB", "-1MiB", "MiB", "9999999TiB", "1gib"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	for _, u := range []URL{"nats://anna:hunter2@h:1", "nats://h:1, nats://anna:hunter2@i:1", "nats://hunter2@h:1", "nats://a:hunter2@h:%zz"} {
		c := Default()
		c.NATS.URL = u
		var log bytes.Buffer
		l := slog.New(slog.NewJSONHandler(&log, nil))
		l.Info("x", "config", c, "url", c.NATS.URL)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", c, "url", c.NATS.URL)
		js, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		all := fmt.Sprintf("%v %+v %#v %s %s %v", c, c, c, log.String(), js, c.Validate())
		if strings.Contains(all, "hunter2") {
			t.Errorf("%s: %s", u, all)
		}
		if u.Reveal() != string(u) {
			t.Error("Reveal hides")
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"1GiB", "0B", "9223372036854775807B", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseSize(text)
		if err != nil {
			return
		}
		if back, err := ParseSize(n.String()); n < 0 || err != nil || back != n {
			t.Errorf("%q is %d, prints as %s", text, n, n)
		}
	})
}
