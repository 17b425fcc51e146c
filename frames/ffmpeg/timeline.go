package ffmpeg

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asticode/go-astiav"
)

const (
	maxPackets = 4 << 20            // 38 hours at 30 pictures a second
	maxSpan    = 7 * 24 * time.Hour // of a clip
	maxReuse   = 8                  // how often an index may point to the same bytes (edit lists repeat)
	maxMissing = time.Second        // what a whole file may lack of its stated length
)

// key is a place where decoding can begin.
type key struct {
	pts    int64
	packet int // which of the track's packets it is
}

// timeline is what one pass over the packets of a track tells, without decoding any.
type timeline struct {
	base    astiav.Rational
	start   int64   // the first picture, in ticks
	end     int64   // the end of the last picture
	order   []int64 // when each picture comes on screen, ascending
	keys    []key   // ascending; empty where seeking would not give the same pictures
	lead    int     // packets before the first key, which refer to what is not there
	counted bool    // packets lack PTS: the n-th picture comes at order[n]
	torn    bool    // packets are incomplete: lost on the way, or where recordings were joined
	damage  string
}

// scan reads all packets of the track. tick is called for each.
func scan(in *input, tick func()) (*timeline, error) {
	tl := &timeline{base: in.track.TimeBase()}
	stamps, c, err := tl.collect(in, tick)
	if err != nil {
		return nil, err
	}
	if err := tl.arrange(stamps, c, in); err != nil {
		return nil, err
	}
	return tl, nil
}

// collect reads the stamps of all packets and notes how the file ends.
func (tl *timeline) collect(in *input, tick func()) ([]stamp, *clock, error) {
	var stamps []stamp
	var seen time.Duration
	streams := in.format.Streams()
	var size int64
	end := func(p *astiav.Packet) {
		size += int64(p.Size())
		at := p.Pts()
		if at == none {
			at = p.Dts()
		}
		if i := p.StreamIndex(); at != none && i < len(streams) {
			seen = max(seen, length(at+p.Duration(), streams[i].TimeBase()))
		}
	}
	c := newClock(in)
	for {
		p, err := in.next(end)
		if err != nil {
			tl.damage = in.ending(err, seen)
			if tl.damage == "" && tl.torn && !wraps(in.format.InputFormat()) {
				tl.damage = "a part of the file is missing"
			}
			return stamps, &c, nil
		}
		tick()
		end(p)
		if size > maxReuse*in.source.size+maxProbe {
			return nil, nil, errors.New("the file's index is absurd: it points to the same bytes again and again; write the file anew, for instance with ffmpeg -i IN -c copy OUT.mkv")
		}
		if p.Size() == 0 {
			continue // a dropped picture: the one before stays
		}
		tl.torn = tl.torn || p.Flags().Has(astiav.PacketFlagCorrupt)
		if stamps = append(stamps, c.read(p)); len(stamps) > maxPackets {
			return nil, nil, fmt.Errorf("the file has more than %d pictures: cut it into parts, for instance with ffmpeg -i IN -c copy -f segment -segment_time 3600 PART%%d.mkv", maxPackets)
		}
	}
}

// ending says what is wrong with how reading ended, "" when nothing is.
func (in *input) ending(err error, seen time.Duration) string {
	if in.source.err != nil {
		return in.source.err.Error()
	}
	if !errors.Is(err, astiav.ErrEof) {
		return "the file is cut off or damaged: reading it ended early (" + err.Error() + ")"
	}
	stated := statedLength(in.format)
	if !wraps(in.format.InputFormat()) && stated-seen > maxMissing {
		return fmt.Sprintf("the file is cut off: it states %.1f s and ends after %.1f s", stated.Seconds(), seen.Seconds())
	}
	return ""
}

// arrange makes the timeline of the stamps.
func (tl *timeline) arrange(stamps []stamp, c *clock, in *input) error {
	// An AVI states when pictures are decoded, never when they are shown.
	tl.counted = in.format.InputFormat().Name() == "avi"
	tl.lead = max(0, slices.IndexFunc(stamps, func(s stamp) bool { return s.key }))
	for _, s := range stamps {
		tl.counted = tl.counted || s.pts == none
	}
	last := tl.place(stamps, c)
	if len(tl.order) == 0 {
		return errors.New("the video track holds no pictures: the file is cut off or damaged, copy it again")
	}
	slices.Sort(tl.order)
	tl.start, tl.end = tl.order[0], last
	span := float64(tl.end-tl.start) * tl.base.Float64()
	if 4*c.jumps > c.steps && c.jumps > 0 || span > maxSpan.Seconds() || span < 0 {
		return fmt.Errorf("the time stamps are absurd: %d pictures over %.0f s; write the file anew, for instance with ffmpeg -r 25 -i IN OUT.mp4", len(tl.order), span)
	}
	if tl.counted || c.jumps > 0 || tl.damage != "" || tl.torn || in.codec.Name() == "gif" || repeats(tl.order) {
		tl.keys = nil
	}
	return nil
}

// place fills order and keys, and returns the end of the last picture.
func (tl *timeline) place(stamps []stamp, c *clock) (end int64) {
	at, last := int64(0), stamp{pts: none}
	for i, s := range stamps {
		switch {
		case !tl.counted || s.dts == none && s.pts != none:
			at = s.pts
		case s.dts != none:
			at = s.dts
		case i > 0:
			at += c.step
		}
		if s.key && !tl.counted && (len(tl.keys) == 0 || at > tl.keys[len(tl.keys)-1].pts) {
			tl.keys = append(tl.keys, key{at, i})
		}
		if s.discard || i < tl.lead {
			continue // never shown: decoded for the sake of others (edit lists), or not decoded
		}
		tl.order = append(tl.order, at)
		if last.pts == none || at >= last.pts {
			last = stamp{pts: at, duration: s.duration}
		}
	}
	if last.duration == 0 || tl.counted && len(tl.order) > 1 {
		last.duration = max(1, c.step)
	}
	return last.pts + last.duration
}

func repeats(sorted []int64) bool {
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return true
		}
	}
	return false
}

// before returns the index of the last key that is not after the picture on screen at t,
// or -1.
func (tl *timeline) before(t time.Duration) int {
	n := tl.shown(t)
	if n < 0 || len(tl.keys) == 0 {
		return -1
	}
	i, found := tl.find(tl.order[n])
	if !found {
		i--
	}
	return i
}

// shown returns the index in order of the picture on screen at t, or -1 before the first.
func (tl *timeline) shown(t time.Duration) int {
	n, _ := slices.BinarySearchFunc(tl.order, t, func(at int64, t time.Duration) int {
		if tl.time(at) <= t {
			return -1
		}
		return 1
	})
	return n - 1
}

// find returns where a key of that PTS is, or would be.
func (tl *timeline) find(pts int64) (int, bool) {
	return slices.BinarySearchFunc(tl.keys, pts, func(k key, pts int64) int { return int(min(1, max(-1, k.pts-pts))) })
}

// time is the clip's time of a tick.
func (tl *timeline) time(at int64) time.Duration { return length(at-tl.start, tl.base) }
