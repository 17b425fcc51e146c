package ffmpeg

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/asticode/go-astiav"
)

// decoder turns the packets of an input into pictures, in the order they are shown.
type decoder struct {
	in       *input
	tl       *timeline
	codec    *astiav.CodecContext
	clock    clock
	packets  int // of the track, read so far
	pictures int // received so far, from the beginning of the file
	last     int64
	held     bool  // the input's packet has been read but not sent
	faults   int   // packets and pictures that were damaged
	first    int64 // when the first of them was, or none
	fields   bool  // a picture was interlaced
	aim      aim
	trust    trust
	tick     func(frames int)
	live     *live
}

func newDecoder(in *input, tl *timeline, l Limits, lv *live) (*decoder, error) {
	d := &decoder{in: in, tl: tl, clock: newClock(in), last: none, first: none, aim: everything(), live: lv}
	d.codec = astiav.AllocCodecContext(in.codec)
	if d.codec == nil {
		return nil, errors.New("open decoder: out of memory")
	}
	lv.decoders++
	if err := d.open(l); err != nil {
		d.close()
		return nil, fmt.Errorf("the %s video cannot be decoded, its header is damaged; copy the file again (%w)", in.codec.Name(), err)
	}
	return d, nil
}

func (d *decoder) open(l Limits) error {
	if err := d.in.track.CodecParameters().ToCodecContext(d.codec); err != nil {
		return err
	}
	setPacketTimeBase(d.codec, d.in.track)
	options := astiav.NewDictionary()
	defer options.Free()
	if err := set(options, "max_pixels", strconv.Itoa(l.MaxPixels), "threads", strconv.Itoa(l.Threads)); err != nil {
		return err
	}
	return d.codec.Open(d.in.codec, options)
}

func (d *decoder) close() {
	d.codec.Free()
	d.live.decoders--
}

// next receives the next picture that is whole and returns its time in ticks. At the end
// of the track the error is astiav.ErrEof.
func (d *decoder) next(f *astiav.Frame) (int64, error) {
	for failures := 0; failures < maxFailures; {
		f.Unref()
		err := d.codec.ReceiveFrame(f)
		switch {
		case err == nil:
			at := d.at(f)
			if d.tick != nil {
				d.tick(1)
			}
			d.fields = d.fields || interlaced(f)
			if broken(f) {
				d.fault()
			}
			if d.trust.whole(f) {
				return at, nil
			}
		case errors.Is(err, astiav.ErrEagain):
			d.feed()
		case errors.Is(err, astiav.ErrEof):
			return 0, astiav.ErrEof
		default:
			d.fault()
			failures++
		}
	}
	return 0, astiav.ErrEof
}

// maxSuspect ends the suspicion in streams that have no key pictures but refresh in parts.
const maxSuspect = 250

// maxFailures ends a track whose decoder only fails.
const maxFailures = 1 << 12

// feed sends the next packet, or the end of the track. An input that cannot be read
// further ends the track: the scan has said so in the clip's damage.
func (d *decoder) feed() {
	p, err := d.packet()
	if err != nil {
		_ = d.codec.SendPacket(nil) // refused only when it was sent before
		return
	}
	if d.tick != nil {
		d.tick(0)
	}
	if p.Size() == 0 {
		return
	}
	s := d.clock.read(p)
	p.SetPts(s.pts)
	p.SetDts(s.dts)
	if d.packets++; d.packets <= d.tl.lead {
		return
	}
	discardUnused(d.codec, !d.aim.take(s.pts))
	if err := d.codec.SendPacket(p); err != nil {
		d.fault()
	}
}

func (d *decoder) packet() (*astiav.Packet, error) {
	if d.aim.met() {
		return nil, astiav.ErrEof
	}
	if d.held {
		d.held = false
		return d.in.packet, nil
	}
	return d.in.next(nil)
}

func (d *decoder) fault() {
	d.trust.fault()
	if d.faults++; d.faults == 1 {
		d.first = d.last
	}
}

// at is a received picture's time: its PTS, or where the container has none its place in
// the order. It never goes back.
func (d *decoder) at(f *astiav.Frame) int64 {
	at := f.Pts()
	if at == none {
		at = bestEffort(f)
	}
	if d.tl.counted {
		at = d.tl.order[min(d.pictures, len(d.tl.order)-1)]
	}
	d.pictures++
	at = max(at, d.last) // none is the least number
	d.last = at
	return at
}
