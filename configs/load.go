package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
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
// variable or file.
func Load(fs *pflag.FlagSet, env []string) (c Config, warnings []string, err error) {
	l := newLoader()
	if f := fs.Lookup(configFlag); f != nil && f.Value.String() != "" {
		l.file(f.Value.String())
	}
	l.environment(env)
	warnings = l.flags(fs)
	c = Default()
	l.decode(&c)
	c.Cameras = l.list
	if c.State == "" {
		c.State = stateFolder(env)
	}
	c.NATS.Password = secret(c.NATS.Password, c.NATS.PasswordFile, func(err error) { l.problem("nats.password_file: %w", err) })
	// A value that could not be read has its default here: no key is blamed twice.
	l.problems = append(l.problems, l.explain(c.problems())...)
	if err := errors.Join(l.problems...); err != nil {
		return Config{}, warnings, err
	}
	return c, warnings, nil
}

// A loader collects values, the later over the earlier, and what is wrong with them.
type loader struct {
	v        *viper.Viper
	from     map[string]string // by key: the file, variable or flag that set it
	problems []error
	list     []Camera
}

func newLoader() *loader { return &loader{v: viper.New(), from: map[string]string{}} }

func (l *loader) set(path string, value any, from string) {
	l.v.Set(path, value)
	l.from[path] = from
}

func (l *loader) problem(format string, args ...any) {
	l.problems = append(l.problems, fmt.Errorf(format, args...))
}

// file reads YAML. Keys are checked here, as they are written: viper would fold their
// case, split them at dots and pass over empty ones.
func (l *loader) file(name string) {
	data, err := os.ReadFile(name)
	if err != nil {
		l.problem("read configuration: %w", err)
		return
	}
	var root map[string]any
	d := yaml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		l.problem("read configuration %s: %w", name, err)
		return
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		l.problem("read configuration %s: it must be one YAML document", name)
	}
	l.list = l.cameras(root["cameras"], name)
	delete(root, "cameras")
	known := map[string]bool{}
	for _, k := range keys() {
		known[k.path] = true
		section, _, _ := strings.Cut(k.path, ".")
		known[section] = known[section] || section == k.path
	}
	l.section(root, "", name, known)
}

// section takes the values of a map. known has true for keys and false for sections.
func (l *loader) section(m map[string]any, prefix, name string, known map[string]bool) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		path := prefix + k
		isKey, ok := known[path]
		inner, isMap := m[k].(map[string]any)
		switch {
		case !ok || strings.Contains(k, "."):
			l.problem("%s: no such key (in %s)", path, name)
		case m[k] == nil:
			l.problem("%s: has no value: give one, or remove the line (in %s)", path, name)
		case !isKey && !isMap:
			l.problem("%s: must be a section of keys (in %s)", path, name)
		case isKey && isMap:
			l.problem("%s: must be a value, not a section (in %s)", path, name)
		case isMap:
			l.section(inner, path+".", name, known)
		default:
			l.set(path, m[k], name)
		}
	}
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
		if URL(f.Value.String()).secret() {
			warnings = append(warnings, "--"+flag+
				": every user of this machine can read a password on a command line: use --credentials-file")
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

func (l *loader) decode(c any) {
	err := l.v.UnmarshalExact(c, viper.DecodeHook(strictly), func(d *mapstructure.DecoderConfig) {
		d.WeaklyTypedInput = false
	})
	var ps []problem
	for _, e := range leaves(err) {
		ps = append(ps, problem{e.Name(), e.Unwrap()})
	}
	if err != nil && len(ps) == 0 {
		l.problem("read configuration: %w", err)
	}
	l.problems = append(l.problems, l.explain(ps)...)
}

// explain adds who set the key, where somebody did.
func (l *loader) explain(ps []problem) (errs []error) {
	for _, p := range ps {
		if from, ok := l.from[p.path]; ok {
			errs = append(errs, fmt.Errorf("%w (from %s)", p, from))
		} else {
			errs = append(errs, p)
		}
	}
	return errs
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
