package configs

import (
	"errors"
	"fmt"
	"iter"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
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
	Every        time.Duration `mapstructure:"every"`  // stride, 100ms to the length; a sixth of it where none is given
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

// Mask is a rectangle in parts of the picture, from its upper left corner, that nobody is
// to see. It is written [x, y, w, h].
type Mask struct {
	X float64 `mapstructure:"x"`
	Y float64 `mapstructure:"y"`
	W float64 `mapstructure:"w"`
	H float64 `mapstructure:"h"`
}

// Question is a standing question: it is asked about every window.
type Question struct {
	Name string `mapstructure:"name"` // of its answers: 1 to 64 letters, digits, _ or -, once in a camera
	Text string `mapstructure:"text"`
}

// Gate keeps still pictures from the model.
type Gate struct {
	Enabled   bool    `mapstructure:"enabled"`
	Threshold float64 `mapstructure:"threshold"` // part of the picture that must change, 0 to 1
}

// DefaultCamera is a camera of which only name, url and every are missing.
func DefaultCamera() Camera {
	return Camera{
		Transport: "tcp", TLS: TLS{Verify: true}, Window: 6 * time.Second, View: "crop",
		Gate: Gate{Enabled: true, Threshold: 0.02}, Unchanged: time.Minute, Enabled: true,
	}
}

// DefaultEvery is the stride of a camera with such windows where none is given.
func DefaultEvery(window time.Duration) time.Duration { return (window / 6).Truncate(time.Millisecond) }

// Problems yields what is wrong with a camera that comes from elsewhere than the file, each with
// its key, in the words that Load has for the file's.
func (c Camera) Problems() iter.Seq2[string, error] {
	ps := c.problems()
	for i, m := range c.Masks {
		ps.check(fmt.Sprintf("masks[%d]", i), m.check())
	}
	var asked []string
	for i, q := range c.Questions {
		for _, p := range q.problems() {
			ps.check(fmt.Sprintf("questions[%d].%s", i, p.path), p.err)
		}
		asked = append(asked, q.Name)
	}
	ps = append(ps, unique("questions", asked)...)
	return func(yield func(string, error) bool) {
		for _, p := range ps {
			if !yield(p.path, p.err) {
				return
			}
		}
	}
}

// Equal says whether two cameras are asked for the same.
func (c Camera) Equal(d Camera) bool { return reflect.DeepEqual(c, d) }

func (c Camera) problems() (ps problems) {
	ps.check("name", sourceName(c.Name))
	ps.check("url", cameraURL(c.URL))
	if c.Username == "" && (c.Password != "" || c.PasswordFile != "") {
		ps.check(passwordKey("", c.PasswordFile), errors.New("needs username"))
	}
	ps.check("transport", oneOf(c.Transport, "tcp", "udp"))
	ps.check("tls.fingerprint", fingerprint(c.TLS.Fingerprint, c.URL))
	ps.check("window", within(c.Window, time.Second, 10*time.Minute))
	ps.check("every", within(c.Every, 100*time.Millisecond, max(c.Window, 100*time.Millisecond)))
	ps.check("view", view(c.View))
	ps.check("gate.threshold", part(c.Gate.Threshold))
	ps.check("unchanged", within(c.Unchanged, time.Second, 24*time.Hour))
	return ps
}

func (q Question) problems() (ps problems) {
	ps.check("name", subjectToken(q.Name))
	ps.check("text", notEmpty(strings.TrimSpace(q.Text)))
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
	case err != nil || parsed.Hostname() == "" || !isPort(parsed.Port()) || parsed.Scheme != "rtsp" && parsed.Scheme != "rtsps":
		return errors.New("must be a URL such as rtsp://192.0.2.10/stream1 (rtsp or rtsps)")
	case parsed.User != nil:
		return errors.New("must not hold a user or a password: give username, and password_file or password")
	}
	return nil
}

// isPort: "" is the protocol's own.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil && n > 0
}

func fingerprint(s string, u URL) error {
	switch {
	case s == "":
		return nil
	case !regexp.MustCompile(`^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$`).MatchString(s):
		return errors.New("must be the SHA-256 of a certificate: 64 hexadecimal digits, with or without colons")
	case strings.HasPrefix(strings.ToLower(u.Reveal()), "rtsp:"):
		return errors.New("is for rtsps:// alone: a camera at rtsp:// shows no certificate")
	}
	return nil
}

func within(d, least, most time.Duration) error {
	if d < least || d > most {
		return fmt.Errorf("must be %v to %v, not %v", least, most, d)
	}
	return nil
}

// view is as strict as the model, which reads it.
func view(s string) error {
	if s == "crop" || s == "squash" {
		return nil
	}
	var m Mask
	into := m.numbers()
	fields := strings.Split(s, ",")
	for i, field := range fields {
		f, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
		if err != nil || len(fields) != len(into) {
			return fmt.Errorf("must be crop, squash, or x,y,w,h in parts of the picture, not %q", s)
		}
		*into[i] = f
	}
	return m.check()
}

func part(f float64) error {
	if !(f >= 0 && f <= 1) {
		return fmt.Errorf("must be 0 to 1, not %v", f)
	}
	return nil
}

func (m *Mask) numbers() []*float64 { return []*float64{&m.X, &m.Y, &m.W, &m.H} }

// check: a rectangle that is not within the picture was meant otherwise.
func (m Mask) check() error {
	for _, f := range []float64{m.X, m.Y, m.W, m.H} {
		if err := part(f); err != nil {
			return err
		}
	}
	const slack = 1e-9 // 0.1,0,0.9,1 ends at 1 whatever its binary digits
	switch {
	case m.W == 0 || m.H == 0:
		return errors.New("must be wider and higher than nothing")
	case m.X+m.W > 1+slack || m.Y+m.H > 1+slack:
		return errors.New("must end within the picture: x+w and y+h are 1 at most")
	}
	return nil
}
