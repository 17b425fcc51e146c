package rtsp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
	"go.uber.org/goleak"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/rtsp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The parameter sets of a camera, 1920x1080.
var (
	sps = []byte{
		0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5, 0x84, 0x00, 0x00, 0x03, 0x00,
		0x04, 0x00, 0x00, 0x03, 0x00, 0xf0, 0x3c, 0x60, 0xc6, 0x58,
	}
	pps = []byte{0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0}
)

// A peer is a camera: gortsplib's server with one H.264 track.
type peer struct {
	server         *gortsplib.Server
	stream         *gortsplib.ServerStream
	media          *description.Media
	user, password string
	address        string
	playing        chan struct{}
	asked          atomic.Int32 // descriptions
}

// OnDescribe implements gortsplib.ServerHandlerOnDescribe.
func (p *peer) OnDescribe(c *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	p.asked.Add(1)
	switch {
	case p.user != "" && !c.Conn.VerifyCredentials(c.Request, p.user, p.password):
		return &base.Response{StatusCode: base.StatusUnauthorized}, nil, liberrors.ErrServerAuth{}
	case c.Path != "/live":
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, p.stream, nil
}

// OnSetup implements gortsplib.ServerHandlerOnSetup.
func (p *peer) OnSetup(*gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, p.stream, nil
}

// OnPlay implements gortsplib.ServerHandlerOnPlay.
func (p *peer) OnPlay(c *gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	go func() { // what is sent before the session plays is lost
		for c.Session.State() != gortsplib.ServerSessionStatePlay {
			<-time.After(time.Millisecond)
		}
		p.playing <- struct{}{}
	}()
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// startPeer starts a camera on a free port until the test ends.
func startPeer(t *testing.T, formats ...format.Format) *peer {
	t.Helper()
	return startServer(t, &gortsplib.Server{}, formats...)
}

// startServer starts a camera with the server's own settings.
func startServer(t *testing.T, server *gortsplib.Server, formats ...format.Format) *peer {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{address: listener.Addr().String(), playing: make(chan struct{}, 10)}
	p.server = server
	server.Handler, server.RTSPAddress = p, p.address
	server.Listen = func(string, string) (net.Listener, error) { return listener, nil }
	if err := p.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.server.Close)
	kind := description.MediaTypeVideo
	if _, audio := formats[0].(*format.G711); audio {
		kind = description.MediaTypeAudio
	}
	p.media = &description.Media{Type: kind, Formats: formats}
	p.stream = &gortsplib.ServerStream{Server: p.server, Desc: &description.Session{Medias: []*description.Media{p.media}}}
	if err := p.stream.Initialize(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stream.Close)
	return p
}

func (p *peer) url() string { return "rtsp://" + p.address + "/live" }

// send sends an access unit with its time in ticks of 90 kHz.
func (p *peer) send(t *testing.T, enc *rtph264.Encoder, ticks uint32, nals ...[]byte) {
	t.Helper()
	packets, err := enc.Encode(nals)
	if err != nil {
		t.Error(err)
		return
	}
	for _, packet := range packets {
		packet.Timestamp = ticks
		if err := p.stream.WritePacketRTP(p.media, packet); err != nil {
			t.Error(err)
		}
	}
}

func newH264(sps, pps []byte) *format.H264 {
	return &format.H264{PayloadTyp: 96, PacketizationMode: 1, SPS: sps, PPS: pps}
}

var errEnough = errors.New("enough")

// TestRead receives a stream whose RTP timestamps wrap: units begin with a key unit, which
// has the parameter sets of the description, and PTS go on.
func TestRead(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*format.H264{"sets in the description": newH264(sps, pps), "sets in the stream": newH264(nil, nil)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t, f)
			enc, err := f.CreateEncoder()
			if err != nil {
				t.Fatal(err)
			}
			key, other := bytes.Repeat([]byte{0x65}, 5000), []byte{0x41, 1, 2, 3}
			go func() {
				<-p.playing
				const start = 1<<32 - 2*3600 // two pictures before the wrap
				p.send(t, enc, start-3600, other)
				if f.SPS == nil {
					p.send(t, enc, start, sps, pps, key)
				} else {
					p.send(t, enc, start, key)
				}
				for i := range uint32(4) {
					p.send(t, enc, start+3600*(i+1), other)
				}
			}()
			var units []frames.Unit
			err = rtsp.Camera{URL: p.url()}.Read(t.Context(), func(u frames.Unit) error {
				if units = append(units, u); len(units) == 5 {
					return errEnough
				}
				return nil
			})
			if !errors.Is(err, errEnough) {
				t.Fatal(err)
			}
			checkUnits(t, units, key)
		})
	}
}

