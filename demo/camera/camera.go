// Package camera is a camera that shows the moving-shapes world: an RTSP server that streams
// it as H.264, in real time, and knows what it showed when.
package camera

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v5/pkg/liberrors"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/ffmpeg"
)

// Options are what a camera shows and how. Zero values stand for what each line says.
type Options struct {
	Address  string                 // to listen on: 127.0.0.1:0
	Scenes   iter.Seq[*world.Scene] // one after another: those of seed 1, 4 s each
	Encoding ffmpeg.Encoding        // 320x240, 25 a second, CRF 23, a key picture every 2 s
	Loss     float64                // part of the RTP packets that is lost on the way: none
	Username string                 // asked for, with the password; none
	Password string
}

func (o Options) withDefaults() Options {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	if o.Scenes == nil {
		o.Scenes = world.Scenes(1, world.Options{Duration: 4 * time.Second})
	}
	if o.Encoding.Rate == 0 {
		o.Encoding = ffmpeg.Encoding{Width: 320, Height: 240, Rate: 25, CRF: 23, GOP: 50}
	}
	return o
}

// path is where the stream is.
const path = "/shapes"

// Camera is a server. All methods may be called by any goroutine.
type Camera struct {
	o       Options
	address string
	server  *gortsplib.Server
	ready   chan struct{} // closed when there is a stream: whoever is quick asks before
	stream  *gortsplib.ServerStream
	media   *description.Media
	rtp     *rtph264.Encoder
	chance  *rand.Rand

	mu       sync.Mutex
	shown    []showing
	sessions int // that began to play
}

// showing is a scene and when its first frame was captured.
type showing struct {
	*world.Scene
	start time.Time
}

// remembered is for how long a camera knows what it showed.
const remembered = 10 * time.Minute

// Start listens. Nobody sees anything before Run.
func Start(o Options) (*Camera, error) {
	c := &Camera{o: o.withDefaults(), chance: rand.New(rand.NewPCG(1, 1)), ready: make(chan struct{})}
	l, err := net.Listen("tcp", c.o.Address)
	if err != nil {
		return nil, fmt.Errorf("start camera: %w", err)
	}
	c.address = l.Addr().String()
	c.server = &gortsplib.Server{Handler: c, RTSPAddress: c.address,
		Listen: func(string, string) (net.Listener, error) { return l, nil }}
	if err := c.server.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start camera: %w", err), l.Close())
	}
	// Without parameter sets: they are in the stream.
	h := &format.H264{PayloadTyp: 96, PacketizationMode: 1}
	c.media = &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{h}}
	c.stream = &gortsplib.ServerStream{Server: c.server, Desc: &description.Session{Medias: []*description.Media{c.media}}}
	if err = c.stream.Initialize(); err == nil {
		c.rtp, err = h.CreateEncoder()
	}
	close(c.ready)
	if err != nil {
		c.server.Close()
		return nil, fmt.Errorf("start camera: %w", err)
	}
	return c, nil
}

// URL is where the stream is, without user and password.
func (c *Camera) URL() string { return "rtsp://" + c.address + path }

// Sessions is how many readers have begun to play.
func (c *Camera) Sessions() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sessions
}

// Run shows the scenes until ctx ends, or they do, and then closes the camera.
func (c *Camera) Run(ctx context.Context) error {
	defer c.server.Close()
	defer c.stream.Close()
	begun := time.Now()
	e, err := ffmpeg.Live(c.o.Encoding, func(u frames.Unit) error { return c.send(u, begun.Add(u.PTS)) })
	if err != nil {
		return fmt.Errorf("run camera: %w", err)
	}
	err = c.show(ctx, e, begun)
	if ctx.Err() != nil {
		err = nil
	}
	return errors.Join(err, e.Close())
}

// show draws each frame when it is time.
func (c *Camera) show(ctx context.Context, e *ffmpeg.Encoder, begun time.Time) error {
	img := image.NewRGBA(image.Rect(0, 0, c.o.Encoding.Width, c.o.Encoding.Height))
	n := 0
	at := func(n int) time.Duration { return time.Duration(n) * time.Second / time.Duration(c.o.Encoding.Rate) }
	for s := range c.o.Scenes {
		start := at(n)
		c.remember(showing{s, begun.Add(start)})
		for ; at(n)-start < s.Duration; n++ {
			select {
			case <-time.After(time.Until(begun.Add(at(n)))):
			case <-ctx.Done():
				return ctx.Err()
			}
			s.Draw(img, at(n)-start)
			if err := e.Write(img); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Camera) remember(s showing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shown = append(c.shown, s)
	for time.Since(c.shown[0].start.Add(c.shown[0].Duration)) > remembered {
		c.shown = c.shown[1:]
	}
}

// Truth is what a stretch of time showed. It is not ok where the stretch is not within one
// scene: times are those of the camera's sender reports.
func (c *Camera) Truth(from, to time.Time) (truth world.Truth, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.shown {
		if !from.Before(s.start) && !to.After(s.start.Add(s.Duration)) {
			return s.Truth(from.Sub(s.start), to.Sub(s.start)), true
		}
	}
	return world.Truth{}, false
}

// clockRate is H.264's, in ticks a second.
const clockRate = 90000

// send sends an access unit to all who play.
func (c *Camera) send(u frames.Unit, captured time.Time) error {
	var nals h264.AnnexB
	if err := nals.Unmarshal(u.Data); err != nil {
		return fmt.Errorf("send unit: %w", err)
	}
	packets, err := c.rtp.Encode(nals)
	if err != nil {
		return fmt.Errorf("send unit: %w", err)
	}
	for _, p := range packets {
		if c.chance.Float64() < c.o.Loss {
			continue
		}
		p.Timestamp = uint32(int64(u.PTS.Seconds() * clockRate))
		if err := c.stream.WritePacketRTPWithNTP(c.media, p, captured); err != nil {
			return fmt.Errorf("send unit: %w", err)
		}
	}
	return nil
}

// OnDescribe implements gortsplib.ServerHandlerOnDescribe.
func (c *Camera) OnDescribe(r *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	<-c.ready
	switch {
	case c.o.Username != "" && !r.Conn.VerifyCredentials(r.Request, c.o.Username, c.o.Password):
		return &base.Response{StatusCode: base.StatusUnauthorized}, nil, liberrors.ErrServerAuth{}
	case r.Path != path:
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, c.stream, nil
}

// OnSetup implements gortsplib.ServerHandlerOnSetup.
func (c *Camera) OnSetup(*gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	<-c.ready
	return &base.Response{StatusCode: base.StatusOK}, c.stream, nil
}

// OnPlay implements gortsplib.ServerHandlerOnPlay.
func (c *Camera) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions++
	return &base.Response{StatusCode: base.StatusOK}, nil
}
