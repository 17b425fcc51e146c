// Package subtitles writes captions and answers for players and people: WebVTT (W3C,
// "WebVTT: The Web Video Text Tracks Format"), SubRip (SRT), and plain text. Other
// events are left out; so are cues without a text.
//
// A cue is written whole as its event is published, so what a killed run leaves is a
// valid document, and the same events give the same bytes. SRT has no byte order mark.
// An answer reads as its question and then its text. Line breaks and control characters
// in a text become spaces, so no text can end its cue. The writer belongs to the
// caller. A Sink is used by one goroutine.
package subtitles

import (
	"context"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/captiond/captiond/sinks"
)

// Still is how long a cue stays that has no length of its own: a picture's.
const Still sinks.Seconds = 1000

// Sink writes one document.
type Sink struct {
	out    *sinks.Stream
	header string
	cue    func(number int, c cue) string // "" for a cue to leave out
	cues   int
}

var _ sinks.Sink = (*Sink)(nil)

// cue is a text and its time.
type cue struct {
	start, end sinks.Seconds
	text       string
}

// NewVTT is a WebVTT document on w, which it never closes. A document without cues is
// its header alone, written by Close.
func NewVTT(w io.Writer) *Sink {
	return &Sink{out: sinks.NewStream(w), header: "WEBVTT\n\n", cue: vtt}
}

// NewSRT is a SubRip document on w, which it never closes.
func NewSRT(w io.Writer) *Sink { return &Sink{out: sinks.NewStream(w), cue: srt} }

// NewText is plain text on w, which it never closes: a line for each event, with its
// time in front if it has any. A picture's line is its text.
func NewText(w io.Writer) *Sink { return &Sink{out: sinks.NewStream(w), cue: line} }

// Publish writes the cue of e. Errors wrap the writer's, such as syscall.EPIPE; the
// same event again then writes what was missing of its cue.
func (s *Sink) Publish(ctx context.Context, e sinks.Event) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("write cue: %w", err)
	}
	c, ok := cueOf(e)
	if !ok {
		return nil
	}
	return s.put(e.Head().ID, c)
}

func (s *Sink) put(id string, c cue) error {
	var record string
	if !s.out.Repeats(id) {
		if record = s.cue(s.cues+1, c); record == "" {
			return nil
		}
		s.cues++
		record, s.header = s.header+record, ""
	}
	if err := s.out.Put(id, []byte(record)); err != nil {
		return fmt.Errorf("write cue: %w", err)
	}
	return nil
}

// Close completes the document.
func (s *Sink) Close(context.Context) error {
	header := s.header
	s.header = ""
	if err := s.out.Put("", []byte(header)); err != nil {
		return fmt.Errorf("end subtitles: %w", err)
	}
	return nil
}

func cueOf(e sinks.Event) (cue, bool) {
	switch e := e.(type) {
	case *sinks.Caption:
		return cue{e.Start, e.End, oneLine(e.Text)}, true
	case *sinks.Answer:
		return cue{e.Start, e.End, oneLine(e.Question + " " + e.Text)}, true
	}
	return cue{}, false
}

// oneLine makes every run of white space and control characters one space. Escape
// sequences would reach the terminal otherwise.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	return strings.Join(strings.Fields(s), " ")
}

// vtt escapes '>' too, which keeps "-->" out of the text.
func vtt(_ int, c cue) string {
	if c.text == "" {
		return ""
	}
	text := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(c.text)
	return fmt.Sprintf("%s\n%s\n\n", c.times('.'), text)
}

// srt has no escapes: an arrow in the text becomes one character.
func srt(number int, c cue) string {
	if c.text == "" {
		return ""
	}
	return fmt.Sprintf("%d\n%s\n%s\n\n", number, c.times(','), strings.ReplaceAll(c.text, "-->", "→"))
}

func line(_ int, c cue) string {
	if c.start == 0 && c.end == 0 {
		return c.text + "\n"
	}
	return strings.TrimSuffix(fmt.Sprintf("[%s] %s", c.times('.'), c.text), " ") + "\n"
}

// times is the cue's line of times. Players drop cues that begin before zero or do not
// last.
func (c cue) times(point byte) string {
	start, end := max(c.start, 0), c.end
	if end <= start {
		end = start + Still
	}
	return stamp(start, point) + " --> " + stamp(end, point)
}

// stamp is hh:mm:ss and milliseconds after the point; hours take the digits they need.
func stamp(s sinks.Seconds, point byte) string {
	return fmt.Sprintf("%02d:%02d:%02d%c%03d", s/3600000, s/60000%60, s/1000%60, point, s%1000)
}
