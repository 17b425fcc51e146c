package hls

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	"go.uber.org/goleak"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/ffmpeg"
	"github.com/captiond/captiond/pipeline/live"
	"github.com/captiond/captiond/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rate is how many pictures a second the cameras here send, in GOPs of a second.
const rate = 25

// film encodes seconds of video of a size.
func film(t *testing.T, seconds, width, height int) (units []frames.Unit) {
	t.Helper()
	ffmpeg.Quiet()
	e, err := ffmpeg.Live(ffmpeg.Encoding{Width: width, Height: height, Rate: rate, CRF: 23, GOP: rate}, func(u frames.Unit) error {
		u.Data = bytes.Clone(u.Data)
		units = append(units, u)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for n := range seconds * rate {
		img.SetRGBA(n%width, n/width, color.RGBA{255, 0, 0, 255})
		if err := e.Write(img); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return units
}

// door is a camera that plays what it is given, and the streams of it behind an HTTP server.
type door struct {
	*Streams
	tap   *live.Tap
	plays chan []frames.Unit // one session each, again and again
	ends  chan bool          // a session
	url   string
	gone  func() // stops the camera
}

var errLost = errors.New("the network is gone")

// Read implements live.Connection. What there is comes twenty times as fast as it was taken.
func (d *door) Read(ctx context.Context, use func(frames.Unit) error) error {
	var units []frames.Unit
	select {
	case units = <-d.plays:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for n := 0; ; n++ {
		if len(units) > 0 {
			u := units[n%len(units)]
			u.PTS, u.Wall = time.Duration(n)*time.Second/rate, time.Now()
			if err := use(u); err != nil {
				return err
			}
		}
		select {
		case <-time.After(time.Second / rate / 20):
		case <-d.ends:
			return errLost
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Attend implements live.Connection.
func (*door) Attend(ctx context.Context, attempt func(context.Context) (time.Duration, error), report func(error, time.Duration)) error {
	for ctx.Err() == nil {
		_, err := attempt(ctx)
		report(err, 0)
	}
	return context.Cause(ctx)
}

// State implements live.Connection.
func (*door) State(error) sinks.State { return sinks.StateConnecting }

// blind is a decoder that sees nothing.
type blind struct {
	drained chan bool
	ctx     context.Context //nolint:containedctx // it stands for a process that is killed
}

func (*blind) Feed(frames.Unit, time.Duration) error   { return nil }
func (*blind) Grid(time.Duration, time.Duration) error { return nil }

func (b *blind) Drain() error {
	close(b.drained)
	return nil
}

func (b *blind) Next() (frames.Seen, error) {
	select {
	case <-b.drained:
		return frames.Seen{Drained: true}, nil
	case <-b.ctx.Done():
		return frames.Seen{}, context.Cause(b.ctx)
	}
}

// open starts a camera and the streams of it, until the test ends.
func open(t *testing.T, change func(*Streams)) *door {
	t.Helper()
	d := &door{Streams: New(slog.New(slog.DiscardHandler)), tap: new(live.Tap), plays: make(chan []frames.Unit), ends: make(chan bool)}
	if change != nil {
		change(d.Streams)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { d.Run(ctx) })
	stop := make(chan struct{})
	d.gone = sync.OnceFunc(func() { close(stop) })
	c := live.Camera{
		Settings: live.Settings{Source: "door", Window: time.Second, Every: time.Second}, Connection: d, Tap: d.tap,
		Ring: live.NewRing(time.Minute, 1), Load: live.NewLoad(1), Log: slog.New(slog.DiscardHandler),
		Decode: func(ctx context.Context, _ frames.Codec, use func(context.Context, live.Stream) error) error {
			return use(ctx, &blind{make(chan bool), ctx})
		},
		Emit: func(context.Context, sinks.Event) error { return nil },
	}
	working.Go(func() {
		if err := live.Run(ctx, stop, c, new(live.Stats)); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := d.Serve(w, r, "door", d.tap); err != nil {
			http.Error(w, err.Error(), api.Status(err))
		}
	}))
	d.url = server.URL + "/v1/cameras/door/hls/"
	t.Cleanup(func() {
		server.Close()
		cancel()
		working.Wait()
	})
	return d
}

// get asks for a file.
func (d *door) get(t *testing.T, file string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+file, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode == http.StatusOK && res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s may be kept: %q", file, res.Header.Get("Cache-Control"))
	}
	return res.StatusCode, string(b)
}

// must is get of what is there.
func (d *door) must(t *testing.T, file string) string {
	t.Helper()
	code, body := d.get(t, file)
	if code != http.StatusOK || body == "" {
		t.Fatalf("%s: %d %s", file, code, body)
	}
	return body
}

// playlist is the media playlist of a stream, by its index.
func (d *door) playlist(t *testing.T) (name, text string) {
	t.Helper()
	index := d.must(t, Index)
	name = regexp.MustCompile(`(?m)^[^#\n].*$`).FindString(index)
	return name, d.must(t, name)
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for begun := time.Now(); !so(); <-time.After(5 * time.Millisecond) {
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("not in 20 s: %s", what)
		}
	}
}

// The samples that a player gets are the units of the camera, as they are, at their times.
func TestPlay(t *testing.T) {
	t.Parallel()
	units := film(t, 6, 64, 48)
	d := open(t, nil)
	go func() { d.plays <- units }()
	var text string
	eventually(t, "all segments", func() bool {
		_, text = d.playlist(t)
		return strings.Count(text, "#EXTINF") == segments
	})
	setup := d.must(t, regexp.MustCompile(`URI="(.*)"`).FindStringSubmatch(text)[1])
	var format fmp4.Init
	if err := format.Unmarshal(strings.NewReader(setup)); err != nil || len(format.Tracks) != 1 || format.Tracks[0].TimeScale != clockRate {
		t.Fatalf("the setup is %+v, %v", format, err)
	}
	got := samples(t, d, text)
	first := slices.IndexFunc(units, func(u frames.Unit) bool { return bytes.Equal(avcc(t, u), got[0].Payload) })
	if first < 0 || len(got) != segments*rate {
		t.Fatalf("%d samples, from unit %d on", len(got), first)
	}
	for i, s := range got {
		u := units[(first+i)%len(units)]
		if !bytes.Equal(s.Payload, avcc(t, u)) || s.IsNonSyncSample == u.Key || s.Duration != clockRate/rate || s.PTSOffset != 0 {
			t.Errorf("sample %d: %d bytes for a unit of %d, key %v, lasts %d+%d", i, len(s.Payload), len(u.Data), u.Key, s.Duration, s.PTSOffset)
		}
	}
}

// samples are those of the segments of a playlist.
func samples(t *testing.T, d *door, playlist string) (all []*fmp4.Sample) {
	t.Helper()
	for _, segment := range regexp.MustCompile(`(?m)^[^#\n].*$`).FindAllString(playlist, -1) {
		var parts fmp4.Parts
		if err := parts.Unmarshal([]byte(d.must(t, segment))); err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			all = append(all, p.Tracks[0].Samples...)
		}
	}
	return all
}

// avcc is a unit as MP4 writes it.
func avcc(t *testing.T, u frames.Unit) []byte {
	t.Helper()
	var nals h264.AnnexB
	if err := nals.Unmarshal(u.Data); err != nil {
		t.Fatal(err)
	}
	b, err := h264.AVCC(nals).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Many viewers share one stream, which ends when nobody has asked for a while, and begins again.
func TestShared(t *testing.T) {
	t.Parallel()
	units := film(t, 6, 64, 48)
	d := open(t, func(s *Streams) { s.idle = 3 * time.Second })
	for range 2 {
		go func() { d.plays <- units }()
		var viewers sync.WaitGroup
		for range 20 {
			viewers.Go(func() {
				if code, body := d.get(t, Index); code != http.StatusOK || !strings.Contains(body, "avc1") {
					t.Errorf("%d %s", code, body)
				}
			})
		}
		viewers.Wait()
		count := func() int {
			d.mu.Lock()
			defer d.mu.Unlock()
			return len(d.live)
		}
		if count() != 1 {
			t.Errorf("%d streams", count())
		}
		eventually(t, "the stream ends", func() bool { return count() == 0 })
		d.ends <- true
	}
}

// A new session, and another format in mid-session, begin another reel: the files of the one
// before are gone.
func TestAnew(t *testing.T) {
	t.Parallel()
	small, large := film(t, 4, 64, 48), film(t, 4, 96, 64)
	d := open(t, nil)
	go func() { d.plays <- small }()
	name, _ := d.playlist(t)
	if !strings.Contains(d.must(t, Index), "RESOLUTION=64x48") {
		t.Error(d.must(t, Index))
	}
	d.ends <- true
	d.plays <- slices.Concat(large, small)
	sizes := map[string]bool{}
	var index string
	eventually(t, "both formats, in turn", func() bool {
		if _, index = d.get(t, Index); strings.Contains(index, "RESOLUTION=") {
			sizes[regexp.MustCompile("RESOLUTION=[0-9x]+").FindString(index)] = true
		}
		return len(sizes) == 2
	})
	if code, body := d.get(t, name); code != http.StatusGone || !strings.Contains(body, "load index.m3u8 again") {
		t.Errorf("the playlist of the first reel: %d %s", code, body)
	}
	if code, _ := d.get(t, "../../../../etc/passwd"); code != http.StatusGone {
		t.Errorf("a strange path: %d", code)
	}
	d.gone()
	eventually(t, "the end", func() bool {
		code, body := d.get(t, Index)
		return code == http.StatusServiceUnavailable && strings.Contains(body, "stopped")
	})
}

// A file that the stream does not have, or no longer.
func TestNoFile(t *testing.T) {
	t.Parallel()
	units := film(t, 2, 64, 48)
	d := open(t, nil)
	go func() { d.plays <- units }()
	name, _ := d.playlist(t)
	reel := regexp.MustCompile(`\?reel=\w+`).FindString(name)
	if code, body := d.get(t, "nothing.mp4"+reel); code != http.StatusNotFound || !strings.Contains(body, "no such file") {
		t.Errorf("%d %s", code, body)
	}
}

// A unit that cannot be read costs the rest of its GOP, and the others play on.
func TestDamaged(t *testing.T) {
	t.Parallel()
	units := film(t, 6, 64, 48)
	units[rate+5].Data = []byte("no units")
	d := open(t, nil)
	go func() { d.plays <- units }()
	name, _ := d.playlist(t)
	eventually(t, "a short GOP among whole ones", func() bool {
		return len(samples(t, d, d.must(t, name))) == (segments-1)*rate+5
	})
}

// What cannot be passed on is told as such.
func TestCannot(t *testing.T) {
	t.Parallel()
	unit := func(c frames.Codec, data ...byte) []frames.Unit {
		return []frames.Unit{{Codec: c, Key: true, Data: append([]byte{0, 0, 0, 1}, data...)}}
	}
	for name, tt := range map[string]struct {
		units []frames.Unit
		code  int
		want  string
	}{
		"MJPEG":              {unit(frames.MJPEG, 1, 2, 3), 415, "mjpeg, which does not play in browsers"},
		"H.264 without sets": {unit(frames.H264, 0x65, 1, 2), 415, "no parameter sets"},
		"H.265 without sets": {unit(frames.H265, 19<<1, 1, 2), 415, "no parameter sets"},
		"too little":         {film(t, 2, 64, 48)[1:rate], 503, "see its state"},
		"nothing":            {nil, 503, "see its state"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, func(s *Streams) { s.wait = time.Second })
			go func() { d.plays <- tt.units }()
			for range 2 { // before the codec is known, and after
				if code, body := d.get(t, Index); code != tt.code || !strings.Contains(body, tt.want) {
					t.Errorf("%d %s", code, body)
				}
			}
		})
	}
}

// H.265 of key units alone.
func TestH265(t *testing.T) {
	t.Parallel()
	sps := []byte{
		0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x78, 0xa0, 0x03, 0xc0, 0x80, 0x10, 0xe5,
		0x96, 0x66, 0x69, 0x24, 0xca, 0xe0, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x01, 0xe0, 0x80,
	}
	start := []byte{0, 0, 0, 1}
	var units []frames.Unit
	for i := range 60 {
		units = append(units, frames.Unit{Codec: frames.H265, Key: true,
			Data: slices.Concat(start, []byte{32 << 1, 1, 2, 3}, start, sps, start, []byte{0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40}, start, []byte{19 << 1, 1, 0xAF, byte(i) | 0x80})})
	}
	d := open(t, nil)
	go func() { d.plays <- units }()
	name, _ := d.playlist(t)
	if index := d.must(t, Index); !strings.Contains(index, "hvc1") || !strings.Contains(index, "RESOLUTION=1920x1080") {
		t.Error(index)
	}
	eventually(t, "all segments", func() bool { return strings.Count(d.must(t, name), "#EXTINF") == segments })
	if got := samples(t, d, d.must(t, name)); len(got) < segments*rate || len(got) > segments*(rate+1) {
		t.Errorf("%d samples", len(got))
	}
}

// Streams have a bound, and none begins after the end.
func TestBounds(t *testing.T) {
	t.Parallel()
	s := New(slog.New(slog.DiscardHandler))
	s.wait = 20 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan bool)
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	serve := func() error {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/cameras/x/hls/"+Index, nil)
		return s.Serve(httptest.NewRecorder(), r, "x", new(live.Tap))
	}
	for i := range mostStreams + 1 {
		if err := serve(); api.Status(err) != http.StatusServiceUnavailable || strings.Contains(err.Error(), "too many") != (i == mostStreams) {
			t.Errorf("camera %d: %v", i, err)
		}
	}
	cancel()
	<-done
	if err := serve(); api.Status(err) != http.StatusServiceUnavailable || !strings.Contains(err.Error(), "stopping") {
		t.Errorf("after the end: %v", err)
	}
}
