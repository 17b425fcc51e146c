package sinks

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Seconds is an instant or a duration on a source's timeline in whole milliseconds.
// Its JSON is a plain number of seconds: 12480 is 12.48, 12000 is 12.
type Seconds int64

// SecondsOf is d rounded to the nearest millisecond, halves away from zero.
func SecondsOf(d time.Duration) Seconds {
	return Seconds(d.Round(time.Millisecond) / time.Millisecond)
}

// Duration is s as a time.Duration; it is exact within 292 years.
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Millisecond }

// String is the shortest decimal of s in seconds, as in JSON.
func (s Seconds) String() string {
	sign, ms := "", uint64(s)
	if s < 0 {
		sign, ms = "-", -ms
	}
	text := fmt.Sprintf("%s%d.%03d", sign, ms/1000, ms%1000)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// MarshalJSON implements json.Marshaler.
func (s Seconds) MarshalJSON() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalJSON reads a JSON number of seconds and rounds it to milliseconds.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fmt.Errorf("read seconds: %w", err)
	}
	ms := math.Round(f * 1000)
	if math.IsNaN(ms) || math.Abs(ms) > 1<<53 {
		return fmt.Errorf("read seconds: %s is beyond the exact milliseconds of a JSON number", b)
	}
	*s = Seconds(ms)
	return nil
}

// Probability is a number from 0 to 1. Its JSON has at most four decimals: 0.83123 is
// 0.8312, and 1 is 1.
type Probability float64

// MarshalJSON implements json.Marshaler. It refuses what is no probability.
func (p Probability) MarshalJSON() ([]byte, error) {
	if !(p >= 0 && p <= 1) {
		return nil, fmt.Errorf("write probability: %v is not between 0 and 1", float64(p))
	}
	return []byte(p.decimal()), nil
}

func (p Probability) decimal() string {
	f := math.Round(float64(p)*1e4) / 1e4
	return strconv.FormatFloat(math.Abs(f), 'f', -1, 64)
}

// Time is a wall-clock instant. Its JSON is RFC 3339, UTC, always with milliseconds.
type Time struct{ time.Time }

// At is t as an event carries it: in UTC and cut to milliseconds.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Millisecond)} }

const timeLayout = "2006-01-02T15:04:05.000Z"

// MarshalJSON implements json.Marshaler. RFC 3339 has years 0 to 9999 only.
func (t Time) MarshalJSON() ([]byte, error) {
	u := t.UTC()
	if u.Year() < 0 || u.Year() > 9999 {
		return nil, fmt.Errorf("write time: year %d is outside 0 to 9999", u.Year())
	}
	return []byte(`"` + u.Format(timeLayout) + `"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(b []byte) error {
	var u time.Time
	if err := u.UnmarshalJSON(b); err != nil {
		return fmt.Errorf("read time: %w", err)
	}
	*t = At(u)
	return nil
}
