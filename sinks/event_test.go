package sinks_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/captiond/captiond/sinks"
)

const designExample = `{"schema":"captiond.caption.v1","id":"9f2c0000000000000000000000000000","source":"front-door","epoch":1795428000123,"seq":812,` +
	`"start":12.0,"end":18.0,"frames":[12.48,13.48,14.48,15.48,16.48,17.48],` +
	`"start_time":"2026-11-23T10:00:12.123Z","end_time":"2026-11-23T10:00:18.123Z","clock":"rtcp","clock_error_ms":40,` +
	`"text":"a man is playing a guitar","confidence":0.8312,"min_confidence":0.4127,"truncated":false,` +
	`"model":"git-base-vatex@1a2b3c4d5e6f","latency_ms":412}`

// samples is one sealed event of each kind.
func samples() []sinks.Event {
	head := sinks.Header{Source: "front-door", Epoch: 1795428000123, Seq: 812}
	start := time.Date(2026, 11, 23, 10, 0, 12, 123456789, time.FixedZone("", 0))
	span := sinks.Span{Start: 12000, End: 18000, Frames: []sinks.Seconds{12480, 13480, 14480, 15480, 16480, 17480},
		StartTime: sinks.At(start), EndTime: sinks.At(start.Add(6 * time.Second)), Clock: sinks.ClockRTCP, ClockErrorMS: 40}
	speech := sinks.Speech{Text: "a man is playing a guitar", Confidence: 0.83123, MinConfidence: 0.41268,
		Model: "git-base-vatex@1a2b3c4d5e6f", LatencyMS: 412, Settings: "greedy"}
	events := []sinks.Event{
		&sinks.Caption{Header: head, Span: span, Speech: speech},
		&sinks.Answer{Header: head, Name: "person", Question: "is there a <person> & a dög?", Span: span, Speech: speech},
		&sinks.Cut{Header: head, Start: 12480},
		&sinks.Gap{Header: head, Start: 18000, End: 21500, Reason: sinks.GapStalled, FramesLost: 3},
		&sinks.Reset{Header: head, Reason: sinks.ResetReconnect, PreviousEpoch: 1795427000000},
		&sinks.Degraded{Header: head, Reason: "overload", StrideBefore: 1000, StrideNow: 2000},
		&sinks.Unchanged{Header: head, Since: 12000, Count: 7, Text: "a room"},
		&sinks.Status{Header: head, State: sinks.StateLive},
		&sinks.Job{Header: sinks.Header{Source: "job-42", Seq: 1}, State: sinks.JobRunning, Attempt: 2, Progress: 0.5},
	}
	for _, e := range events {
		sinks.Seal(e)
	}
	return events
}

