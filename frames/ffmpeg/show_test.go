package ffmpeg

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/captiond/captiond/frames/wire"
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
			forward := open(t, name)
			forwardOnly(forward)
			whole := show(t, forward, at...)
			c := open(t, name)
			c.limits.Threads = 1 // nor does the number of threads
			rnd := rand.New(rand.NewPCG(1, uint64(len(at))))
			for range 12 {
				i := rnd.IntN(len(at))
				some := at[i : i+1]
				if j := rnd.IntN(len(at)); j > i {
					some = []time.Duration{at[i], at[j]} // the first may be decoded alone
				}
				p := show(t, c, some...)[0]
				if p.PTS != whole[i].PTS || !bytes.Equal(p.Pixels, whole[i].Pixels) {
					t.Errorf("picture %d: number %d at %v, alone; number %d at %v in one pass", i, number(p), p.PTS, number(whole[i]), whole[i].PTS)
				}
			}
		})
	}
}

// TestVariableRate: pictures that come at uneven times; those left out of forty are known.
func TestVariableRate(t *testing.T) {
	t.Parallel()
	known := truths(t)
	for _, name := range []string{"vfr.mp4", "vfr.mkv"} {
		ps := show(t, open(t, name), middles(known[name])...)
		if len(ps) != len(known[name].pts) {
			t.Fatalf("%s: %d pictures, want %d", name, len(ps), len(known[name].pts))
		}
		for i, p := range ps {
			want := i
			if i >= 8 {
				want = 3*i - 15
			}
			if n := number(p); n != want || (p.PTS-known[name].pts[i]).Abs() > time.Millisecond {
				t.Errorf("%s: picture %d is %d at %v, want %d at %v", name, i, n, p.PTS, want, known[name].pts[i])
			}
		}
	}
}

// TestDuration compares with the end of the last packet as ffprobe sees it.
func TestDuration(t *testing.T) {
	t.Parallel()
	known := truths(t)
	for name := range barcodes(t) {
		if strings.HasSuffix(name, ".avi") || strings.HasSuffix(name, ".flv") || strings.HasSuffix(name, ".wmv") || strings.HasSuffix(name, ".mpg") {
			continue // not all of their packets have a duration
		}
		want := known[name].end - known[name].first
		if d := open(t, name).Info().Duration; (d - want).Abs() > 2*time.Millisecond {
			t.Errorf("%s: %v long, want %v", name, d, want)
		}
	}
	for name, want := range map[string]time.Duration{"h264.avi": 4 * time.Second, "h264-nopts.avi": 4 * time.Second,
		"mpeg4-b.avi": 3 * time.Second, "wmv2.wmv": 3 * time.Second, "flv1.flv": 3 * time.Second, "h264-b.flv": 4 * time.Second,
		"mpeg1.mpg": 1600 * time.Millisecond, "mpeg2.mpg": 1600 * time.Millisecond} {
		if d := open(t, name).Info().Duration; (d - want).Abs() > 2*time.Millisecond {
			t.Errorf("%s: %v long, want %v", name, d, want)
		}
	}
}

// TestStanding: each distinct picture once, with the instants it stands for.
func TestStanding(t *testing.T) {
	t.Parallel()
	at := []time.Duration{-time.Second, 0, 99 * time.Millisecond, 100 * time.Millisecond, 3950 * time.Millisecond, time.Hour, 99 * time.Hour}
	got := [][3]int{}
	for _, p := range show(t, open(t, "h264-b.mp4"), at...) {
		got = append(got, [3]int{p.First, p.Count, number(p)})
	}
	want := [][3]int{{0, 3, 0}, {3, 1, 1}, {4, 3, 39}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"h264-b.mkv", "h264-b.mov"} {
		i := open(t, name).Info()
		if i.Codec != "h264" || i.Title != "a tiny clip" || !i.Created.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
			t.Errorf("%s: %+v", name, i)
		}
	}
	if i := open(t, "two.mkv").Info(); i.Width != 128 {
		t.Errorf("the track that is not the default was taken: %+v", i)
	}
}

// TestProgress: a reader slow enough that work takes seconds is told of.
func TestProgress(t *testing.T) {
	t.Parallel()
	c := open(t, "h264.mp4")
	n := 0
	c.limits.Progress = func(p wire.Progress) { n++ }
	c.said = time.Time{}
	show(t, c, 3*time.Second)
	if n != 1 || c.work.Frames == 0 || c.work.Packets < 40 {
		t.Errorf("told %d times, %+v", n, c.work)
	}
}

// TestSeekSavesWork: the last second of a clip is reached without decoding the first three.
func TestSeekSavesWork(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"h264.mp4", "h264-b.mp4", "h264-b.mkv", "h264-b.mov", "h264-b.ts", "h264-b.flv", "h264-open.mkv",
		"h264-open.mp4", "h264-open.ts", "hevc.mp4", "hevc-open.mkv", "hevc-open.ts", "vp8.webm", "vp9.webm",
		"h264-frag.mp4", "sound.mkv", "mpeg2.ts"} {
		c := open(t, name)
		before := c.work.Frames
		show(t, c, c.Info().Duration-150*time.Millisecond)
		if n := c.work.Frames - before; n > 12 {
			t.Errorf("%s: %d pictures decoded to show one", name, n)
		}
	}
}
