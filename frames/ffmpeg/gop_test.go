package ffmpeg

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/captiond/captiond/frames/wire"
)

// recipe is how a clip of the stage is encoded, and whether pictures of it may be left out.
type recipe struct {
	encoder string
	options []string
	sparing bool
}

// recipes are structures of GOPs: which pictures refer to which.
func recipes() map[string]recipe {
	x264 := func(params string) recipe {
		return recipe{"libx264", []string{"x264-params", "keyint=16:min-keyint=16:scenecut=0:mbtree=0:" + params}, true}
	}
	x265 := func(params string) recipe {
		return recipe{"libx265", []string{"x265-params", "log-level=none:pools=none:frame-threads=1:keyint=16:min-keyint=16:scenecut=0:" + params}, true}
	}
	whole := func(r recipe) recipe { r.sparing = false; return r }
	return map[string]recipe{
		"h264 without B":            x264("bframes=0:open-gop=0"),
		"h264 B that are not used":  x264("bframes=3:b-adapt=0:b-pyramid=none:open-gop=0"),
		"h264 strict pyramid":       x264("bframes=5:b-adapt=0:b-pyramid=strict:open-gop=0"),
		"h264 pyramid":              x264("bframes=7:b-adapt=0:b-pyramid=normal:ref=4:open-gop=0"),
		"h264 open pyramid":         x264("bframes=3:b-adapt=0:b-pyramid=normal:open-gop=1"),
		"h264 temporal direct":      x264("bframes=4:b-adapt=0:direct=temporal:weightb=1:open-gop=0"),
		"h264 weighted, many refs":  x264("bframes=2:weightp=2:ref=8:mixed-refs=1:open-gop=0"),
		"h264 slices, delimiters":   x264("bframes=3:slices=4:aud=1:open-gop=0"),
		"h264 refresh":              x264("bframes=2:intra-refresh=1"),
		"h264 without restrictions": x264("bframes=3:b-adapt=0:force-cfr=1:nal-hrd=none:open-gop=0"),
		"h264 fields":               whole(x264("bframes=2:interlaced=1:open-gop=0")),
		"h264 fake fields":          x264("bframes=2:fake-interlaced=1:open-gop=0"),
		"hevc without B":            x265("bframes=0:open-gop=0"),
		"hevc B that are not used":  x265("bframes=3:b-adapt=0:b-pyramid=0:open-gop=0"),
		"hevc pyramid":              x265("bframes=7:b-adapt=0:b-pyramid=1:ref=4:open-gop=0"),
		"hevc open pyramid":         x265("bframes=4:b-adapt=0:b-pyramid=1:open-gop=1"),
		"hevc temporal layers":      whole(x265("bframes=4:b-adapt=0:b-pyramid=1:temporal-layers=1:open-gop=0")),
		"hevc fields":               whole(x265("bframes=2:interlace=tff:open-gop=0")),
		"mpeg4 B":                   {"mpeg4", []string{"g", "16", "bf", "2", "qscale", "4"}, false},
		"vp9 hidden references":     {"libvpx-vp9", []string{"g", "16", "auto-alt-ref", "1", "lag-in-frames", "12", "cpu-used", "8"}, false},
	}
}

const recipePictures = 50

