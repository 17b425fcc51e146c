package ffmpeg

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"
)

// barcodes are the clips whose n-th picture carries the number first+n. Where ffprobe's
// times are not those of the pictures (an AVI has none), they are known by construction.
func barcodes(t *testing.T) map[string]struct {
	first int
	truth
} {
	t.Helper()
	type clip = struct {
		first int
		truth
	}
	all := map[string]clip{}
	known := truths(t)
	for _, name := range []string{"h264.mp4", "h264-b.mp4", "h264-b.mkv", "h264-b.mov", "h264-b.ts", "h264-b.flv",
		"h264-frag.mp4", "h264-open.mkv", "h264-open.mp4", "h264-open.ts", "h264-refresh.mkv", "hevc.mp4",
		"hevc-open.mkv", "hevc-open.ts", "vp8.webm", "vp9.webm", "av1.mkv", "av1.mp4", "mpeg1.mpg", "mpeg2.ts", "mpeg2.mpg",
		"mpeg4-b.mp4", "mjpeg.mov", "prores.mov", "dnxhr.mov", "wmv1.wmv", "wmv2.wmv", "theora.ogv", "h263.3gp", "flv1.flv",
		"gif.gif", "one.mp4", "one.mkv", "late.mp4", "late.ts", "wrap.ts", "turn-90.mp4",
		"turn-180.mp4", "turn-270.mp4", "flip-h.mp4", "flip-v.mp4", "transpose.mp4", "transverse.mp4", "sar.mp4", "sar-turn.mp4", "odd.mkv", "cover.mp4", "two.mkv", "sound.mkv", "dv.avi"} {
		all[name] = clip{0, known[name]}
	}
	all["edit.mp4"] = clip{15, known["edit.mp4"]}
	for name, n := range map[string]int{"h264.avi": 40, "h264-nopts.avi": 40, "mpeg4.avi": 30, "mpeg4-b.avi": 30,
		"msmpeg4v2.avi": 30, "msmpeg4v3.avi": 30, "mjpeg.avi": 12} {
		all[name] = clip{0, every10(n)}
	}
	return all
}

func TestShowEveryPicture(t *testing.T) {
	t.Parallel()
	for name, want := range barcodes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t, name)
			if d := c.Info().Damage; d != "" {
				t.Errorf("damage %q of a whole file", d)
			}
			ps := show(t, c, middles(want.truth)...)
			if len(ps) != len(want.pts) {
				t.Fatalf("%d pictures, want %d", len(ps), len(want.pts))
			}
			for i, p := range ps {
				if n := number(p); n != want.first+i {
					t.Errorf("picture %d shows number %d", i, n)
				}
				if d := (p.PTS - want.pts[i]).Abs(); d > time.Millisecond {
					t.Errorf("picture %d at %v, want %v", i, p.PTS, want.pts[i])
				}
			}
		})
	}
}

// middles are instants between the pictures, one for each.
func middles(tr truth) []time.Duration {
	var at []time.Duration
	for i, p := range tr.pts {
		next := p + 20*time.Millisecond
		if i+1 < len(tr.pts) {
			next = tr.pts[i+1]
		}
		at = append(at, (p+next)/2)
	}
	return at
}

// TestSeekChangesNothing compares what is shown at instants in any order, with seeking,
// with the pictures of one pass over everything: they must be the same to the last bit.
func TestSeekChangesNothing(t *testing.T) {
	t.Parallel()
	for name, want := range barcodes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := middles(want.truth)
			whole := show(t, open(t, name), at...)
			c := open(t, name)
			rnd := rand.New(rand.NewPCG(1, uint64(len(at))))
			for range 12 {
				i := rnd.IntN(len(at))
				p := show(t, c, at[i])[0]
				if p.PTS != whole[i].PTS || !bytes.Equal(p.Pixels, whole[i].Pixels) {
					t.Errorf("picture %d: number %d at %v, alone; number %d at %v in one pass", i, number(p), p.PTS, number(whole[i]), whole[i].PTS)
				}
			}
		})
	}
}
