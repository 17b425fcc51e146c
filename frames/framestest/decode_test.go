package framestest_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/framestest"
	"github.com/captiond/captiond/frames/intake"
	"github.com/captiond/captiond/frames/worker"
)

// TestChild shares one build among the tests of the real child.
func TestChild(t *testing.T) {
	t.Parallel()
	d := worker.Decoder{Executable: framestest.Child(t), Args: []string{}}
	t.Run("probe", func(t *testing.T) { t.Parallel(); testProbe(t, d) })
	t.Run("files", func(t *testing.T) { t.Parallel(); testFiles(t, d) })
	t.Run("hostile", func(t *testing.T) { t.Parallel(); testHostile(t, d) })
	t.Run("mutated", func(t *testing.T) { t.Parallel(); testMutated(t, d) })
	t.Run("live", func(t *testing.T) { t.Parallel(); testLive(t, d) })
	t.Run("live ends", func(t *testing.T) { t.Parallel(); testLiveEnds(t, d) })
}

func testProbe(t *testing.T, d worker.Decoder) {
	r, err := d.Probe(t.Context())
	if err != nil || !r.Seccomp || r.Libraries["libavcodec"] == "" {
		t.Errorf("%+v, %v", r, err)
	}
}

const samples = "../ffmpeg/testdata/"

// look opens a file as a command does and shows six frames of it.
func look(ctx context.Context, d worker.Decoder, path string) (got []frames.Sample, info frames.Info, err error) {
	in, err := intake.Open(ctx, path, nil, intake.Limits{})
	if err != nil {
		return nil, info, err
	}
	defer in.Close()
	err = d.Run(ctx, in.File, func(ctx context.Context, c *worker.Clip) error {
		w := frames.Window{End: c.Info().Duration}
		for s, err := range c.Show(ctx, w.Instants(6)) {
			if err != nil {
				return err
			}
			got = append(got, s)
		}
		info = c.Info()
		return nil
	})
	return got, info, err
}

// testFiles shows that nothing FFmpeg needs is missing in the sandbox: each container and
// decoder works there.
func testFiles(t *testing.T, d worker.Decoder) {
	for _, name := range []string{
		"h264.mp4", "h264-b.mkv", "h264-b.ts", "h264-b.flv", "h264.avi", "hevc.mp4", "av1.mkv", "dnxhr.mov",
		"dv.avi", "h263.3gp", "mjpeg.mov", "mpeg1.mpg", "gif.gif", "hdr-pq.mp4", "interlaced.mp4",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, info, err := look(t.Context(), d, samples+name)
			if err != nil {
				t.Fatal(err)
			}
			answered := 0
			for _, s := range got {
				answered += s.Count
				if b := s.Image.Bounds(); b.Dx() != info.Width || b.Dy() != info.Height {
					t.Errorf("a picture of %v in a clip of %dx%d", b, info.Width, info.Height)
				}
			}
			if answered != 6 || info.Damage != "" {
				t.Errorf("%d instants answered, damage %q", answered, info.Damage)
			}
		})
	}
}

// hostile are texts that make demuxers open other files and sockets.
func hostile(address, canary string) map[string]string {
	return map[string]string{
		"hls":      "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://" + canary + "\n#EXTINF:10,\nhttp://" + address + "/a.ts\n#EXT-X-ENDLIST\n",
		"ffconcat": "ffconcat version 1.0\nfile '" + filepath.Base(canary) + "'\n",
		"sdp":      "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
		"dash": `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet><Representation><BaseURL>http://` +
			address + `/</BaseURL></Representation></AdaptationSet></Period></MPD>`,
		"svg":   `<svg xmlns="http://www.w3.org/2000/svg"><image href="file://` + canary + `"/></svg>`,
		"names": "concat:" + canary + "|" + canary + "\nsubfile,,start,0,end,9,,:" + canary + "\n",
	}
}

// testHostile is check 2 of the scorecard in short. The child is given the text itself too,
// as if nobody had looked at it before.
func testHostile(t *testing.T, d worker.Decoder) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	canary := filepath.Join(dir, "canary.ts")
	clip, err := os.ReadFile(samples + "h264-b.ts")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(canary, clip, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, text := range hostile(l.Addr().String(), canary) {
		path := filepath.Join(dir, name+".mp4")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := look(t.Context(), d, path); err == nil || !strings.Contains(err.Error(), "this is text") {
			t.Errorf("%s: %v", name, err)
		}
		refused(t, d, path)
	}
	// Nothing is waiting to be accepted.
	if err := l.(*net.TCPListener).SetDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if c, err := l.Accept(); err == nil {
		t.Errorf("%v connected", c.RemoteAddr())
	}
	l.Close()
}

func refused(t *testing.T, d worker.Decoder, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	begun := time.Now()
	err = d.Run(t.Context(), f, func(context.Context, *worker.Clip) error { return errors.New("it was opened") })
	if err == nil || strings.Contains(err.Error(), "it was opened") {
		t.Errorf("%s: %v", filepath.Base(path), err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("%s: refused after %v", filepath.Base(path), took)
	}
}

// testMutated is check 1 in short: a damaged file gives frames or one line of error, within
// its time.
func testMutated(t *testing.T, d worker.Decoder) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"h264.mp4", "h264-b.mkv", "h264-b.ts", "h264.avi", "hevc.mp4", "av1.mkv", "vp9.webm",
		"mpeg2.mpg", "mpeg4.avi", "wmv2.wmv", "prores.mov", "flv1.flv"} {
		original, err := os.ReadFile(samples + name)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			path := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, mutate(rng, original), 0o600); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			if _, _, err := look(t.Context(), d, path); err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("%s: took %v", name, took)
			}
		}
	}
}

// mutate changes one byte in a hundred.
func mutate(rng *rand.Rand, b []byte) []byte {
	b = append([]byte(nil), b...)
	for range len(b)/100 + 1 {
		b[rng.IntN(len(b))] ^= byte(1 + rng.IntN(255))
	}
	return b
}
