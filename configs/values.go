package configs

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// A Size is a number of bytes. It is read with a unit: B, KiB, MiB, GiB, TiB, or KB,
// MB, GB, TB for powers of a thousand.
type Size int64

type unit struct {
	name  string
	bytes int64
}

// sizeUnits lists the binary units from the largest, then the decimal ones, then bytes:
// each name is looked for before those it ends with.
func sizeUnits() []unit {
	return []unit{
		{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
	}
}

// ParseSize reads a size with its unit.
func ParseSize(text string) (Size, error) {
	for _, u := range sizeUnits() {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.bytes {
			break
		}
		return Size(n * u.bytes), nil
	}
	return 0, fmt.Errorf("must be a whole number with a unit, such as 512MiB, not %q", text)
}

// String is the size in the largest unit that is exact.
func (s Size) String() string {
	for _, u := range sizeUnits() {
		if int64(s) >= u.bytes && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// A URL may hold a password: it prints without. Several are separated by commas.
type URL string

// Reveal is the URL as it was given.
func (u URL) Reveal() string { return string(u) }

// String is the URL with the password replaced.
func (u URL) String() string {
	parts := u.parts()
	for i, part := range parts {
		parsed, err := url.Parse(part)
		switch {
		case err != nil || parsed.Host == "": // a piece of a password with a comma, perhaps
			parts[i] = "(not a URL)"
		case parsed.User != nil && parsed.User.Username() != "" && !hasPassword(parsed):
			// NATS takes a user without a password for a token.
			parsed.User = url.User("xxxxx")
			parts[i] = parsed.String()
		default:
			parts[i] = parsed.Redacted()
		}
	}
	return strings.Join(parts, ",")
}

// Format is String for every verb: fmt would print what lies beneath for a wrong one.
func (u URL) Format(f fmt.State, verb rune) { format(f, verb, u.String()) }

// LogValue is String.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText is String.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

func (u URL) parts() []string {
	if u == "" {
		return nil
	}
	parts := strings.Split(string(u), ",")
	for i, p := range parts {
		parts[i] = strings.TrimSpace(p)
	}
	return parts
}

// secret says whether any of the URLs carries a user or password.
func (u URL) secret() bool {
	for _, part := range u.parts() {
		if parsed, err := url.Parse(part); err == nil && parsed.User != nil {
			return true
		}
	}
	return false
}

func hasPassword(u *url.URL) bool {
	_, ok := u.User.Password()
	return ok
}

// strictly is the decode hook: it turns text into the key's type, and refuses what
// decoding would bend until it fits (3 into three nanoseconds, 1.9 into 1).
func strictly(from, to reflect.Type, data any) (any, error) {
	text, isText := data.(string)
	switch {
	case from == to || from.Kind() == reflect.Map && to.Kind() == reflect.Struct:
		return data, nil
	case from.Kind() == reflect.Int && to.Kind() == reflect.Float64:
		return float64(data.(int)), nil
	case isText:
		return parse(text, to)
	}
	return nil, wanted(to)
}

func parse(text string, to reflect.Type) (any, error) {
	var v any
	var err error
	switch reflect.Zero(to).Interface().(type) {
	case time.Duration:
		v, err = ParseDuration(text)
	case Size:
		return ParseSize(text)
	case slog.Level:
		v, err = parseLevel(text)
	case URL:
		return URL(text), nil
	case Secret:
		return Secret(text), nil
	case float64:
		v, err = strconv.ParseFloat(text, 64)
	case bool:
		v, err = parseBool(text)
	case int:
		v, err = strconv.Atoi(text)
	case string:
		return text, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w, not %q", wanted(to), text)
	}
	return v, nil
}

func parseBool(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, errors.New("neither")
	}
	return text == "true", nil
}

// ParseDuration is time.ParseDuration with days, such as 90d: retention is counted in them.
func ParseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > math.MaxInt64/int(24*time.Hour) {
			return 0, errors.New("not a number of days")
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	if text == "0" {
		return 0, errors.New("no unit")
	}
	return time.ParseDuration(text)
}

func parseLevel(text string) (slog.Level, error) {
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if text == strings.ToLower(l.String()) {
			return l, nil
		}
	}
	return 0, errors.New("no level")
}

// wanted says what a key of the type takes.
func wanted(to reflect.Type) error {
	switch reflect.Zero(to).Interface().(type) {
	case time.Duration:
		return errors.New("must be a duration with a unit, such as 90s or 7d")
	case Size:
		return errors.New("must be a whole number with a unit, such as 512MiB")
	case slog.Level:
		return errors.New("must be debug, info, warn or error")
	case bool:
		return errors.New("must be true or false")
	case int:
		return errors.New("must be a whole number")
	case float64:
		return errors.New("must be a number")
	}
	return errors.New("must be text: put it in quotes")
}