// bake encodes the stage by a recipe, in MP4.
func bake(t *testing.T, r recipe) []byte {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "clip.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	how := Encoding{Width: 160, Height: 96, Rate: 10}
	e := &Encoder{how: how, packet: astiav.AllocPacket(), rgb: astiav.AllocFrame(), yuv: astiav.AllocFrame()}
	c := astiav.FindEncoderByName(r.encoder)
	e.codec = astiav.AllocCodecContext(c)
	e.codec.SetWidth(how.Width)
	e.codec.SetHeight(how.Height)
	e.codec.SetPixelFormat(astiav.PixelFormatYuv420P)
	e.codec.SetTimeBase(astiav.NewRational(1, how.Rate))
	e.codec.SetFlags(astiav.NewCodecContextFlags(astiav.CodecContextFlagGlobalHeader))
	options := astiav.NewDictionary()
	defer options.Free()
	for _, step := range []func() error{
		func() error { return set(options, append(r.options, "threads", "1")...) },
		func() error { return e.codec.Open(c, options) },
		e.openGraph,
		func() error { return e.openFile(f) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	for st, i := newStage(how.Width, how.Height), 0; i < recipePictures; i++ {
		if err := e.Write(st.picture(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSparingChangesNothing shows pictures near and far from each other while decoding as
// little as can be: they must be those of decoding everything, to the last bit.
func TestSparingChangesNothing(t *testing.T) {
	t.Parallel()
	for name, r := range recipes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := bake(t, r)
			at := middles(every10(recipePictures))
			whole := openBytes(t, data)
			defer whole.Close()
			forwardOnly(whole)
			want := show(t, whole, at...)
			if len(want) != recipePictures {
				t.Fatalf("%d pictures", len(want))
			}
			for _, threads := range []int{1, 2} {
				c := openBytes(t, data)
				defer c.Close()
				c.limits.Threads = threads
				compareStrides(t, c, want)
				if c.sparing != r.sparing {
					t.Errorf("%d threads: sparing is %v", threads, c.sparing)
				}
			}
		})
	}
}

// compareStrides shows pictures in strides of every length.
func compareStrides(t *testing.T, c *Clip, want []wire.Picture) {
	t.Helper()
	at := middles(every10(recipePictures))
	for stride := 1; stride < recipePictures; stride += 1 + stride/4 {
		first := stride * 7 % 19
		var some []time.Duration
		for i := first; i < len(at); i += stride {
			some = append(some, at[i])
		}
		for i, p := range show(t, c, some...) {
			w := want[first+i*stride]
			if p.PTS != w.PTS || p.First != i || p.Count != 1 || !bytes.Equal(p.Pixels, w.Pixels) {
				t.Errorf("%d threads, stride %d from %d: picture %d for %d+%d at %v differs from the one at %v",
					c.limits.Threads, stride, first, i, p.First, p.Count, p.PTS, w.PTS)
			}
		}
	}
}

// TestSparingDamaged: whatever is damaged, the pictures ascend and stand for all instants, as
// the parent demands.
func TestSparingDamaged(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"h264 open pyramid", "hevc pyramid"} {
		data := bake(t, recipes()[name])
		at := middles(every10(recipePictures))
		for seed := range uint64(10) {
			bad, rnd := slices.Clone(data), rand.New(rand.NewPCG(3, seed))
			for range 3 {
				bad[len(bad)/10+rnd.IntN(len(bad)*7/10)] ^= 1 << rnd.IntN(8)
			}
			c, err := Open(bytes.NewReader(bad), int64(len(bad)), limits())
			if err != nil {
				continue
			}
			stride := 1 + rnd.IntN(9)
			next, last := 0, time.Duration(-1)
			var some []time.Duration
			for i := 0; i < len(at); i += stride {
				some = append(some, at[i])
			}
			for _, p := range show(t, c, some...) {
				if p.First != next || p.PTS <= last {
					t.Errorf("%s, seed %d, stride %d: picture at %v for number %d after one at %v for those before %d", name, seed, stride, p.PTS, p.First, last, next)
				}
				next, last = p.First+p.Count, p.PTS
			}
			if next != len(some) {
				t.Errorf("%s, seed %d, stride %d: pictures for %d of %d instants", name, seed, stride, next, len(some))
			}
			c.Close()
		}
	}
}

// TestSparingSavesWork: pictures far from each other cost less than half of what they cost
// when those before them are decoded, too.
func TestSparingSavesWork(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"h264 pyramid", "hevc pyramid"} {
		data, at := bake(t, recipes()[name]), middles(every10(recipePictures))
		pictures := func(sparing bool) int64 {
			c := openBytes(t, data)
			defer c.Close()
			before := c.work.Frames
			c.sparing = sparing
			show(t, c, at[14], at[29], at[46])
			return c.work.Frames - before
		}
		if less, all := pictures(true), pictures(false); 2*less > all {
			t.Errorf("%s: %d pictures decoded instead of %d", name, less, all)
		}
	}
}
