// Package ffmpeg decodes video files with the FFmpeg libraries, and encodes the demo's. It
// owns everything that touches FFmpeg: demuxing, the choice of the track, the clip's
// timeline, decoding, and conversion to upright RGB with square pixels.
//
// Files are hostile. The package reads only the bytes it is given (custom IO, no protocol),
// lets only allow-listed demuxers and decoders at them and bounds sizes, but a decoder may
// still crash or hang: in production Serve runs in a sandboxed child process of its own
// (frames/worker), and what it says is not trusted either.
//
// A Clip is used by one goroutine at a time. FFmpeg's messages go to standard error; call
// Quiet to have only errors there.
package ffmpeg

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/wire"
)

// Limits bounds the work on one clip. Both are at least 1.
type Limits struct {
	MaxPixels int // largest width*height that is decoded or returned
	Threads   int // decoder threads

	// Progress, if set, is called during long work, at most twice a second, by the
	// goroutine that works.
	Progress func(wire.Progress)
}

// progressEvery is how often Progress is called; the parent gives up on a child that says
// nothing for ten seconds.
const progressEvery = 500 * time.Millisecond

// Clip is an opened video file.
type Clip struct {
	limits Limits
	source *source
	in     *input
	tl     *timeline
	dec    *decoder
	info   frames.Info
	live   live

	cur, ahead shot // the picture on screen and the one after it
	kept       shot // the one that was ahead when one was last shown
	ended      bool // no picture follows cur

	aim      aim  // of the decoder to come
	sparing  bool // whether pictures that no other refers to may be left out
	jump     bool // whether seeking is allowed
	faults   int  // damaged pictures met by decoders that are closed
	firstBad int64

	said time.Time
	work wire.Progress
}

// shot is a decoded picture and when it comes on screen.
type shot struct {
	frame *astiav.Frame
	at    int64
	ok    bool
}

// Quiet keeps FFmpeg's log to errors. The log goes to standard error through FFmpeg's own
// logger: go-astiav's callback overflows its buffer on long messages.
func Quiet() { astiav.SetLogLevel(astiav.LogLevelError) }

