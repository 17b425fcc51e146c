package configs

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// Camera is a live source. Two that are equal are asked for the same.
type Camera struct {
	Name         string        `mapstructure:"name"`          // the source of its events: 1 to 64 letters, digits, _ or -
	URL          URL           `mapstructure:"url"`           // rtsp:// or rtsps://, without user and password
	Username     string        `mapstructure:"username"`      //
	Password     Secret        `mapstructure:"password"`      // or in a file
	PasswordFile string        `mapstructure:"password_file"` // read when the configuration is
	Transport    string        `mapstructure:"transport"`     // tcp, or udp: tcp where nothing comes by it
	TLS          TLS           `mapstructure:"tls"`
	Window       time.Duration `mapstructure:"window"` // length, 1s to 10m
	Every        time.Duration `mapstructure:"every"`  // stride, 100ms to the length; 0 is a sixth of it
	View         string        `mapstructure:"view"`   // crop, squash, or x,y,w,h in parts of the picture
	Masks        []Mask        `mapstructure:"masks"`
	Questions    []Question    `mapstructure:"questions"`
	Gate         Gate          `mapstructure:"gate"`
	Unchanged    time.Duration `mapstructure:"unchanged"` // between heartbeats while nothing new is said, 1s at least
	Caption      string        `mapstructure:"caption"`   // checkpoint; empty is model.caption
	Answer       string        `mapstructure:"answer"`    // checkpoint; empty is model.answer
	Enabled      bool          `mapstructure:"enabled"`
}

// TLS says how the certificate of an rtsps:// camera is judged.
type TLS struct {
	Verify      bool   `mapstructure:"verify"`      // as browsers do; ignored with a fingerprint
	Fingerprint string `mapstructure:"fingerprint"` // SHA-256 of the one certificate that is right, in hex
}

// Mask is a rectangle in parts of the picture that nobody is to see. It is written [x, y, w, h].
type Mask struct{ X, Y, W, H float64 }

// Question is a standing question.
type Question struct {
	Name string `mapstructure:"name"`
	Text string `mapstructure:"text"`
}

// Gate keeps still pictures from the model.
type Gate struct {
	Enabled   bool    `mapstructure:"enabled"`
	Threshold float64 `mapstructure:"threshold"` // part of the picture that must change, 0 to 1
}

// DefaultCamera is a camera of which only name and url are missing.
func DefaultCamera() Camera {
	return Camera{
		Transport: "tcp", TLS: TLS{Verify: true}, Window: 6 * time.Second, View: "crop",
		Gate: Gate{Enabled: true, Threshold: 0.02}, Unchanged: time.Minute, Enabled: true,
	}
}

// Equal says whether two cameras are asked for the same.
func (c Camera) Equal(d Camera) bool { return reflect.DeepEqual(c, d) }

// A Secret does not print.
type Secret string

const hidden = "xxxxx"

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String hides it.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides it from %#v, too.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText hides it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// cameras takes the list of a file: lists have no flags and no variables.
func (l *loader) cameras(list any, name string) (cameras []Camera) {
	if list == nil {
		return nil
	}
	items, ok := list.([]any)
	if !ok {
		l.problem("cameras: must be a list (in %s)", name)
		return nil
	}
	for i, item := range items {
		at := fmt.Sprintf("cameras[%d]", i)
		m, ok := item.(map[string]any)
		if !ok {
			l.problem("%s: must be a section of keys (in %s)", at, name)
			continue
		}
		cameras = append(cameras, l.camera(m, at, name))
	}
	return cameras
}

// camera reads one, as a configuration of its own.
func (l *loader) camera(m map[string]any, at, name string) Camera {
	inner := newLoader()
	known := map[string]bool{}
	for _, k := range keysOf(reflect.ValueOf(DefaultCamera()), "", true) {
		known[k.path] = true
		section, _, _ := strings.Cut(k.path, ".")
		known[section] = known[section] || section == k.path
	}
	inner.section(m, "", name, known)
	c := DefaultCamera()
	inner.decode(&c)
	if c.Every == 0 {
		c.Every = (c.Window / 6).Truncate(time.Millisecond)
	}
	c.Password = secret(c.Password, c.PasswordFile, func(err error) { inner.problem("password_file: %w", err) })
	inner.problems = append(inner.problems, inner.explain(c.problems())...)
	for _, p := range inner.problems {
		l.problem("%s.%w", at, p)
	}
	return c
}