func TestIDsAreThoseOfThePythonScript(t *testing.T) {
	b, err := os.ReadFile("testdata/ids.json")
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]string{}, map[string]string{}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	for _, e := range samples() {
		got[string(e.Kind())] = e.Head().ID
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestIDHoldsWhatMattersOnly(t *testing.T) {
	base := samples()[0].Head().ID
	change := map[string]func(*sinks.Caption){
		"source":   func(c *sinks.Caption) { c.Source = "back-door" },
		"epoch":    func(c *sinks.Caption) { c.Epoch++ },
		"start":    func(c *sinks.Caption) { c.Start++ },
		"end":      func(c *sinks.Caption) { c.End++ },
		"frames":   func(c *sinks.Caption) { c.Frames = c.Frames[1:] },
		"model":    func(c *sinks.Caption) { c.Model = "git-base-vatex@ffff" },
		"settings": func(c *sinks.Caption) { c.Settings = "beam 4" },
	}
	for name, f := range change {
		c := samples()[0].(*sinks.Caption)
		f(c)
		if sinks.Seal(c); c.ID == base {
			t.Errorf("another %s has the same id", name)
		}
	}
	c := samples()[0].(*sinks.Caption)
	c.LatencyMS, c.Seq, c.Title, c.Model = 9, 9, "x", "renamed@1a2b3c4d5e6f"
	if sinks.Seal(c); c.ID != base {
		t.Error("the latency, number, title or name of the model changes the id")
	}
}

func TestCaptionJSON(t *testing.T) {
	got, err := sinks.Encode(samples()[0])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"schema":"captiond.caption.v1","id":"` + samples()[0].Head().ID + `","source":"front-door","epoch":1795428000123,"seq":812,` +
		`"start":12,"end":18,"frames":[12.48,13.48,14.48,15.48,16.48,17.48],` +
		`"start_time":"2026-11-23T10:00:12.123Z","end_time":"2026-11-23T10:00:18.123Z","clock":"rtcp","clock_error_ms":40,` +
		`"text":"a man is playing a guitar","confidence":0.8312,"min_confidence":0.4127,"truncated":false,` +
		`"model":"git-base-vatex@1a2b3c4d5e6f","latency_ms":412}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCaptionOfAFileWithoutATime(t *testing.T) {
	c := &sinks.Caption{Header: sinks.Header{Source: "file-0", Title: "a&b.jpg"}, Span: sinks.Span{Clock: sinks.ClockNone},
		Speech: sinks.Speech{Text: "<&>", Confidence: 1}}
	sinks.Seal(c)
	got, err := sinks.Encode(c)
	want := `{"schema":"captiond.caption.v1","id":"` + c.ID + `","source":"file-0","title":"a&b.jpg","epoch":0,"seq":0,` +
		`"start":0,"end":0,"frames":[],"clock":"none","text":"<&>","confidence":1,"min_confidence":0,"truncated":false,"model":"","latency_ms":0}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s %v\nwant %s", got, err, want)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for s, want := range map[sinks.Seconds]string{0: "0", 12480: "12.48", 12000: "12", 7: "0.007", -1500: "-1.5",
		-1: "-0.001", 100000: "100", -9223372036854775808: "-9223372036854775.808"} {
		if s.String() != want {
			t.Errorf("%d ms is %s, want %s", int64(s), s, want)
		}
	}
	for p, want := range map[sinks.Probability]string{0: "0", 1: "1", 0.99999: "1", 0.83125: "0.8313", 0.00001: "0"} {
		if b, err := p.MarshalJSON(); err != nil || string(b) != want {
			t.Errorf("%v is %s, %v, want %s", float64(p), b, err, want)
		}
	}
	if _, err := sinks.Probability(1.1).MarshalJSON(); err == nil {
		t.Error("1.1 is a probability")
	}
	if sinks.SecondsOf(1499600*time.Microsecond) != 1500 || sinks.Seconds(1500).Duration() != 1500*time.Millisecond {
		t.Error("seconds and durations differ")
	}
	if b, _ := sinks.At(time.UnixMilli(0)).MarshalJSON(); string(b) != `"1970-01-01T00:00:00.000Z"` {
		t.Errorf("the epoch is %s", b)
	}
}

func TestDecodeGivesBackWhatWasEncoded(t *testing.T) {
	var kinds []sinks.Kind
	for _, e := range samples() {
		kinds = append(kinds, e.Kind())
		b, err := sinks.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		back, err := sinks.Decode(append(b[:len(b)-1], `,"later":{"field":1}}`...))
		if err != nil {
			t.Fatal(err)
		}
		again, err := sinks.Encode(back)
		if err != nil || string(again) != string(mustEncode(t, e)) || reflect.TypeOf(back) != reflect.TypeOf(e) {
			t.Errorf("%s came back as %s %v", b, again, err)
		}
	}
	if !slices.Equal(kinds, sinks.Kinds()) {
		t.Errorf("samples have %v, kinds are %v", kinds, sinks.Kinds())
	}
}

func mustEncode(t *testing.T, e sinks.Event) []byte {
	t.Helper()
	b, err := sinks.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecodeRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, in := range []string{`{"schema":"captiond.caption.v2"}`, `{"schema":"captiond.dance.v1"}`, `{}`} {
		_, err := sinks.Decode([]byte(in))
		if _, ok := errors.AsType[*sinks.UnknownSchemaError](err); !ok {
			t.Errorf("%s: %v", in, err)
		}
	}
	for _, in := range []string{``, `[]`, `{"schema":"captiond.cut.v1","start":"x"}`, `{"schema":"captiond.cut.v1","start":1e300}`} {
		if e, err := sinks.Decode([]byte(in)); err == nil {
			t.Errorf("%s: decoded %v", in, e)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(designExample))
	for _, e := range samples() {
		b, _ := sinks.Encode(e)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := sinks.Decode(b)
		if err != nil {
			return
		}
		once, err := sinks.Encode(e)
		if err != nil {
			return // a probability or a year out of range
		}
		back, err := sinks.Decode(once)
		if err != nil {
			t.Fatalf("%s does not decode: %v", once, err)
		}
		if twice := mustEncode(t, back); string(twice) != string(once) {
			t.Fatalf("%s became %s", once, twice)
		}
	})
}

func TestSubject(t *testing.T) {
	t.Parallel()
	want := []string{"p.captions.front-door", "p.answers.front-door.person", "p.events.front-door", "p.events.front-door",
		"p.events.front-door", "p.events.front-door", "p.events.front-door", "p.events.front-door", "p.jobs.42"}
	for i, e := range samples() {
		if got, err := sinks.Subject("p", e); err != nil || got != want[i] {
			t.Errorf("%s: %s %v, want %s", e.Kind(), got, err, want[i])
		}
	}
	asked := &sinks.Answer{Header: sinks.Header{Source: "a"}}
	if got, err := sinks.Subject("p", asked); err != nil || got != "p.answers.a.ask" {
		t.Errorf("an asked question goes to %s %v", got, err)
	}
	for _, source := range []string{"", "a.b", "a*", ">", "a b", "ä", string(make([]byte, 65))} {
		if got, err := sinks.Subject("p", &sinks.Cut{Header: sinks.Header{Source: source}}); err == nil {
			t.Errorf("%q may be published on %s", source, got)
		}
	}
	for _, e := range []sinks.Event{&sinks.Job{Header: sinks.Header{Source: "job-"}}, &sinks.Answer{Header: sinks.Header{Source: "a"}, Name: "b.c"}} {
		if got, err := sinks.Subject("p", e); err == nil {
			t.Errorf("%v may be published on %s", e, got)
		}
	}
}
