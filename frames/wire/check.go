package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Each check returns the message with its strings cleaned, or what is wrong with it.

func (m Open) check() (Open, error) {
	if m.MaxPixels <= 0 || m.Threads <= 0 {
		return m, fmt.Errorf("open with %d pixels and %d threads", m.MaxPixels, m.Threads)
	}
	return m, nil
}

func (m Show) check() (Show, error) {
	if len(m.Instants) == 0 || !slices.IsSorted(m.Instants) {
		return m, errors.New("the instants to show do not ascend")
	}
	if !plausible(m.Instants[0]) || !plausible(m.Instants[len(m.Instants)-1]) {
		return m, errors.New("an instant to show is out of range")
	}
	return m, nil
}

func (m Ready) check() (Ready, error) {
	if len(m.Libraries) > maxNames || m.Landlock < 0 {
		return m, fmt.Errorf("%d libraries, Landlock ABI %d", len(m.Libraries), m.Landlock)
	}
	libraries := make(map[string]string, len(m.Libraries))
	for name, version := range m.Libraries {
		libraries[Clean(name, maxName)] = Clean(version, maxName)
	}
	m.Libraries = libraries
	return m, nil
}

func (m Opened) check() (Opened, error) {
	m.clean()
	switch {
	case m.Width <= 0 || m.Height <= 0 || m.Width > MaxSide || m.Height > MaxSide:
		return m, fmt.Errorf("a clip of %dx%d pixels", m.Width, m.Height)
	case m.Duration < 0 || m.Duration > MaxTime:
		return m, fmt.Errorf("a clip of duration %v", m.Duration)
	case m.Created.Year() < 0 || m.Created.Year() > 9999:
		return m, fmt.Errorf("a clip created in the year %d", m.Created.Year())
	}
	return m, nil
}

func (m *Opened) clean() {
	m.Container, m.Codec = Clean(m.Container, maxName), Clean(m.Codec, maxName)
	m.Title, m.Damage = Clean(m.Title, maxTitle), Clean(m.Damage, maxMessage)
}

func (m Progress) check() (Progress, error) {
	if m.Packets < 0 || m.Frames < 0 || !plausible(m.PTS) {
		return m, fmt.Errorf("progress of %d packets, %d frames, %v", m.Packets, m.Frames, m.PTS)
	}
	return m, nil
}

func (m Shown) check() (Shown, error) {
	m.Damage = Clean(m.Damage, maxMessage)
	return m, nil
}

func (m Failure) check() (Failure, error) {
	m.Message = Clean(m.Message, maxMessage)
	return m, nil
}

func plausible(t time.Duration) bool { return -MaxTime <= t && t <= MaxTime }

// Clean makes a stranger's text fit for a log, a terminal and JSON: valid UTF-8, printable
// (no control characters, no marks that turn the direction of writing), at most limit
// bytes.
func Clean(s string, limit int) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s[:min(len(s), limit)]))
}