// secret is the one given, or that in the file.
func secret(given Secret, file string, problem func(error)) Secret {
	if file == "" {
		return given
	}
	if given != "" {
		problem(errors.New("the password is given as well: give one of them"))
		return given
	}
	b, err := os.ReadFile(file)
	if err != nil {
		problem(err)
	}
	return Secret(strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"))
}

func (c Camera) problems() (ps []problem) {
	check := func(path string, err error) {
		if err != nil {
			ps = append(ps, problem{path, err})
		}
	}
	check("name", sourceName(c.Name))
	check("url", cameraURL(c.URL))
	check("transport", oneOf(c.Transport, "tcp", "udp"))
	check("tls.fingerprint", fingerprint(c.TLS.Fingerprint))
	check("window", within(c.Window, time.Second, 10*time.Minute))
	check("every", within(c.Every, 100*time.Millisecond, max(c.Window, 100*time.Millisecond)))
	check("view", view(c.View))
	check("unchanged", within(c.Unchanged, time.Second, 24*time.Hour))
	check("gate.threshold", part(c.Gate.Threshold))
	for i, m := range c.Masks {
		if m == (Mask{}) {
			continue // it could not be read, which has been said
		}
		check(fmt.Sprintf("masks[%d]", i), m.check())
	}
	names := map[string]bool{}
	for i, q := range c.Questions {
		at := fmt.Sprintf("questions[%d]", i)
		check(at+".name", subjectToken(q.Name))
		check(at+".text", notEmpty(q.Text))
		if names[q.Name] {
			check(at+".name", fmt.Errorf("another question is called %q", q.Name))
		}
		names[q.Name] = true
	}
	return ps
}

// uniqueCameras: the name is a camera's source, and its subject.
func uniqueCameras(cameras []Camera) (ps []problem) {
	first := map[string]int{}
	for i, c := range cameras {
		if j, taken := first[c.Name]; taken && c.Name != "" {
			ps = append(ps, problem{fmt.Sprintf("cameras[%d].name", i), fmt.Errorf("cameras[%d] is called %q, too", j, c.Name)})
			continue
		}
		first[c.Name] = i
	}
	return ps
}

func sourceName(s string) error {
	for _, prefix := range []string{"job-", "file-", "live-"} {
		if strings.HasPrefix(s, prefix) {
			return fmt.Errorf("must not begin with %s, which other sources do", prefix)
		}
	}
	return subjectToken(s)
}

// cameraURL never repeats the URL: it may hold a password.
func cameraURL(u URL) error {
	parsed, err := url.Parse(u.Reveal())
	switch {
	case err != nil || parsed.Host == "" || parsed.Scheme != "rtsp" && parsed.Scheme != "rtsps":
		return errors.New("must be a URL such as rtsp://192.0.2.10/stream1 (rtsp or rtsps)")
	case parsed.User != nil:
		return errors.New("must not hold a user or a password: give username, and password_file or password")
	}
	return nil
}

func fingerprint(s string) error {
	if s != "" && !regexp.MustCompile(`^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$`).MatchString(s) {
		return errors.New("must be the SHA-256 of a certificate: 64 hexadecimal digits, with or without colons")
	}
	return nil
}

func within(d, least, most time.Duration) error {
	if d < least || d > most {
		return fmt.Errorf("must be %v to %v, not %v", least, most, d)
	}
	return nil
}

// view is checked in full by the model; here only its form is.
func view(s string) error {
	if s == "crop" || s == "squash" || regexp.MustCompile(`^[0-9.]+(,[0-9.]+){3}$`).MatchString(s) {
		return nil
	}
	return fmt.Errorf("must be crop, squash, or x,y,w,h in parts of the picture, not %q", s)
}

func part(f float64) error {
	if !(f >= 0 && f <= 1) {
		return fmt.Errorf("must be 0 to 1, not %v", f)
	}
	return nil
}

func (m Mask) check() error {
	for _, f := range []float64{m.X, m.Y, m.W, m.H} {
		if err := part(f); err != nil {
			return err
		}
	}
	if m.W == 0 || m.H == 0 {
		return errors.New("must be wider and higher than nothing")
	}
	return nil
}

// parseMask reads [x, y, w, h].
func parseMask(list []any) (Mask, error) {
	var f [4]float64
	for i, v := range list {
		n, ok := number(v)
		if !ok || i >= len(f) {
			return Mask{}, wanted(reflect.TypeFor[Mask]())
		}
		f[i] = n
	}
	if len(list) != len(f) {
		return Mask{}, wanted(reflect.TypeFor[Mask]())
	}
	return Mask{f[0], f[1], f[2], f[3]}, nil
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
