package ffmpeg

import (
	"errors"
	"slices"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/captiond/captiond/frames/wire"
)

// seekGap is how many packets must be saved for a seek to be worth a new decoder.
const seekGap = 12

// Show yields the pictures on screen at the given instants, which ascend: for each the
// picture with the greatest PTS not after it, the first picture before that, the last one
// to the end. Each distinct picture is yielded once with the instants it stands for; its
// Pixels belong to the caller. Any number of calls may follow each other; going forward
// costs least. What is not needed for these pictures is not decoded, as far as that changes
// none of them: damage there is not seen. Show ends with the error of yield, if it returns
// one.
func (c *Clip) Show(instants []time.Duration, yield func(wire.Picture) error) error {
	if !slices.IsSorted(instants) {
		return errors.New("show clip: the instants must ascend")
	}
	c.kept.ok = false
	for i := 0; i < len(instants); {
		if err := c.reach(instants[i], c.aimAt(instants, i)); err != nil {
			return err
		}
		n := c.standing(instants[i:])
		p, err := convert(c.in.track, c.cur.frame, c.limits, &c.live)
		if err != nil {
			return err
		}
		p.First, p.Count, p.PTS = i, n, c.tl.time(c.cur.at)
		if err := yield(p); err != nil {
			return err
		}
		if err := c.keep(); err != nil {
			return err
		}
		c.tick(0, 0)
		i += n
	}
	return nil
}

// standing counts the instants, of which the first is on screen now, that come before the
// next picture.
func (c *Clip) standing(instants []time.Duration) int {
	if c.ended {
		return len(instants)
	}
	next := c.tl.time(c.ahead.at)
	n := 1
	for n < len(instants) && instants[n] < next {
		n++
	}
	return n
}

// reach brings the picture of an instant on screen. Where decoding with the aim does not
// prove to be the same as decoding everything it is done again: from the key before, since
// at its end FFmpeg's H.264 decoder keeps back what follows a leading picture that it cannot
// show, then whole, and from then on always so.
func (c *Clip) reach(t time.Duration, a aim) error {
	c.aim = a
	k := c.tl.before(t)
	err := c.approach(t, k)
	if err == nil && c.missed() {
		c.aim = a.onward()
		err = c.back(t, k-1)
	}
	if err == nil && c.missed() {
		c.sparing, c.aim = false, everything()
		err = c.back(t, k)
	}
	if c.kept.ok && (!c.cur.ok || c.cur.at < c.kept.at) {
		c.cur, c.kept = c.kept, c.cur
	}
	if err == nil && !c.cur.ok {
		err = errors.New("no picture could be decoded: the file is damaged, copy it again")
	}
	return err
}

// keep remembers the picture ahead while there is more to show: of a damaged file, decoding
// once more from elsewhere may not get as far.
func (c *Clip) keep() error {
	c.kept.frame.Unref()
	c.kept.at, c.kept.ok = c.ahead.at, !c.ended
	if c.ended {
		return nil
	}
	return c.kept.frame.Ref(c.ahead.frame)
}

// approach decodes up to an instant from where it is least work: where the decoder is, or
// the k-th key, the last one before.
func (c *Clip) approach(t time.Duration, k int) error {
	if c.dec == nil { // the Show before failed
		return c.back(t, 0)
	}
	late := c.cur.ok && c.cur.at > c.tl.start && c.tl.time(c.cur.at) > t
	spent := c.dec.aim.met() && !c.ended && c.tl.time(c.ahead.at) <= t
	far := c.jump && k > 0 && c.tl.keys[k].packet-c.dec.packets > seekGap
	if late || spent || far {
		return c.back(t, k)
	}
	c.dec.aim = c.aim.onward()
	c.forward(t)
	return nil
}

// back decodes anew up to an instant, from the k-th key or the beginning of the file.
func (c *Clip) back(t time.Duration, k int) error {
	found, err := false, error(nil)
	if c.jump && k > 0 {
		found, err = c.seek(k)
		c.jump = found || err != nil // else this file's index is not to be trusted
	}
	if err == nil && !found {
		err = c.restart()
	}
	if err == nil {
		c.forward(t)
	}
	return err
}

func (c *Clip) forward(t time.Duration) {
	for !c.ended && (!c.cur.ok || c.tl.time(c.ahead.at) <= t) {
		c.advance()
	}
}

// seek begins to decode at the k-th key, or at one of the two before it where that does
// not prove to be the same as decoding all. found is false where none will do; the decoder
// is then of no use.
func (c *Clip) seek(k int) (found bool, err error) {
	c.stop()
	for try := k; try > max(0, k-3); try-- {
		landed, ok := c.land(c.tl.keys[try], c.tl.keys[k].packet)
		if !ok {
			continue
		}
		if err := c.resume(landed); err != nil {
			return false, err
		}
		if c.ahead.ok && c.ahead.at == landed.pts {
			return true, nil
		}
		c.stop()
	}
	return false, nil
}

// land seeks and reads up to the first key packet, which stays in the input. It must be
// one that the scan saw, not after the packet limit.
func (c *Clip) land(k key, limit int) (key, bool) {
	if err := c.in.format.SeekFrame(c.in.track.Index(), k.pts, astiav.NewSeekFlags(astiav.SeekFlagBackward)); err != nil {
		return key{}, false
	}
	for {
		p, err := c.in.next(nil)
		if err != nil {
			return key{}, false
		}
		c.tick(1, 0)
		if !p.Flags().Has(astiav.PacketFlagKey) {
			continue
		}
		i, known := c.tl.find(p.Pts())
		if !known || c.tl.keys[i].packet > limit {
			return key{}, false
		}
		return c.tl.keys[i], true
	}
}

// resume decodes from the key packet in the input. Pictures that come before the key on
// screen lack what they refer to and are passed over: of an open GOP, the leading ones.
func (c *Clip) resume(k key) error {
	dec, err := newDecoder(c.in, c.tl, c.limits, &c.live)
	if err != nil {
		return err
	}
	dec.held, dec.packets = true, k.packet
	c.begin(dec)
	for !c.ended && c.ahead.at < k.pts {
		c.cur.ok, c.ahead.ok = false, false
		c.advance()
	}
	return nil
}
