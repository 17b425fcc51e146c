package rtsp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"

	"github.com/captiond/captiond/frames/rtsp"
)

// dialer leads every name to one address, and notes what was asked for.
type dialer struct {
	mu    sync.Mutex
	to    string
	asked []string
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	d.asked = append(d.asked, network+" "+address)
	d.mu.Unlock()
	return new(net.Dialer).DialContext(ctx, network, d.to)
}

// Where Dial is set it alone connects, whatever the transport; the name is looked up by nobody
// else, and is the one that certificates are judged by.
func TestDial(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil) // for its certificate, which is of example.com
	defer web.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	verify := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	rtp, rtcp := udpPair(t)
	for name, tt := range map[string]struct {
		server *gortsplib.Server
		camera rtsp.Camera
	}{
		"tcp":   {&gortsplib.Server{}, rtsp.Camera{URL: "rtsp://camera.invalid:5540/live"}},
		"udp":   {&gortsplib.Server{UDPRTPAddress: rtp, UDPRTCPAddress: rtcp}, rtsp.Camera{URL: "rtsp://camera.invalid:5540/live", Transport: rtsp.UDP}},
		"rtsps": {&gortsplib.Server{TLSConfig: web.TLS}, rtsp.Camera{URL: "rtsps://example.com:5540/live", TLS: verify}},
	} {
		p := startServer(t, tt.server, newH264(sps, pps))
		d := &dialer{to: p.address}
		tt.camera.Dial = d.dial
		if err := p.readOne(t, tt.camera); !errors.Is(err, errEnough) {
			t.Errorf("%s: %v", name, err)
		}
		want := "tcp " + strings.TrimSuffix(strings.SplitN(tt.camera.URL, "://", 2)[1], "/live")
		if !slices.Equal(d.asked, []string{want}) {
			t.Errorf("%s: asked for %q, want %q", name, d.asked, want)
		}
	}
	p := startServer(t, &gortsplib.Server{TLSConfig: web.TLS}, newH264(sps, pps))
	var refused *rtsp.RefusedError
	other := rtsp.Camera{URL: "rtsps://camera.invalid/live", TLS: verify, Dial: (&dialer{to: p.address}).dial}
	if err := p.readOne(t, other); !errors.As(err, &refused) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("another name than the certificate's: %v", err)
	}
}

// What Dial refuses is refused, and not lost: at the address itself, and where it redirects to.
func TestDialRefuses(t *testing.T) {
	t.Parallel()
	address, _ := script(t, func(request string) string {
		return "RTSP/1.0 302 Found\r\n" + sequence(request) + "\r\nLocation: rtsp://elsewhere.invalid:9/live\r\n\r\n"
	})
	want := &rtsp.RefusedError{Reason: "it is not to be spoken to"}
	var asked []string
	dial := func(ctx context.Context, network, to string) (net.Conn, error) {
		if asked = append(asked, to); to != address {
			return nil, want
		}
		return new(net.Dialer).DialContext(ctx, network, to)
	}
	for url, steps := range map[string][]string{
		"rtsp://elsewhere.invalid:9/live": {"elsewhere.invalid:9"},
		"rtsp://" + address + "/live":     {address, "elsewhere.invalid:9"},
	} {
		asked = nil
		var refused *rtsp.RefusedError
		err := rtsp.Camera{URL: url, Dial: dial}.Read(t.Context(), nil)
		if !errors.As(err, &refused) || refused != want || errors.Is(err, rtsp.ErrLost) || !slices.Equal(asked, steps) {
			t.Errorf("%s: %v, asked for %v", url, err, asked)
		}
	}
}

// A camera that names another host as the source of its packets: where Dial is set nothing is
// sent there.
func TestDatagrams(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		dial bool
		want bool
	}{"pinned": {true, false}, "the operator's": {false, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			victim, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.2:0")
			if err != nil {
				t.Fatal(err)
			}
			defer victim.Close()
			port := victim.LocalAddr().(*net.UDPAddr).Port
			ctx, cancel := context.WithCancel(t.Context())
			address, _ := script(t, lures(port, cancel))
			c := rtsp.Camera{URL: "rtsp://" + address + "/live", Transport: rtsp.UDP}
			if tt.dial {
				c.Dial = new(net.Dialer).DialContext
			}
			if err := c.Read(ctx, nil); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			if err := victim.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if _, _, err := victim.ReadFrom(make([]byte, 100)); (err == nil) != tt.want {
				t.Errorf("datagrams came: %v, want %v", err == nil, tt.want)
			}
		})
	}
}

// lures is a camera that says that its packets come from 127.0.0.2. When it is asked a second
// time how they are to come, over is called: by then all by the first way has been sent.
func lures(port int, over func()) func(string) string {
	clients := regexp.MustCompile(`client_port=([0-9-]+)`)
	const sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:one\r\n"
	setups := 0
	return func(request string) string {
		ok := "RTSP/1.0 200 OK\r\n" + sequence(request) + "\r\nSession: 1\r\n"
		switch strings.Fields(request)[0] {
		case "OPTIONS":
			return ok + "Public: DESCRIBE, SETUP, PLAY\r\n\r\n"
		case "DESCRIBE":
			return ok + fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
		case "SETUP":
			if setups++; setups > 1 {
				over()
				return ""
			}
			return ok + fmt.Sprintf("Transport: RTP/AVP;unicast;client_port=%s;server_port=%d-%d;source=127.0.0.2\r\n\r\n",
				clients.FindStringSubmatch(request)[1], port, port+1)
		}
		return ok + "\r\n"
	}
}
