package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// Load reads the file that --config names, the environment (as os.Environ gives it) and
// the flags that Flags added to fs and that were set, and validates what they make. The
// warnings are for the log. The error joins every problem, each beginning with its key,
// variable or file. Passwords are read from their files, and cameras completed. It keeps
// nothing: called again, as at a SIGHUP, it reads everything anew.
func Load(fs *pflag.FlagSet, env []string) (c Config, warnings []string, err error) {
	l := newLoader()
	if f := fs.Lookup(configFlag); f != nil && f.Value.String() != "" {
		l.file(f.Value.String())
	}
	l.environment(env)
	warnings = l.flags(fs)
	c = Default()
	l.decode(&c)
	c.Cameras = l.cameras
	if c.State == "" {
		c.State = stateFolder(env)
	}
	l.secret("nats.password_file", &c.NATS.Password, c.NATS.PasswordFile)
	l.judge(c.problems())
	if err := errors.Join(l.problems...); err != nil {
		return Config{}, warnings, err
	}
	return c, warnings, nil
}

// A loader collects values, the later over the earlier, and what is wrong with them.
type loader struct {
	v        *viper.Viper
	from     map[string]string // by key: the file, variable or flag that set it
	blamed   map[string]bool   // by key
	problems []error
	cameras  []Camera
}

func newLoader() *loader {
	return &loader{v: viper.New(), from: map[string]string{}, blamed: map[string]bool{}}
}

func (l *loader) set(path string, value any, from string) {
	l.v.Set(path, value)
	l.from[path] = from
}

func (l *loader) problem(format string, args ...any) {
	l.problems = append(l.problems, fmt.Errorf(format, args...))
}

// blame says what is wrong with a key, once: what could not be read has its default, which
// may be wrong for another reason.
func (l *loader) blame(path string, err error) {
	if !l.blamed[path] {
		l.blamed[path] = true
		l.problems = append(l.problems, problem{path, err})
	}
}

// judge blames keys for their values, and says who set them.
func (l *loader) judge(ps problems) {
	for _, p := range ps {
		if from, ok := l.from[p.path]; ok {
			p.err = fmt.Errorf("%w (from %s)", p.err, from)
		}
		l.blame(p.path, p.err)
	}
}

// file reads YAML. Keys are checked here, as they are written: viper would fold their
// case, split them at dots and pass over empty ones.
func (l *loader) file(name string) {
	data, err := os.ReadFile(name)
	if err != nil {
		l.problem("read configuration: %w", err)
		return
	}
	var document any
	d := yaml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		l.problem("read configuration %s: %s", name, withoutValues(err))
		return
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		l.problem("read configuration %s: it must be one YAML document", name)
	}
	root, ok := document.(map[string]any)
	if !ok && document != nil {
		l.problem("read configuration %s: it must be keys and their values", name)
	}
	l.items(root, "cameras", name, func(item *loader, value any) error {
		c, err := item.camera(value, name)
		l.cameras = append(l.cameras, c)
		return err
	})
	l.section(root, "", name, known(keys()))
}

// withoutValues is an error of the YAML reader less what it quotes of the file: that may be
// a password.
func withoutValues(err error) string {
	quoted := regexp.MustCompile("(?s) `.*`|(anchor) '.*'|(invalid map key): .*")
	text := quoted.ReplaceAllString(err.Error(), "$1$2")
	if text != err.Error() {
		text += " (text that begins with *, &, !, { or [ must be in quotes)"
	}
	return text
}

// section takes the values of a map. known has true for keys and false for sections.
func (l *loader) section(m map[string]any, prefix, name string, known map[string]bool) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		path := prefix + k
		isKey, ok := known[path]
		inner, isSection := m[k].(map[string]any)
		_, isMap := m[k].(map[any]any) // a key that is not text
		switch {
		case !ok || strings.Contains(k, "."):
			l.blame(path, fmt.Errorf("no such key (in %s)", name))
		case m[k] == nil:
			l.blame(path, noValue(name))
		case !isKey && !isSection:
			l.blame(path, fmt.Errorf("must be a section of keys (in %s)", name))
		case isKey && (isSection || isMap):
			l.blame(path, fmt.Errorf("must be a value, not a section (in %s)", name))
		case isSection:
			l.section(inner, path+".", name, known)
		default:
			l.set(path, m[k], name)
		}
	}
}

func noValue(name string) error {
	return fmt.Errorf("has no value: give one, or remove the line (in %s)", name)
}

// environment takes every CAPTIOND_ variable: a misspelt one must not be lost silently.
// An empty one counts as not set.
func (l *loader) environment(env []string) {
	paths := map[string]string{}
	for _, k := range keys() {
		paths[k.variable()] = k.path
	}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "CAPTIOND_") || value == "" {
			continue
		}
		if path, ok := paths[name]; ok {
			l.set(path, value, name)
		} else {
			l.problem("%s: no key has this variable: correct or unset it", name)
		}
	}
}

// flags takes the short forms first: a key's own flag stands over them.
func (l *loader) flags(fs *pflag.FlagSet) (warnings []string) {
	take := func(flag string, paths ...string) {
		f := fs.Lookup(flag)
		if f == nil || !f.Changed {
			return
		}
		if instead := publicSecret(flag, f.Value.String()); instead != "" {
			warnings = append(warnings, "--"+flag+": every user of this machine can read a password on a command line: use --"+instead)
		}
		for _, p := range paths {
			l.set(p, f.Value.String(), "--"+flag)
		}
	}
	for _, s := range shortForms() {
		take(s.flag, s.paths...)
	}
	for _, k := range keys() {
		take(k.flag(), k.path)
	}
	return warnings
}

// publicSecret names the flag to take in place of one that shows a password.
func publicSecret(flag, value string) string {
	switch {
	case flag == "nats-password":
		return "nats-password-file"
	case URL(value).secret():
		return "credentials-file"
	}
	return ""
}

func (l *loader) decode(c any) {
	err := l.v.UnmarshalExact(c, viper.DecodeHook(strictly), func(d *mapstructure.DecoderConfig) {
		d.WeaklyTypedInput = false
	})
	var ps problems
	for _, e := range leaves(err) {
		ps.check(e.Name(), e.Unwrap())
	}
	if err != nil && len(ps) == 0 {
		l.problem("read configuration: %w", err)
	}
	l.judge(ps)
}

// leaves finds the innermost decode errors: one for each key.
func leaves(err error) (es []*mapstructure.DecodeError) {
	switch e := err.(type) { //nolint:errorlint // it walks the whole tree of joined errors itself
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			es = append(es, leaves(inner)...)
		}
	case *mapstructure.DecodeError:
		if es = leaves(e.Unwrap()); len(es) == 0 {
			es = append(es, e)
		}
	case interface{ Unwrap() error }:
		es = leaves(e.Unwrap())
	}
	return es
}

// stateFolder is where state lies unless the configuration says: systemd's folder, else
// the user's (XDG Base Directory Specification), "" where neither is known.
func stateFolder(env []string) string {
	value := func(name string) string {
		for _, e := range env {
			if v, ok := strings.CutPrefix(e, name+"="); ok {
				return v
			}
		}
		return ""
	}
	if s, _, _ := strings.Cut(value("STATE_DIRECTORY"), ":"); s != "" {
		return s
	}
	if s := value("XDG_STATE_HOME"); filepath.IsAbs(s) {
		return filepath.Join(s, "captiond")
	}
	if s := value("HOME"); s != "" {
		return filepath.Join(s, ".local", "state", "captiond")
	}
	return ""
}