// Open reads the whole of a video file once, without decoding, to know its timeline, and
// decodes the first picture. r holds size bytes that must not change until Close. The
// error says what is wrong with the file and what to do.
func Open(r io.ReaderAt, size int64, l Limits) (*Clip, error) {
	if l.MaxPixels < 1 || l.Threads < 1 {
		return nil, errors.New("open clip: the limits of pixels and threads must be at least 1")
	}
	if err := sniff(r); err != nil {
		return nil, err
	}
	c := &Clip{limits: l, source: &source{r: r, size: size}, jump: true, aim: everything(), firstBad: none, said: time.Now()}
	if err := c.open(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Clip) open() (err error) {
	for _, s := range []*shot{&c.cur, &c.ahead, &c.kept} {
		s.frame = astiav.AllocFrame()
		c.live.frames++
	}
	if c.in, err = openInput(c.source, c.limits.MaxPixels, &c.live); err != nil {
		return err
	}
	if c.tl, err = scan(c.in, func() { c.tick(1, 0) }); err != nil {
		return err
	}
	if err := c.restart(); err != nil {
		return err
	}
	if !c.ahead.ok {
		return errors.New("none of its pictures could be decoded: the file is damaged, copy it again")
	}
	c.tl.start = c.ahead.at
	c.sparing = len(c.tl.keys) > 0 && sparable(c.in)
	c.describe()
	return nil
}

// Info is what is known of the clip.
func (c *Clip) Info() frames.Info { return c.info }

func (c *Clip) describe() {
	w, h := shape(c.in.track, c.ahead.frame, c.limits.MaxPixels)
	if orientation(c.in.track, c.ahead.frame).turned() {
		w, h = h, w
	}
	c.info = frames.Info{
		Container: c.in.format.InputFormat().Name(), Codec: c.in.track.CodecParameters().CodecID().Name(),
		Width: w, Height: h, Duration: c.tl.time(c.tl.end),
		Created: created(c.in), Title: c.in.tag("title"), Damage: c.tl.damage,
	}
}

// restart begins to decode at the file's first packet.
func (c *Clip) restart() error {
	c.stop()
	if c.in != nil {
		c.in.close()
		c.in = nil
	}
	in, err := openInput(c.source, c.limits.MaxPixels, &c.live)
	if err != nil {
		return fmt.Errorf("open the file again: %w", err)
	}
	c.in = in
	return c.start()
}

// start makes a decoder for the input where it stands and takes the first picture.
func (c *Clip) start() error {
	dec, err := newDecoder(c.in, c.tl, c.limits, &c.live)
	if err != nil {
		return err
	}
	c.begin(dec)
	return nil
}

func (c *Clip) begin(dec *decoder) {
	c.dec = dec
	c.dec.aim = c.aim
	c.dec.tick = func(pictures int) { c.tick(1-pictures, pictures) }
	c.cur.ok, c.ahead.ok, c.ended = false, false, false
	c.advance()
}

// stop ends the decoder, remembering what it found damaged.
func (c *Clip) stop() {
	if c.dec == nil {
		return
	}
	if c.dec.faults > 0 {
		c.faults = max(c.faults, c.dec.faults)
		if c.firstBad == none {
			c.firstBad = c.dec.first
		}
	}
	c.dec.close()
	c.dec = nil
}

// advance puts the picture ahead on screen and decodes the one after it.
func (c *Clip) advance() {
	if c.ahead.ok {
		c.cur, c.ahead = c.ahead, c.cur
	}
	at, err := c.dec.next(c.ahead.frame)
	c.ahead.at, c.ahead.ok = at, err == nil
	c.ended = err != nil
}

// Close frees all that FFmpeg holds.
func (c *Clip) Close() {
	c.stop()
	if c.in != nil {
		c.in.close()
		c.in = nil
	}
	for _, s := range []*shot{&c.cur, &c.ahead, &c.kept} {
		if s.frame != nil {
			s.frame.Free()
			s.frame = nil
			c.live.frames--
		}
	}
	c.source.r = nil
}

// tick counts work and says so when it is time.
func (c *Clip) tick(packets, pictures int) {
	c.work.Packets += int64(packets)
	c.work.Frames += int64(pictures)
	if c.limits.Progress == nil || time.Since(c.said) < progressEvery {
		return
	}
	c.said = time.Now()
	if c.tl != nil && c.cur.ok {
		c.work.PTS = c.tl.time(c.cur.at)
	}
	c.limits.Progress(c.work)
}

// Damage says what was found wrong with the file so far, "" when nothing was.
func (c *Clip) Damage() string {
	if c.source.err != nil {
		return c.source.err.Error()
	}
	faults, first := c.faults, c.firstBad
	if c.dec != nil && c.dec.faults > 0 {
		faults = max(faults, c.dec.faults)
		if first == none {
			first = c.dec.first
		}
	}
	if faults == 0 || c.tl.damage != "" {
		return c.tl.damage
	}
	at := time.Duration(0)
	if first != none {
		at = c.tl.time(first)
	}
	return fmt.Sprintf("the file is damaged: %d pictures could not be decoded, the first after %.1f s", faults, at.Seconds())
}

// tag is one of the container's texts.
func (in *input) tag(name string) string {
	m := in.format.Metadata()
	if m == nil {
		return ""
	}
	if e := m.Get(name, nil, 0); e != nil {
		return e.Value()
	}
	return ""
}

// created reads the container's creation time; encoders that know none write 1904 or 1970.
func created(in *input) time.Time {
	t, err := time.Parse(time.RFC3339Nano, in.tag("creation_time"))
	if err != nil || t.Year() < 1980 {
		return time.Time{}
	}
	return t.UTC()
}
