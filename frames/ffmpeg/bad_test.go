package ffmpeg

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/captiond/captiond/frames/wire"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"audio.mp4": "no video track", "cover-only.mp4": "cover art", "nomoov.mp4": "damaged or cut off",
		"huge.mp4": "16384x8704", "absurd.avi": "time stamps are absurd", "magicyuv.avi": "coded as magicyuv",
		"ffv1.mkv": "coded as ffv1", "hostile/playlist.mp4": "this is text", "hostile/concat.mp4": "this is text",
		"hostile/sdp.mp4": "this is text", "hostile/dash.mp4": "this is text",
	} {
		f, err := os.Open(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		start := time.Now()
		if _, err := openFile(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s: refused after %v", name, d)
		}
	}
}

func TestOpenRefusesBytes(t *testing.T) {
	t.Parallel()
	for want, b := range map[string][]byte{
		"empty": nil, "this is text": []byte("hello, this is not a video"), "no video or picture": {0x7f, 'E', 'L', 'F', 0, 1, 2, 3},
		"damaged or cut off": append([]byte("\x00\x00\x00\x18ftypmp42"), make([]byte, 4000)...),
	} {
		if _, err := Open(bytes.NewReader(b), int64(len(b)), limits()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestTruncated: what is there is shown, and what is wrong is said.
func TestTruncated(t *testing.T) {
	t.Parallel()
	for name, least := range map[string]int{"cut.mp4": 1, "cut.mkv": 8, "cut.ts": 8, "bruised.mp4": 10} {
		c := open(t, name)
		ps := show(t, c, middles(every10(40))...)
		t.Logf("%s: %d pictures of %v: %s", name, len(ps), c.Info().Duration, c.Damage())
		if len(ps) < least {
			t.Errorf("%s: %d pictures", name, len(ps))
		}
		for _, p := range ps {
			if n := number(p); time.Duration(n)*100*time.Millisecond != p.PTS.Round(time.Millisecond) {
				t.Errorf("%s: picture %d at %v", name, n, p.PTS)
			}
		}
		if c.Damage() == "" && name != "cut.ts" {
			t.Errorf("%s: nothing is said to be wrong", name)
		}
	}
}

type panics struct{ *bytes.Reader }

func (p panics) ReadAt(b []byte, at int64) (int, error) {
	if at > p.Size()/2 {
		panic("the disk is gone")
	}
	return p.Reader.ReadAt(b[:min(len(b), 256)], at)
}

type fails struct{ *bytes.Reader }

func (f fails) ReadAt(b []byte, at int64) (int, error) {
	if at > f.Size()/2 {
		return 0, errors.New("input/output error")
	}
	return f.Reader.ReadAt(b[:min(len(b), 256)], at)
}

// TestBrokenInput: a reader that fails or panics costs the clip, not the process.
func TestBrokenInput(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/h264-b.ts")
	if err != nil {
		t.Fatal(err)
	}
	said := func(c *Clip, err error) string {
		if err != nil {
			return err.Error()
		}
		defer c.Close()
		return c.Damage()
	}
	if s := said(Open(panics{bytes.NewReader(b)}, int64(len(b)), limits())); !strings.Contains(s, "the disk is gone") {
		t.Error(s)
	}
	if s := said(Open(fails{bytes.NewReader(b)}, int64(len(b)), limits())); !strings.Contains(s, "input/output error") {
		t.Error(s)
	}
}

func TestShowStops(t *testing.T) {
	t.Parallel()
	c, stop := open(t, "h264.mp4"), errors.New("stop")
	n := 0
	err := c.Show([]time.Duration{0, time.Second, 2 * time.Second}, func(wire.Picture) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("%v after %d pictures", err, n)
	}
	if err := c.Show([]time.Duration{time.Second, 0}, nil); err == nil {
		t.Error("instants that do not ascend were taken")
	}
}

// TestBeginsInTheMiddle: a recording that begins between two key pictures begins with the
// first that can be shown whole.
func TestBeginsInTheMiddle(t *testing.T) {
	t.Parallel()
	for name, rate := range map[string]int{"h264-b.ts": 10, "h264-open.ts": 10, "hevc-open.ts": 10, "mpeg2.ts": 25} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		header := 3 * 188 // service description, programs and tracks
		b = append(b[:header:header], b[len(b)/188*30/100*188:]...)
		c, err := Open(bytes.NewReader(b), int64(len(b)), limits())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer c.Close()
		var at []time.Duration
		for i := range 40 {
			at = append(at, time.Duration(2*i+1)*time.Second/time.Duration(2*rate))
		}
		ps := show(t, c, at...)
		first := number(ps[0])
		if ps[0].PTS != 0 || first == 0 || len(ps) < 15 {
			t.Errorf("%s: begins with picture %d at %v; %d pictures", name, first, ps[0].PTS, len(ps))
		}
		for _, p := range ps {
			if want := time.Duration(number(p)-first) * time.Second / time.Duration(rate); (p.PTS - want).Abs() > time.Millisecond {
				t.Errorf("%s: picture %d at %v, want %v", name, number(p), p.PTS, want)
			}
		}
	}
}
