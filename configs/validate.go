package configs

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A problem is what is wrong with one key.
type problem struct {
	path string
	err  error
}

func (p problem) Error() string { return p.path + ": " + p.err.Error() }

func (p problem) Unwrap() error { return p.err }

// Validate returns every problem joined, each beginning with its key.
func (c Config) Validate() error {
	var errs []error
	for _, p := range c.problems() {
		errs = append(errs, p)
	}
	return errors.Join(errs...)
}

func (c Config) problems() (ps []problem) {
	check := func(path string, err error) {
		if err != nil {
			ps = append(ps, problem{path, err})
		}
	}
	if c.State == "" {
		check("state", errors.New("name a folder: STATE_DIRECTORY, XDG_STATE_HOME and HOME are not set either"))
	}
	c.Model.check(check)
	c.NATS.check(check)
	check("decode.max_pixels", atLeast(int64(c.Decode.MaxPixels), 1, "1"))
	// With less the decoder's threads and Go's own reservations do not fit.
	check("decode.memory", atLeast(int64(c.Decode.Memory), 2<<30, "2GiB"))
	check("decode.sandbox", oneOf(c.Decode.Sandbox, "strict", "weak"))
	check("decode.spool", atLeast(int64(c.Decode.Spool), 1<<20, "1MiB"))
	check("decode.spool_time", atLeast(int64(c.Decode.SpoolTime), int64(time.Second), "1s"))
	check("log.format", oneOf(c.Log.Format, "text", "json"))
	check("outbox.max_bytes", atLeast(int64(c.Outbox.MaxBytes), 1<<20, "1MiB"))
	check("outbox.max_age", atLeast(int64(c.Outbox.MaxAge), int64(time.Minute), "1m"))
	check("ring.length", atLeast(int64(c.Ring.Length), int64(time.Second), "1s"))
	check("ring.max_bytes", atLeast(int64(c.Ring.MaxBytes), 1<<20, "1MiB"))
	if c.HTTP.Listen != "" {
		check("http.listen", listens(c.HTTP.Listen, false))
	}
	return append(ps, uniqueCameras(c.Cameras)...)
}

func (m Model) check(check func(string, error)) {
	check("model.caption", notEmpty(m.Caption))
	check("model.answer", notEmpty(m.Answer))
	check("model.device", oneOf(m.Device, "auto", "cpu", "cuda"))
	check("model.precision", oneOf(m.Precision, "float32"))
	check("model.transform", oneOf(m.Transform, "huggingface", "microsoft", "microsoft-vqa"))
	check("model.threads", atLeast(int64(m.Threads), 0, "0"))
}

func (n NATS) check(check func(string, error)) {
	for _, part := range n.URL.parts() {
		check("nats.url", natsURL(part))
	}
	guarded := n.Username != "" && n.Password != ""
	check("nats.listen", listens(n.Listen, guarded))
	if n.WebSocket != "" {
		check("nats.websocket", listens(n.WebSocket, guarded))
	}
	if n.MQTT != "" {
		check("nats.mqtt", listens(n.MQTT, guarded))
	}
	check("nats.prefix", subjectToken(n.Prefix))
	check("nats.retention", atLeast(int64(n.Retention), int64(time.Minute), "1m"))
	check("nats.max_bytes", atLeast(int64(n.MaxBytes), 1<<20, "1MiB"))
}

func notEmpty(s string) error {
	if s == "" {
		return errors.New("must not be empty")
	}
	return nil
}

func oneOf(s string, allowed ...string) error {
	if slices.Contains(allowed, s) {
		return nil
	}
	return fmt.Errorf("must be %s, not %q", strings.Join(allowed, " or "), s)
}

func atLeast(n, least int64, text string) error {
	if n < least {
		return fmt.Errorf("must be at least %s", text)
	}
	return nil
}

// natsURL never repeats the URL: it may hold a password.
func natsURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
		return errors.New("must be a URL such as nats://host:4222 (nats, tls, ws or wss)")
	}
	return nil
}

// listens: nothing listens beyond this machine without credentials.
func listens(address string, guarded bool) error {
	host, port, err := net.SplitHostPort(address)
	n, portErr := strconv.Atoi(port)
	if err != nil || portErr != nil || n < 0 || n > 65535 {
		return fmt.Errorf("must be an address and a port, such as 127.0.0.1:4222, not %q", address)
	}
	if ip := net.ParseIP(host); !guarded && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("must be on the loopback interface, such as 127.0.0.1:4222, not %q, where no username and password are asked for", address)
	}
	return nil
}

func subjectToken(s string) error {
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`).MatchString(s) {
		return fmt.Errorf("must be 1 to 64 letters, digits, _ or -, not %q", s)
	}
	return nil
}
