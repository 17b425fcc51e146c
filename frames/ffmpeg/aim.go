package ffmpeg

import (
	"math"
	"slices"
	"time"

	"github.com/asticode/go-astiav"
)

// aim is which pictures are asked of a decoder: those with a PTS from one to another. Of
// the rest it decodes what others may refer to, no more; behind the last that is asked for
// it reads no further.
type aim struct {
	from, to int64 // ticks
	left     int   // how many of them have yet to be sent; negative where there is no last one
}

func everything() aim { return aim{none, math.MaxInt64, -1} }

// take reports whether the picture of a packet that is sent now is asked for.
func (a *aim) take(pts int64) bool {
	if pts < a.from || pts > a.to {
		return false
	}
	a.left--
	return true
}

// met reports whether all have been sent.
func (a *aim) met() bool { return a.left == 0 }

// onward is the aim of a decoder that has been sent some of them already.
func (a aim) onward() aim { return aim{a.from, math.MaxInt64, -1} }

// aimAt is the aim for the i-th of some instants: the picture on screen then and all that
// follow or, where the next instant is so far that a seek will lead there, only the one
// that follows at once, which tells that the first has been on screen until then.
func (c *Clip) aimAt(instants []time.Duration, i int) aim {
	n := c.tl.shown(instants[i])
	if !c.sparing || n < 0 {
		return everything()
	}
	a := aim{c.tl.order[n], math.MaxInt64, -1}
	if n+1 < len(c.tl.order) && c.tl.gap(n, following(instants, i)) > seekGap {
		a.to, a.left = c.tl.order[n+1], 2
	}
	return a
}

// following is the instant after the i-th; after the last one, the one that would come if
// they went on.
func following(instants []time.Duration, i int) time.Duration {
	switch t := instants[i]; {
	case i+1 < len(instants):
		return instants[i+1]
	case i > 0:
		return t + (t - instants[i-1])
	default:
		return t
	}
}

// gap is how many pictures a seek to an instant leaves out after the n-th.
func (tl *timeline) gap(n int, t time.Duration) int {
	k := tl.before(t)
	if k < 0 {
		return 0
	}
	at, _ := slices.BinarySearch(tl.order, tl.keys[k].pts)
	return at - n
}

// missed reports whether what was left out has been missed, or may have been: the pictures
// asked for did not come, or not whole. What the packets say is then not to be trusted.
func (c *Clip) missed() bool {
	d := c.dec
	if !c.sparing || d.aim.from == none {
		return false
	}
	return !c.cur.ok || c.cur.at != d.aim.from || d.faults > 0 || d.fields || d.aim.met() && !c.ahead.ok
}

// sparable reports whether leaving out the pictures of a track that no other refers to
// changes no other, to the last bit. In H.264 and HEVC that follows from the syntax: such
// pictures say what they are, never become references and leave no state behind. In HEVC
// they say it for their temporal sub-layer alone, so there may be but one. Of two fields in
// one H.264 packet each may say another: interlaced tracks are decoded whole. So are other
// codecs: their decoders carry state from each picture to the next (VP8, VP9, AV1), or there
// is little to gain.
func sparable(in *input) bool {
	switch in.codec.Name() {
	case "h264":
		return progressive(in.track)
	case "hevc":
		return sublayers(in.track.CodecParameters()) == 1
	}
	return false
}

// sublayers is how many temporal sub-layers the configuration record of an HEVC track
// states (numTemporalLayers of ISO/IEC 14496-15), 0 where there is no record.
func sublayers(p *astiav.CodecParameters) int {
	b := p.ExtraData()
	if len(b) < 23 || b[0] != 1 {
		return 0
	}
	return int(b[21] >> 3 & 7)
}
