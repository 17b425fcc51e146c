package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func sent(t testing.TB, messages ...Message) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, m := range messages {
		if err := w.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	messages := []Message{
		Open{MaxPixels: 1 << 20, Threads: 2},
		Show{Instants: []time.Duration{-1, 0, 0, time.Hour}},
		Ready{Libraries: map[string]string{"libavcodec": "59.37.100"}, Landlock: 7, Seccomp: true},
		Opened{Container: "mov,mp4", Codec: "h264", Width: 640, Height: 480, Duration: time.Minute,
			Created: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), Title: "naïve 日本", Damage: "cut off"},
		Opened{Width: 1, Height: 1},
		Progress{Packets: 5, Frames: 3, PTS: -time.Second},
		Shown{Damage: "bad"},
		Failure{Message: "no video track"},
		Live{Codec: "h264", MaxPixels: 1, Threads: 1},
		Unit{PTS: time.Second, Key: true, Data: []byte{0, 0, 1}},
		Unit{PTS: -time.Second, Lost: true, Data: []byte{1}},
		Grid{From: time.Second, Every: time.Second / 2},
		Drain{},
		Moved{PTS: time.Hour, Skipped: 3},
	}
	r := NewReader(bytes.NewReader(sent(t, messages...)), 0)
	for _, want := range messages {
		got, err := r.Read()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	if _, err := r.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestPictureBecomesFrame(t *testing.T) {
	t.Parallel()
	p := Picture{First: 2, Count: 3, PTS: -time.Second, Width: 2, Height: 1, Pixels: []byte{1, 2, 3, 4, 5, 6}}
	got, err := NewReader(bytes.NewReader(sent(t, p)), 2).Read()
	if err != nil {
		t.Fatal(err)
	}
	want := Frame{First: 2, Count: 3, PTS: -time.Second, Image: &image.RGBA{
		Pix: []byte{1, 2, 3, 255, 4, 5, 6, 255}, Stride: 8, Rect: image.Rect(0, 0, 2, 1)}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]Message{
		"pixels missing": Picture{Count: 1, Width: 2, Height: 2, Pixels: make([]byte, 11)},
		"no width":       Picture{Count: 1, Height: 2},
		"a frame":        Frame{},
		"an empty unit":  Unit{PTS: 1},
		"too much":       Show{Instants: make([]time.Duration, 3<<20)},
	} {
		if err := NewWriter(io.Discard).Write(m); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// pictureBytes is a picture message with any header.
func pictureBytes(first, count, width, height uint32, pts int64, length uint32) []byte {
	b := header(kindPicture, int(length))
	for _, n := range []uint32{first, count, width, height} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(pts))
	return append(b, make([]byte, 12)...)
}

func jsonBytes(k kind, payload string) []byte {
	return append(header(k, len(payload)), payload...)
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"magic":              append([]byte("GIF8"), make([]byte, 8)...),
		"reserved bytes":     {0x63, 0x64, 0, 1, 's', 0, 1, 0, 0, 0, 0, 2, '{', '}'},
		"kind":               jsonBytes('x', "{}"),
		"no JSON":            jsonBytes(kindShown, "{"),
		"long report":        header(kindShown, maxReport+1),
		"long request":       header(kindShow, maxRequest+1),
		"picture too short":  header(kindPicture, 3),
		"picture too long":   header(kindPicture, 1<<30),
		"length is not 3wh":  pictureBytes(0, 1, 2, 2, 0, pictureSize+11),
		"too many pixels":    pictureBytes(0, 1, 5, 1, 0, pictureSize+15),
		"product overflows":  pictureBytes(0, 1, 1<<31, 1<<31, 0, pictureSize),
		"no pixels":          pictureBytes(0, 1, 0, 0, 0, pictureSize),
		"negative width":     pictureBytes(0, 1, math.MaxUint32, math.MaxUint32, 0, pictureSize+3),
		"no instants":        pictureBytes(0, 0, 2, 2, 0, pictureSize+12),
		"negative first":     pictureBytes(math.MaxUint32, 1, 2, 2, 0, pictureSize+12),
		"time too late":      pictureBytes(0, 1, 2, 2, math.MaxInt64, pictureSize+12),
		"time too early":     pictureBytes(0, 1, 2, 2, math.MinInt64, pictureSize+12),
		"clip without size":  jsonBytes(kindOpened, `{"width":0,"height":5}`),
		"clip too wide":      jsonBytes(kindOpened, `{"width":70000,"height":5}`),
		"negative duration":  jsonBytes(kindOpened, `{"width":5,"height":5,"duration":-1}`),
		"absurd duration":    jsonBytes(kindOpened, `{"width":5,"height":5,"duration":9223372036854775807}`),
		"absurd year":        jsonBytes(kindOpened, `{"width":5,"height":5,"created":"99999-01-01T00:00:00Z"}`),
		"negative progress":  jsonBytes(kindProgress, `{"packets":-1}`),
		"instants descend":   jsonBytes(kindShow, `{"instants":[2,1]}`),
		"instant of never":   jsonBytes(kindShow, `{"instants":[9223372036854775807]}`),
		"nothing to show":    jsonBytes(kindShow, `{}`),
		"open without limit": jsonBytes(kindOpen, `{}`),
		"live without limit": jsonBytes(kindLive, `{"codec":"h264"}`),
		"grid without pause": jsonBytes(kindGrid, `{"from":0,"every":0}`),
		"unit without data":  header(kindUnit, unitSize),
		"unit too long":      header(kindUnit, unitSize+MaxUnit+1),
		"unit out of time":   append(header(kindUnit, 10), 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 1),
		"unit with flags":    append(header(kindUnit, 10), 0, 0, 0, 0, 0, 0, 0, 0, 4, 1),
		"negative skipped":   jsonBytes(kindMoved, `{"skipped":-1}`),
	} {
		if m, err := NewReader(bytes.NewReader(b), 4).Read(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

func TestReadWithinAMessage(t *testing.T) {
	t.Parallel()
	whole := sent(t, Picture{Count: 1, Width: 2, Height: 2, Pixels: make([]byte, 12)})
	for n := 1; n < len(whole); n++ {
		if m, err := NewReader(bytes.NewReader(whole[:n]), 4).Read(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %+v, %v", n, m, err)
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"a\x00b\x1b[2Jc\nd": "a b [2Jc d",
		"\xff\xfeabc":       "abc",
		"right\u202eleft":   "right left",
		"日本語":               "日本語",
		"  padded  ":        "padded",
	} {
		if got := Clean(s, 100); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
	if got := Clean("日本語", 4); got != "日" {
		t.Errorf("cut within a character: %q", got)
	}
}

// FuzzRead: whatever a child sends, what is read of it keeps its bounds.
func FuzzRead(f *testing.F) {
	f.Add(sent(f, Ready{Landlock: 7}, Opened{Width: 4, Height: 4, Title: "t"}, Progress{Packets: 1}, Shown{}, Failure{"x"}))
	f.Add(sent(f, Open{1, 1}, Show{[]time.Duration{1, 2}}))
	f.Add(sent(f, Picture{Count: 1, Width: 2, Height: 2, Pixels: make([]byte, 12)}))
	f.Add(pictureBytes(0, 1, 1<<31, 1<<31, 0, pictureSize))
	f.Add(sent(f, Live{"h264", 1, 1}, Unit{PTS: 1, Data: []byte{1}}, Grid{0, time.Second}, Drain{}, Moved{}))
	f.Add(jsonBytes(kindFailure, `{"message":"\u001b[2J"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b), 64)
		for {
			m, err := r.Read()
			if err != nil {
				return
			}
			checkBounds(t, m)
		}
	})
}

func checkBounds(t *testing.T, m Message) {
	t.Helper()
	switch m := m.(type) {
	case Frame:
		if n := len(m.Image.Pix) / 4; n == 0 || n > 64 || m.First < 0 || m.Count < 1 || !plausible(m.PTS) {
			t.Errorf("frame %+v", m)
		}
	case Opened:
		checkText(t, m.Title, maxTitle)
		checkText(t, m.Damage, maxMessage)
		if m.Width < 1 || m.Width > MaxSide || m.Duration < 0 || m.Duration > MaxTime {
			t.Errorf("opened %+v", m)
		}
	case Shown:
		checkText(t, m.Damage, maxMessage)
	case Failure:
		checkText(t, m.Message, maxMessage)
	}
}

func checkText(t *testing.T, s string, limit int) {
	t.Helper()
	if len(s) > limit || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("text %q", s)
	}
}

// BenchmarkRead measures pictures of 1920x1080 from bytes to RGBA.
func BenchmarkRead(b *testing.B) {
	p := sent(b, Picture{Count: 1, Width: 1920, Height: 1080, Pixels: make([]byte, 3*1920*1080)})
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if _, err := NewReader(bytes.NewReader(p), 1<<24).Read(); err != nil {
			b.Fatal(err)
		}
	}
}