func checkUnits(t *testing.T, units []frames.Unit, key []byte) {
	t.Helper()
	start := []byte{0, 0, 0, 1}
	first := slices.Concat(start, sps, start, pps)
	if u := units[0]; !u.Key || u.Codec != frames.H264 || !bytes.HasPrefix(u.Data, first) || !bytes.HasSuffix(u.Data, slices.Concat(start, key)) {
		t.Errorf("the first unit is %d bytes, key: %v, of %s", len(u.Data), u.Key, u.Codec)
	}
	for i, u := range units[1:] {
		if u.Key || !bytes.Equal(u.Data, []byte{0, 0, 0, 1, 0x41, 1, 2, 3}) {
			t.Errorf("unit %d is %x", i+1, u.Data)
		}
		if step := u.PTS - units[i].PTS; step != 40*time.Millisecond {
			t.Errorf("unit %d comes %v after the one before, want 40ms", i+1, step)
		}
		if u.Arrival < units[i].Arrival || u.Wall.IsZero() {
			t.Errorf("unit %d arrived at %v, %v", i+1, u.Arrival, u.Wall)
		}
	}
}

func TestPassword(t *testing.T) {
	t.Parallel()
	p := startPeer(t, newH264(sps, pps))
	p.user, p.password = "viewer", "s3 cret/%"
	never := func(frames.Unit) error { return errEnough }
	for name, c := range map[string]rtsp.Camera{
		"none":  {URL: p.url()},
		"wrong": {URL: p.url(), Username: "viewer", Password: "other"},
	} {
		if err := c.Read(t.Context(), never); !errors.Is(err, rtsp.ErrPassword) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-p.playing
		cancel(errEnough)
	}()
	if err := (rtsp.Camera{URL: p.url(), Username: "viewer", Password: "s3 cret/%"}).Read(ctx, never); !errors.Is(err, errEnough) {
		t.Errorf("right: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	p := startPeer(t, newH264(sps, pps))
	var refused *rtsp.RefusedError
	err := rtsp.Camera{URL: "rtsp://" + p.address + "/other"}.Read(t.Context(), nil)
	if !errors.As(err, &refused) || refused.Code != 404 {
		t.Errorf("wrong path: %v", err)
	}
	audio := startPeer(t, &format.G711{MULaw: true, SampleRate: 8000, ChannelCount: 1})
	var mute *rtsp.NoVideoError
	if err := (rtsp.Camera{URL: audio.url()}).Read(t.Context(), nil); !errors.As(err, &mute) || len(mute.Codecs) != 0 {
		t.Errorf("audio alone: %v", err)
	}
	vp8 := startPeer(t, &format.VP8{PayloadTyp: 96})
	if err := (rtsp.Camera{URL: vp8.url()}).Read(t.Context(), nil); !errors.As(err, &mute) || !slices.Equal(mute.Codecs, []string{"VP8"}) {
		t.Errorf("VP8 alone: %v", err)
	}
	if err := (rtsp.Camera{URL: "rtsp://viewer:canary@" + p.address + "/live"}).Read(t.Context(), nil); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("password in the address: %v", err)
	}
}

// TestLost has servers that go away, and one that is not there.
func TestLost(t *testing.T) {
	t.Parallel()
	p := startPeer(t, newH264(sps, pps))
	go func() {
		<-p.playing
		p.server.Close()
	}()
	if err := (rtsp.Camera{URL: p.url()}).Read(t.Context(), nil); !errors.Is(err, rtsp.ErrLost) {
		t.Errorf("server closed: %v", err)
	}
	if err := (rtsp.Camera{URL: p.url()}).Read(t.Context(), nil); !errors.Is(err, rtsp.ErrLost) {
		t.Errorf("no server: %v", err)
	}
}

// readOne reads until the first unit, which the camera sends again and again once it plays.
func (p *peer) readOne(t *testing.T, c rtsp.Camera) error {
	t.Helper()
	f := p.media.Formats[0].(*format.H264)
	enc, err := f.CreateEncoder()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	defer sending.Wait()
	defer cancel()
	sending.Go(func() {
		select {
		case <-p.playing:
		case <-ctx.Done():
		}
		for n := uint32(1); ctx.Err() == nil; n++ {
			p.send(t, enc, 1000*n, []byte{0x65, 1, 2, 3})
			<-time.After(10 * time.Millisecond)
		}
	})
	return c.Read(ctx, func(frames.Unit) error { return errEnough })
}

func TestTLS(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil) // for its certificate
	defer web.Close()
	p := startServer(t, &gortsplib.Server{TLSConfig: web.TLS}, newH264(sps, pps))
	address := "rtsps://" + p.address + "/live"
	var refused *rtsp.RefusedError
	if err := p.readOne(t, rtsp.Camera{URL: address}); !errors.As(err, &refused) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	if err := p.readOne(t, rtsp.Camera{URL: address, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}); !errors.Is(err, errEnough) {
		t.Errorf("a known certificate: %v", err)
	}
}

