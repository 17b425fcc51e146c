package subtitles_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/asticode/go-astisub"

	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/sinktest"
	"github.com/captiond/captiond/sinks/subtitles"
)

// formats are the subtitle formats, each with the other library's reader.
var formats = map[string]struct {
	open func(io.Writer) *subtitles.Sink
	read func(io.Reader) (*astisub.Subtitles, error)
}{
	"vtt": {subtitles.NewVTT, func(r io.Reader) (*astisub.Subtitles, error) { return astisub.ReadFromWebVTT(r) }},
	"srt": {subtitles.NewSRT, func(r io.Reader) (*astisub.Subtitles, error) { return astisub.ReadFromSRT(r) }},
}

func caption(start, end sinks.Seconds, text string) *sinks.Caption {
	c := &sinks.Caption{Header: sinks.Header{Source: "a"}, Span: sinks.Span{Start: start, End: end}, Speech: sinks.Speech{Text: text}}
	sinks.Seal(c)
	return c
}

func write(t *testing.T, open func(io.Writer) *subtitles.Sink, events ...sinks.Event) string {
	t.Helper()
	var b bytes.Buffer
	s := open(&b)
	for _, e := range events {
		if err := s.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSinks(t *testing.T) {
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) (sinks.Sink, func() []string) {
				var b bytes.Buffer
				return f.open(&b), func() []string { return texts(t, f.read, b.String()) }
			})
		})
	}
	t.Run("text", func(t *testing.T) {
		sinktest.Run(t, func(t *testing.T) (sinks.Sink, func() []string) {
			var b bytes.Buffer
			return subtitles.NewText(&b), func() []string { return plain(b.String()) }
		})
	})
}

func plain(s string) (texts []string) {
	for l := range strings.Lines(s) {
		_, text, _ := strings.Cut(strings.TrimSuffix(l, "\n"), "] ")
		texts = append(texts, text)
	}
	return texts
}

func texts(t *testing.T, read func(io.Reader) (*astisub.Subtitles, error), doc string) (texts []string) {
	t.Helper()
	if doc == "" || doc == "WEBVTT\n\n" { // the library takes a document without cues for an error
		return nil
	}
	subs, err := read(strings.NewReader(doc))
	if err != nil {
		t.Fatalf("%q: %v", doc, err)
	}
	for _, item := range subs.Items {
		texts = append(texts, text(item))
	}
	return texts
}

// text is what a player shows. The library gives the last cue of SRT an empty line.
func text(item *astisub.Item) string {
	var lines []string
	for _, l := range item.Lines {
		if l.String() != "" {
			lines = append(lines, l.String())
		}
	}
	return strings.Join(lines, "\n")
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	answer := &sinks.Answer{Question: "is it\nred?", Span: sinks.Span{Start: 359999999, End: 360000000}, Speech: sinks.Speech{Text: "yes"}}
	sinks.Seal(answer)
	events := []sinks.Event{caption(12000, 18000, "a <b> & --> c"), caption(18000, 24000, " \r\n"),
		caption(24000, 24000, "a\x1b[1m\r\nline"), caption(-5, -5, "x\u2028y"), answer}
	want := map[string]string{
		"vtt": "WEBVTT\n\n00:00:12.000 --> 00:00:18.000\na &lt;b&gt; &amp; --&gt; c\n\n" +
			"00:00:24.000 --> 00:00:25.000\na [1m line\n\n00:00:00.000 --> 00:00:01.000\nx y\n\n99:59:59.999 --> 100:00:00.000\nis it red? yes\n\n",
		"srt": "1\n00:00:12,000 --> 00:00:18,000\na <b> & → c\n\n2\n00:00:24,000 --> 00:00:25,000\na [1m line\n\n" +
			"3\n00:00:00,000 --> 00:00:01,000\nx y\n\n4\n99:59:59,999 --> 100:00:00,000\nis it red? yes\n\n",
	}
	for name, f := range formats {
		if got := write(t, f.open, events...); got != want[name] {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, want[name])
		}
	}
	text := "[00:00:12.000 --> 00:00:18.000] a <b> & --> c\n[00:00:18.000 --> 00:00:24.000]\n"
	if got := write(t, subtitles.NewText, events[:2]...); got != text {
		t.Errorf("text is\n%s\nwant\n%s", got, text)
	}
	if got := write(t, subtitles.NewText, caption(0, 0, "a picture")); got != "a picture\n" {
		t.Errorf("a picture's text is %q", got)
	}
}

// TestKilledRun cuts a run after each event: what is there is the beginning of the whole
// document and reads back as those cues.
func TestKilledRun(t *testing.T) {
	t.Parallel()
	var events []sinks.Event
	for i := range 5 {
		events = append(events, sinktest.Caption(i))
	}
	for name, f := range formats {
		whole := write(t, f.open, events...)
		var b bytes.Buffer
		s := f.open(&b)
		for i, e := range events {
			if err := s.Publish(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(whole, b.String()) || len(texts(t, f.read, b.String())) != i+1 {
				t.Errorf("%s after %d cues: %q", name, i+1, b.String())
			}
		}
	}
}

func FuzzCues(f *testing.F) {
	f.Add(int64(0), int64(6000), "a man --> a <i>dog</i> & cat")
	f.Add(int64(360000000), int64(5), "\ufeff\r\n\r\n1\n00:00:00,000 --> 00:00:01,000\nx")
	f.Add(int64(-7), int64(-7), "NOTE WEBVTT\x00\u2028")
	f.Fuzz(func(t *testing.T, start, end int64, text string) {
		start, end = start%(1000*3600*1000), end%(1000*3600*1000)
		c := caption(sinks.Seconds(start), sinks.Seconds(end), text)
		for name, format := range formats {
			doc := write(t, format.open, c, caption(1000, 2000, "after"))
			if name == "srt" && strings.HasPrefix(doc, "\ufeff") || strings.Count(doc, "-->") > 2 {
				t.Fatalf("%s: %q", name, doc)
			}
			checkBack(t, format.read, doc, c)
		}
	})
}

func checkBack(t *testing.T, read func(io.Reader) (*astisub.Subtitles, error), doc string, c *sinks.Caption) {
	t.Helper()
	subs, err := read(strings.NewReader(doc))
	if err != nil {
		t.Fatalf("%q: %v", doc, err)
	}
	// Two cues, or the second alone where the first had nothing to say.
	if n := strings.Count(doc, "-->"); len(subs.Items) != n || text(subs.Items[n-1]) != "after" {
		t.Fatalf("%q has %d cues", doc, len(subs.Items))
	}
	first := subs.Items[0]
	if len(subs.Items) == 2 && first.StartAt != max(c.Start.Duration(), 0) || first.EndAt <= first.StartAt {
		t.Fatalf("%q: cue from %v to %v", doc, first.StartAt, first.EndAt)
	}
	if len(subs.Items) == 2 && c.End > max(c.Start, 0) && first.EndAt != time.Duration(c.End)*time.Millisecond {
		t.Fatalf("%q: cue ends at %v", doc, first.EndAt)
	}
}
