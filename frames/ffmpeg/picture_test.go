package ffmpeg

import (
	"testing"
	"time"

	"github.com/captiond/captiond/frames/wire"
)

// TestColours: one red, 220,40,40, in every matrix, range, depth and sampling comes back.
func TestColours(t *testing.T) {
	t.Parallel()
	red := [3]int{220, 40, 40}
	for name, want := range map[string][3]int{
		"red-709.mp4": red, "red-601.mp4": red, "red-full.mp4": red, "red-10.mkv": red, "red-422.mkv": red,
		"red-2020.mp4": red, "red-none.mp4": red, "red-rgb.mkv": red, "alpha.mov": red, "gif-red.gif": red,
		"grey.mkv": {128, 128, 128},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := show(t, open(t, name), 0)[0]
			if got := pixel(p, p.Width/2, p.Height/2); distance(got, want) > 4 {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

func distance(a, b [3]int) int {
	d := 0
	for i := range a {
		d = max(d, a[i]-b[i], b[i]-a[i])
	}
	return d
}

// TestHighDynamicRange: the reference white, 203 cd/m2, becomes a bright grey and
// 1000 cd/m2 something brighter that is not clipped away.
func TestHighDynamicRange(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"hdr-pq.mp4", "hdr-hlg.mp4"} {
		p := show(t, open(t, name), 0)[0]
		white, peak := pixel(p, 16, 24), pixel(p, 48, 24)
		t.Log(name, white, peak)
		if white[0] < 190 || white[0] > 245 || peak[0] <= white[0]+4 {
			t.Errorf("%s: reference white %v, highlight %v", name, white, peak)
		}
		for _, c := range [][3]int{white, peak} {
			if distance(c, [3]int{c[0], c[0], c[0]}) > 3 {
				t.Errorf("%s: grey became %v", name, c)
			}
		}
	}
}

func TestShape(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]int{
		"h264.mp4": {128, 96}, "turn-90.mp4": {128, 96}, "turn-180.mp4": {128, 96}, "sar.mp4": {182, 96},
		"sar-turn.mp4": {128, 72}, "odd.mkv": {129, 97},
	} {
		c := open(t, name)
		p := show(t, c, 0)[0]
		if got := [2]int{p.Width, p.Height}; got != want {
			t.Errorf("%s: picture of %v, want %v", name, got, want)
		}
		if i := c.Info(); i.Width != p.Width || i.Height != p.Height {
			t.Errorf("%s: said %dx%d, is %dx%d", name, i.Width, i.Height, p.Width, p.Height)
		}
	}
}

// TestInterlaced: the lines of two moments, which comb at the edge of what moves, become
// the picture of one.
func TestInterlaced(t *testing.T) {
	t.Parallel()
	for _, p := range show(t, open(t, "interlaced.mp4"), 200*time.Millisecond, 500*time.Millisecond) {
		if n := combs(p); n > p.Height/16 {
			t.Errorf("at %v %d combed lines", p.PTS, n)
		}
	}
}

// combs counts the lines that differ from both neighbours while those agree.
func combs(p wire.Picture) int {
	lines := 0
	for y := 1; y+1 < p.Height; y++ {
		n := 0
		for x := range p.Width {
			up, at, down := pixel(p, x, y-1)[0], pixel(p, x, y)[0], pixel(p, x, y+1)[0]
			if max(up, down)-min(up, down) < 24 && max(at, up)-min(at, up) > 80 {
				n++
			}
		}
		if n >= 2 {
			lines++
		}
	}
	return lines
}

func TestSizeChanges(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"resize.ts", "jump.ts"} {
		c := open(t, name)
		if d := c.Info().Duration; d < 3900*time.Millisecond || d > 4300*time.Millisecond {
			t.Errorf("%s: %v long", name, d)
		}
		if d := c.Info().Damage; d != "" {
			t.Errorf("%s: damage %q", name, d)
		}
		ps := show(t, c, 450*time.Millisecond, c.Info().Duration-250*time.Millisecond)
		if ps[0].Width != 128 || number(ps[0]) != 4 || ps[1].Width != 256 || number(ps[1]) != 17 {
			t.Errorf("%s: %d of width %d, %d of width %d", name, number(ps[0]), ps[0].Width, number(ps[1]), ps[1].Width)
		}
	}
}