func TestUDP(t *testing.T) {
	t.Parallel()
	rtp, rtcp := udpPair(t)
	for name, server := range map[string]*gortsplib.Server{
		"by UDP":          {UDPRTPAddress: rtp, UDPRTCPAddress: rtcp},
		"by TCP after it": {}, // a server that refuses UDP
	} {
		p := startServer(t, server, newH264(sps, pps))
		if err := p.readOne(t, rtsp.Camera{URL: p.url(), Transport: rtsp.UDP}); !errors.Is(err, errEnough) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// udpPair are two neighbouring ports that are free, the first one even.
func udpPair(t *testing.T) (rtp, rtcp string) {
	t.Helper()
	for range 100 {
		a, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := a.LocalAddr().(*net.UDPAddr).Port
		_ = a.Close()
		next := net.JoinHostPort("127.0.0.1", strconv.Itoa(port+1))
		if b, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", next); err == nil && port%2 == 0 {
			_ = b.Close()
			return a.LocalAddr().String(), next
		} else if err == nil {
			_ = b.Close()
		}
	}
	t.Fatal("no two neighbouring ports are free")
	return "", ""
}

// script answers every connection's first request, then each that follows, with a text.
func script(t *testing.T, answer func(request string) string) (address string, seen *atomic.Value) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	seen = new(atomic.Value)
	seen.Store("")
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 4096)
				for {
					n, err := conn.Read(buf)
					if err != nil {
						return
					}
					seen.Store(seen.Load().(string) + string(buf[:n]))
					if text := answer(string(buf[:n])); text != "" {
						_, _ = conn.Write([]byte(text))
					}
				}
			}()
		}
	}()
	return listener.Addr().String(), seen
}

// sequence is the CSeq line of a request.
func sequence(request string) string {
	for line := range strings.Lines(request) {
		if strings.HasPrefix(line, "CSeq:") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// TestRedirect follows a camera to another host, and takes no credentials there.
func TestRedirect(t *testing.T) {
	t.Parallel()
	target := startPeer(t, newH264(sps, pps))
	other := strings.Replace(target.url(), "127.0.0.1", "localhost", 1)
	address, _ := script(t, func(request string) string {
		if strings.HasPrefix(request, "OPTIONS") {
			return "RTSP/1.0 200 OK\r\n" + sequence(request) + "\r\nPublic: DESCRIBE, SETUP, PLAY\r\n\r\n"
		}
		return "RTSP/1.0 302 Found\r\n" + sequence(request) + "\r\nLocation: " + other + "\r\n\r\n"
	})
	target.user, target.password = "viewer", "canary"
	c := rtsp.Camera{URL: "rtsp://" + address + "/live", Username: "viewer", Password: "canary"}
	if err := c.Read(t.Context(), nil); !errors.Is(err, rtsp.ErrPassword) {
		t.Errorf("the other host wants credentials and got them: %v", err)
	}
	if target.asked.Load() == 0 {
		t.Error("the redirect was not followed")
	}
}

// TestSilence is a server that accepts and says nothing.
func TestSilence(t *testing.T) {
	t.Parallel()
	address, _ := script(t, func(string) string { return "" })
	begun := time.Now()
	err := rtsp.Camera{URL: "rtsp://" + address + "/live"}.Read(t.Context(), nil)
	if !errors.Is(err, rtsp.ErrLost) || time.Since(begun) > 15*time.Second {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
}
