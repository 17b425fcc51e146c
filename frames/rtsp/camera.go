// Package rtsp reads cameras: it gives the access units of an RTSP stream with their times,
// over TCP or UDP, plain or by TLS, and says why a stream could not be had or ended. It
// parses all of it in Go; what the units hold is for a decoder in a sandbox.
//
// Credentials go to the camera's own address and nowhere else: a camera that redirects to
// another host is asked there without them. No error tells a password.
package rtsp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"

	"github.com/captiond/captiond/frames"
)

// Deadlines: a camera that sends nothing for ioTimeout is lost, one that has not begun to
// play within openTimeout has not been opened.
const (
	ioTimeout   = 5 * time.Second
	openTimeout = 15 * time.Second
)

// maxRedirects is how many a camera may answer with.
const maxRedirects = 3

// Transport is how a stream travels.
type Transport string

// The transports.
const (
	TCP Transport = "tcp" // interleaved with RTSP
	UDP Transport = "udp" // TCP where no packet comes within 3 s
)

// Camera is where a stream is and how it is asked for. It is a plain value: any number of
// goroutines may read one.
type Camera struct {
	URL                string // rtsp:// or rtsps://, without user information
	Username, Password string
	Transport          Transport   // TCP where empty
	TLS                *tls.Config // for rtsps://; nil verifies as browsers do
	Dialer             net.Dialer
	// Dial connects in place of Dialer, where it is set: to the address, or to none if that may
	// not be. Datagrams then go to the host that was dialled, whatever the camera says.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Read plays the stream and hands each unit to use, in the order of arrival, from the first
// key unit on. It returns when ctx ends, when use fails, or when the stream is lost, which
// is always an error: a live stream has no end. Use is called by one goroutine at a time,
// and while it works nothing is read.
func (c Camera) Read(ctx context.Context, use func(frames.Unit) error) error {
	target, err := base.ParseURL(c.URL)
	if err != nil {
		return fmt.Errorf("read camera address: %w", c.hide(err))
	}
	if target.User != nil {
		return errors.New("read camera address: it holds a user or a password: give them apart")
	}
	for range maxRedirects + 1 {
		s := &session{camera: c, use: use, address: dialed(target)}
		err := s.play(ctx, target)
		if s.elsewhere == nil {
			return c.hide(err)
		}
		if target.Scheme == "rtsps" && s.elsewhere.Scheme != "rtsps" {
			return &RefusedError{Reason: "it redirects from rtsps to " + s.elsewhere.Scheme}
		}
		if s.elsewhere.Hostname() != target.Hostname() {
			c.Username, c.Password = "", ""
		}
		target = s.elsewhere
	}
	return &RefusedError{Reason: fmt.Sprintf("it redirects more than %d times", maxRedirects)}
}

// dialed is the address that a URL leads to.
func dialed(u *base.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	if u.Scheme == "rtsps" {
		return net.JoinHostPort(u.Hostname(), "322")
	}
	return net.JoinHostPort(u.Hostname(), "554")
}

// A session is one connection to a camera.
type session struct {
	camera    Camera
	use       func(frames.Unit) error
	address   string    // the only one that is dialled
	elsewhere *base.URL // where the camera redirected to, if to another address
	client    gortsplib.Client
	lost      atomic.Uint64 // packets, since the last unit
	peer      net.Addr      // that was dialled
}

// errElsewhere ends a session whose camera redirected to another address.
var errElsewhere = errors.New("redirected to another address")

// play runs the session until the stream is lost.
func (s *session) play(ctx context.Context, target *base.URL) error {
	s.client = gortsplib.Client{
		Scheme: target.Scheme, Host: target.Host, TLSConfig: s.camera.tls(target.Hostname()), Protocol: s.camera.protocol(),
		ReadTimeout: ioTimeout, WriteTimeout: ioTimeout, UserAgent: "captiond", DialContext: s.dial, OnResponse: s.watch,
		OnPacketsLost:     func(n uint64) { s.lost.Add(n) },
		OnTransportSwitch: func(error) {}, // what the library would print goes nowhere: units and errors say enough
		OnDecodeError:     func(error) {},
	}
	if s.camera.Dial != nil {
		s.client.ListenPacket = s.listen
	}
	if err := s.client.Start(); err != nil {
		return fmt.Errorf("connect to camera: %w", err)
	}
	defer s.client.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(openTimeout, func() { cancel(errOpening) })
	defer late.Stop()
	defer context.AfterFunc(ctx, s.client.Close)()
	err := s.open(target, cancel)
	if err == nil && late.Stop() {
		err = s.client.Wait()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return classify(err)
}

// tls is how the camera's certificate is verified: by its own host's name unless another is
// asked for.
func (c Camera) tls(host string) *tls.Config {
	if c.TLS == nil {
		return &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	}
	own := c.TLS.Clone()
	if own.ServerName == "" {
		own.ServerName = host
	}
	return own
}

// protocol is the library's name of the transport; nil tries UDP, then TCP.
func (c Camera) protocol() *gortsplib.Protocol {
	if c.Transport == UDP {
		return nil
	}
	tcp := gortsplib.ProtocolTCP
	return &tcp
}

// watch notes redirects to other addresses before the library follows them.
func (s *session) watch(res *base.Response) {
	location := res.Header["Location"]
	if res.StatusCode < base.StatusMovedPermanently || res.StatusCode > base.StatusUseProxy || len(location) != 1 {
		return
	}
	if to, err := base.ParseURL(location[0]); err == nil && dialed(to) != s.address {
		to.User = nil
		s.elsewhere = to
	}
}

// open asks for the first video track that can be read, and has it play.
func (s *session) open(target *base.URL, cancel context.CancelCauseFunc) error {
	asked := target.Clone()
	if s.camera.Username != "" {
		asked.User = url.UserPassword(s.camera.Username, s.camera.Password)
	}
	desc, _, err := s.client.Describe(asked)
	if err != nil {
		return err
	}
	track, media, err := findTrack(desc)
	if err != nil {
		return err
	}
	if _, err := s.client.Setup(desc.BaseURL, media, 0, 0); err != nil {
		return err
	}
	s.receive(track, media, cancel)
	_, err = s.client.Play(nil)
	return err
}

// receive has packets become units.
func (s *session) receive(t *track, media *description.Media, cancel context.CancelCauseFunc) {
	begun := time.Now()
	failed := false
	s.client.OnPacketRTP(media, t.format, func(p *packet) {
		data, key, ok := t.unit(p)
		pts, timed := s.client.PacketPTS(media, p)
		if !ok || !timed || failed {
			return
		}
		u := frames.Unit{Codec: t.codec, Data: data, Key: key, Lost: s.lost.Swap(0), Stamp: frames.Stamp{
			PTS: t.duration(pts), Arrival: time.Since(begun), Wall: time.Now(),
		}}
		if ntp, known := s.client.PacketNTP(media, p); known {
			u.Camera = ntp
		}
		if err := s.use(u); err != nil {
			failed = true
			cancel(err)
		}
	})
}
