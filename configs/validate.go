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

type problems []problem

func (ps *problems) check(path string, err error) {
	if err != nil {
		*ps = append(*ps, problem{path, err})
	}
}

// Validate returns every problem joined, each beginning with its key. Of the cameras
// only the names are compared: Load judges each.
func (c Config) Validate() error {
	var errs []error
	for _, p := range c.problems() {
		errs = append(errs, p)
	}
	return errors.Join(errs...)
}

func (c Config) problems() (ps problems) {
	if c.State == "" {
		ps.check("state", errors.New("name a folder: STATE_DIRECTORY, XDG_STATE_HOME and HOME are not set either"))
	}
	c.Model.check(&ps)
	c.NATS.check(&ps)
	ps.check("decode.max_pixels", atLeast(int64(c.Decode.MaxPixels), 1, "1"))
	// With less the decoder's threads and Go's own reservations do not fit.
	ps.check("decode.memory", atLeast(int64(c.Decode.Memory), 2<<30, "2GiB"))
	ps.check("decode.sandbox", oneOf(c.Decode.Sandbox, "strict", "weak"))
	ps.check("decode.spool", atLeast(int64(c.Decode.Spool), 1<<20, "1MiB"))
	ps.check("decode.spool_time", atLeast(int64(c.Decode.SpoolTime), int64(time.Second), "1s"))
	ps.check("log.format", oneOf(c.Log.Format, "text", "json"))
	ps.check("outbox.max_bytes", atLeast(int64(c.Outbox.MaxBytes), 1<<20, "1MiB"))
	ps.check("outbox.max_age", atLeast(int64(c.Outbox.MaxAge), int64(time.Minute), "1m"))
	ps.check("ring.length", atLeast(int64(c.Ring.Length), int64(time.Second), "1s"))
	ps.check("ring.max_bytes", atLeast(int64(c.Ring.MaxBytes), 1<<20, "1MiB"))
	c.HTTP.check(&ps)
	c.checkClients(&ps)
	var names []string
	for _, camera := range c.Cameras {
		names = append(names, camera.Name)
	}
	return append(ps, unique("cameras", names)...)
}

// check: whether there is a token for what listens beyond loopback is seen at the start.
func (h HTTP) check(ps *problems) {
	ps.check("http.listen", listens(h.Listen, true, ""))
	for name := range strings.SplitSeq(h.Hosts, ",") {
		ps.check("http.hosts", hostName(strings.TrimSpace(name)))
	}
	switch {
	case h.CertFile != "" && h.KeyFile == "":
		ps.check("http.cert_file", errors.New("needs http.key_file"))
	case h.KeyFile != "" && h.CertFile == "":
		ps.check("http.key_file", errors.New("needs http.cert_file"))
	}
}

// checkClients is about what clients send and ask.
func (c Config) checkClients(ps *problems) {
	ps.check("uploads.max_bytes", atLeast(int64(c.Uploads.MaxBytes), 1<<20, "1MiB"))
	ps.check("uploads.retention", atLeast(int64(c.Uploads.Retention), int64(time.Minute), "1m"))
	ps.check("jobs.workers", atLeast(int64(c.Jobs.Workers), 0, "0"))
	ps.check("jobs.queue", atLeast(int64(c.Jobs.Queue), 1, "1"))
	ps.check("jobs.attempts", atLeast(int64(c.Jobs.Attempts), 1, "1"))
	ps.check("jobs.patience", atLeast(int64(c.Jobs.Patience), int64(time.Second), "1s"))
	ps.check("answers.memory", atLeast(int64(c.Answers.Memory), 1<<20, "1MiB"))
	ps.check("answers.at_once", atLeast(int64(c.Answers.AtOnce), 1, "1"))
	ps.check("answers.waiting", atLeast(int64(c.Answers.Waiting), 0, "0"))
	ps.check("answers.max_bytes", atLeast(int64(c.Answers.MaxBytes), 1<<20, "1MiB"))
	ps.check("reach.videos", oneOf(c.Reach.Videos, "public", "local", "any"))
	ps.check("reach.cameras", oneOf(c.Reach.Cameras, "public", "local", "any"))
}

// hostName is as clients write it: without a port. "" is none.
func hostName(s string) error {
	if s != "" && !regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`).MatchString(s) {
		return fmt.Errorf("must be names such as captiond.example.org, separated by commas, not %q", s)
	}
	return nil
}

func (m Model) check(ps *problems) {
	ps.check("model.caption", notEmpty(m.Caption))
	ps.check("model.answer", notEmpty(m.Answer))
	ps.check("model.device", oneOf(m.Device, "auto", "cpu", "cuda"))
	ps.check("model.precision", oneOf(m.Precision, "float32", "int8", "float16"))
	ps.check("model.transform", oneOf(m.Transform, "huggingface", "microsoft", "microsoft-vqa"))
	ps.check("model.threads", atLeast(int64(m.Threads), 0, "0"))
}

func (n NATS) check(ps *problems) {
	for _, part := range n.URL.parts() {
		ps.check("nats.url", natsURL(part))
	}
	password := n.Password != "" || n.PasswordFile != ""
	guarded := n.Username != "" && password
	if n.Username != "" && !guarded {
		ps.check("nats.username", errors.New("needs nats.password_file or nats.password"))
	}
	if password && !guarded {
		ps.check(passwordKey("nats.", n.PasswordFile), errors.New("needs nats.username"))
	}
	const open = ", unless nats.username and nats.password_file are set"
	ps.check("nats.listen", notEmpty(n.Listen))
	ps.check("nats.listen", listens(n.Listen, guarded, open))
	ps.check("nats.websocket", listens(n.WebSocket, guarded, open))
	ps.check("nats.mqtt", listens(n.MQTT, guarded, open))
	ps.check("nats.prefix", subjectToken(n.Prefix))
	ps.check("nats.retention", atLeast(int64(n.Retention), int64(time.Minute), "1m"))
	ps.check("nats.max_bytes", atLeast(int64(n.MaxBytes), 1<<20, "1MiB"))
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

// passwordKey is the one of the two by which a password was given.
func passwordKey(prefix, file string) string {
	if file != "" {
		return prefix + "password_file"
	}
	return prefix + "password"
}

// listens: nothing listens beyond this machine without credentials. Where there are none,
// why ends the refusal. "" listens nowhere.
func listens(address string, guarded bool, why string) error {
	if address == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
		return fmt.Errorf("must be an address and a port, such as 127.0.0.1:4222, not %q", address)
	}
	if !guarded && host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return fmt.Errorf("must be on the loopback interface, such as 127.0.0.1:%s, not %q%s", port, address, why)
	}
	return nil
}

func subjectToken(s string) error {
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`).MatchString(s) {
		return fmt.Errorf("must be 1 to 64 letters, digits, _ or -, not %q", s)
	}
	return nil
}
