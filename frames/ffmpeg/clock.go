package ffmpeg

import (
	"time"

	"github.com/asticode/go-astiav"
)

const (
	jumpLive   = 10 * time.Second // a longer step is a broken clock where clocks may jump (MPEG-TS, -PS)
	jumpStored = 30 * time.Hour   // and elsewhere, where a picture may stand for long
	jumpBack   = time.Second      // a step back; reordered pictures stay well below it
)

// none is a time stamp that is not there.
const none = astiav.NoPtsValue

// stamp is a packet's time stamps in ticks of its track, made continuous.
type stamp struct {
	pts, dts, duration int64
	key, discard       bool
}

// clock makes a track's time stamps continuous, in the order of the file: where they jump
// (spliced recordings) time goes on as if the next picture followed the last at once. It
// is a function of the packets alone, so that two passes over a file agree.
type clock struct {
	ahead, back  int64 // the steps, in ticks, from which on it is a jump
	offset       int64
	last, step   int64 // of the packet before; none before the first
	jumps, steps int
}

func newClock(in *input) clock {
	limit := jumpStored
	if wraps(in.format.InputFormat()) {
		limit = jumpLive
	}
	base := in.track.TimeBase()
	return clock{ahead: max(1, ticks(limit, base)), back: max(1, ticks(jumpBack, base)), last: none}
}

// read returns a packet's stamps and moves on.
func (c *clock) read(p *astiav.Packet) stamp {
	s := stamp{pts: p.Pts(), dts: p.Dts(), duration: max(0, p.Duration()),
		key:     p.Flags().Has(astiav.PacketFlagKey),
		discard: p.Flags().Has(astiav.PacketFlagDiscard)}
	at := s.dts
	if at == none {
		at = s.pts
	}
	if at != none {
		c.follow(at, s.duration)
	}
	s.pts, s.dts = c.shift(s.pts), c.shift(s.dts)
	return s
}

// follow compares a time with the one before and, at a jump, changes the offset.
func (c *clock) follow(at, duration int64) {
	now := c.shift(at)
	if c.last == none {
		c.last, c.step = now, max(1, duration)
		return
	}
	c.steps++
	switch step := now - c.last; {
	case step > c.ahead || step < -c.back:
		c.jumps++
		c.offset -= step - c.step
		now = c.last + c.step
	case step > 0:
		c.step = step
	}
	c.last = now
}

func (c *clock) shift(at int64) int64 {
	if at == none {
		return none
	}
	return at + c.offset
}

// ticks and length convert between time and ticks of a track, rounded to the nearest.
func ticks(d time.Duration, base astiav.Rational) int64 {
	return astiav.RescaleQ(int64(d), astiav.NewRational(1, int(time.Second)), base)
}

func length(t int64, base astiav.Rational) time.Duration {
	return time.Duration(astiav.RescaleQ(t, base, astiav.NewRational(1, int(time.Second))))
}
