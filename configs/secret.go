package configs

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// A Secret does not print, whatever the verb.
type Secret string

const hidden = "xxxxx"

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String hides it; that there is none is no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// Format is String for every verb: fmt would print what lies beneath for a wrong one.
func (s Secret) Format(f fmt.State, verb rune) { format(f, verb, s.String()) }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// format writes a text, in quotes for %q and %#v.
func format(f fmt.State, verb rune, text string) {
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		fmt.Fprintf(f, "%q", text)
		return
	}
	_, _ = io.WriteString(f, text)
}

// secret reads the password from its file, where one is named.
func (l *loader) secret(path string, password *Secret, file string) {
	if file == "" {
		return
	}
	var err error
	if *password != "" {
		err = errors.New("the password is given as well: give one of them")
	} else {
		*password, err = readSecret(file)
	}
	if err != nil {
		l.judge(problems{{path, err}})
	}
}

// maxSecret is far over any password: a wrong file must not fill the memory.
const maxSecret = 4 << 10

// readSecret is a file without the newline at its end.
func readSecret(name string) (Secret, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	switch {
	case text == "":
		return "", fmt.Errorf("%s is empty", name)
	case len(b) > maxSecret:
		return "", fmt.Errorf("%s is longer than a password: %d bytes at most", name, maxSecret)
	}
	return Secret(text), nil
}
