package ffmpeg

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/captiond/captiond/frames/wire"
)

// liveDecoders are FFmpeg's names of what a camera may send.
func liveDecoders() map[string]string {
	return map[string]string{"h264": "h264", "h265": "hevc", "mjpeg": "mjpeg"}
}

// A feed decodes the access units of a live stream, one by one. Frames come out in the order
// of their PTS; one is on screen until the next comes.
type feed struct {
	codec     *astiav.CodecContext
	packet    *astiav.Packet
	cur, next *astiav.Frame
	shown     time.Duration // PTS of cur
	ok        bool          // cur holds a frame
	given     bool          // which has been given as a picture
	asked     bool          // there is a grid
	grid      wire.Grid     // From is the next instant
	trust     trust
	limits    Limits
	live      live
	say       func(wire.Message) error
}

// serveLive answers the messages of a live stream until the parent ends them.
func (s *server) serveLive(m wire.Live) error {
	f, err := openFeed(m, s.say)
	if err != nil {
		return s.fail(err)
	}
	defer f.close()
	for {
		m, err := s.in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("serve decoder: %w", err)
		}
		if err := f.take(m); err != nil {
			return s.fail(err)
		}
	}
}

func openFeed(m wire.Live, say func(wire.Message) error) (*feed, error) {
	codec := astiav.FindDecoderByName(liveDecoders()[m.Codec])
	if codec == nil {
		return nil, fmt.Errorf("open live stream: no decoder for %q", m.Codec)
	}
	f := &feed{limits: Limits{MaxPixels: m.MaxPixels, Threads: m.Threads}, say: say,
		packet: astiav.AllocPacket(), cur: astiav.AllocFrame(), next: astiav.AllocFrame()}
	f.codec = astiav.AllocCodecContext(codec)
	options := astiav.NewDictionary()
	defer options.Free()
	// Frame threads would hold back a frame for each thread.
	err := set(options, "max_pixels", strconv.Itoa(m.MaxPixels), "threads", strconv.Itoa(m.Threads), "thread_type", "slice")
	if err == nil {
		err = f.codec.Open(codec, options)
	}
	if err != nil {
		f.close()
		return nil, fmt.Errorf("open live stream: %w", err)
	}
	return f, nil
}

func (f *feed) close() {
	f.codec.Free()
	f.packet.Free()
	f.cur.Free()
	f.next.Free()
}

func (f *feed) take(m wire.Message) error {
	switch m := m.(type) {
	case wire.Unit:
		return f.unit(m)
	case wire.Grid:
		f.grid, f.asked = m, true
		return nil
	case wire.Drain:
		return f.drain()
	}
	return fmt.Errorf("a request is a %T", m)
}

// unit decodes an access unit. One that cannot be decoded is a fault of the stream, not an
// error.
func (f *feed) unit(u wire.Unit) error {
	if u.Lost && !u.Key {
		f.trust.fault()
	}
	if err := load(f.packet, u.Data); err != nil {
		return fmt.Errorf("decode unit: %w", err)
	}
	f.packet.SetPts(int64(u.PTS))
	if u.Key {
		f.packet.SetFlags(astiav.NewPacketFlags(astiav.PacketFlagKey))
	}
	if err := f.codec.SendPacket(f.packet); err != nil {
		f.trust.fault()
	}
	return f.receive()
}

// receive brings on screen what the decoder has ready.
func (f *feed) receive() error {
	for failures := 0; failures < maxFailures; {
		f.next.Unref()
		err := f.codec.ReceiveFrame(f.next)
		switch {
		case errors.Is(err, astiav.ErrEagain), errors.Is(err, astiav.ErrEof):
			return nil
		case err != nil:
			f.trust.fault()
			failures++
		default:
			if err := f.arrive(time.Duration(f.next.Pts())); err != nil {
				return err
			}
		}
	}
	return nil
}

// arrive brings the frame that was received on screen. One that is damaged, without a time or
// late is passed over.
func (f *feed) arrive(pts time.Duration) error {
	if !f.trust.whole(f.next) || f.next.Pts() == none || f.ok && pts <= f.shown {
		f.trust.skipped++
		return nil
	}
	if f.ok && f.due(pts) {
		if err := f.give(); err != nil {
			return err
		}
	}
	f.cur, f.next = f.next, f.cur
	f.shown, f.ok, f.given = pts, true, false
	return f.say(wire.Moved{PTS: pts, Skipped: f.trust.skipped})
}

// due says whether an instant of the grid was before a time, and goes on to the next.
func (f *feed) due(until time.Duration) bool {
	if !f.asked || until <= f.grid.From {
		return false
	}
	f.grid.From += (until - f.grid.From - 1).Truncate(f.grid.Every) + f.grid.Every
	return true
}

// give sends the frame on screen, once.
func (f *feed) give() error {
	if f.given {
		return nil
	}
	f.given = true
	p, err := convert(nil, f.cur, f.limits, &f.live)
	if err != nil {
		return err
	}
	p.Count, p.PTS = 1, f.shown
	return f.say(p)
}

func (f *feed) drain() error {
	if err := f.codec.SendPacket(nil); err == nil {
		if err := f.receive(); err != nil {
			return err
		}
	}
	if f.ok {
		if err := f.give(); err != nil {
			return err
		}
	}
	return f.say(wire.Shown{})
}

// trust says which pictures may be shown. After a fault those that refer to what was lost are
// passed over, up to the next key picture: the last good one stays on screen.
type trust struct {
	suspect int   // how many of the pictures to come may be spoilt by a fault
	skipped int64 // pictures of a feed that were passed over
}

func (t *trust) fault() { t.suspect = maxSuspect }

// whole reports whether a picture may be shown.
func (t *trust) whole(f *astiav.Frame) bool {
	switch {
	case broken(f):
		t.fault()
		return false
	case f.KeyFrame():
		t.suspect = 0
	case t.suspect > 0:
		t.suspect--
		return false
	}
	return true
}
