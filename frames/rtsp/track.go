package rtsp

import (
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
	"github.com/pion/rtp"

	"github.com/captiond/captiond/frames"
)

// packet is an RTP packet.
type packet = rtp.Packet

// A track is a video track on its way from packets to access units.
type track struct {
	codec  frames.Codec
	format format.Format
	decode func(*packet) ([][]byte, error) // NAL units, or one picture
	params func() [][]byte                 // parameter sets known so far
	take   func(nals [][]byte)             // keeps the parameter sets of a unit
	key    func(nals [][]byte) bool
	begun  bool
}

// findTrack is the first video track of a codec that is read.
func findTrack(desc *description.Session) (*track, *description.Media, error) {
	var other []string
	for _, m := range desc.Medias {
		if m.Type != description.MediaTypeVideo || m.IsBackChannel {
			continue
		}
		for _, f := range m.Formats {
			t, err := newTrack(f)
			if t != nil || err != nil {
				return t, m, err
			}
			other = append(other, f.Codec())
		}
	}
	return nil, nil, &NoVideoError{Codecs: other}
}

// newTrack is nil for codecs that are not read.
func newTrack(f format.Format) (*track, error) {
	switch f := f.(type) {
	case *format.H264:
		return h264Track(f)
	case *format.H265:
		return h265Track(f)
	case *format.MJPEG:
		return mjpegTrack(f)
	}
	return nil, nil
}

func h264Track(f *format.H264) (*track, error) {
	dec, err := f.CreateDecoder()
	if err != nil {
		return nil, err
	}
	sps, pps := f.SafeParams()
	return &track{
		codec: frames.H264, format: f, decode: dec.Decode, key: h264.IsRandomAccess,
		params: func() [][]byte { return present(sps, pps) },
		take: func(nals [][]byte) {
			for _, n := range nals {
				switch h264.NALUType(n[0] & 0x1F) {
				case h264.NALUTypeSPS:
					sps = n
				case h264.NALUTypePPS:
					pps = n
				}
			}
		},
	}, nil
}

func h265Track(f *format.H265) (*track, error) {
	dec, err := f.CreateDecoder()
	if err != nil {
		return nil, err
	}
	vps, sps, pps := f.SafeParams()
	return &track{
		codec: frames.H265, format: f, decode: dec.Decode, key: h265.IsRandomAccess,
		params: func() [][]byte { return present(vps, sps, pps) },
		take: func(nals [][]byte) {
			for _, n := range nals {
				switch h265.NALUType((n[0] >> 1) & 0x3F) {
				case h265.NALUType_VPS_NUT:
					vps = n
				case h265.NALUType_SPS_NUT:
					sps = n
				case h265.NALUType_PPS_NUT:
					pps = n
				}
			}
		},
	}, nil
}

func mjpegTrack(f *format.MJPEG) (*track, error) {
	dec, err := f.CreateDecoder()
	if err != nil {
		return nil, err
	}
	return &track{codec: frames.MJPEG, format: f, decode: func(p *packet) ([][]byte, error) {
		picture, err := dec.Decode(p)
		return [][]byte{picture}, err
	}}, nil
}

// present are the parameter sets that are known.
func present(sets ...[]byte) (known [][]byte) {
	for _, s := range sets {
		if len(s) > 0 {
			known = append(known, s)
		}
	}
	return known
}

// unit is the access unit that a packet completes. Units before the first key unit are left
// out; what was lost on the way costs its unit and is not an error.
func (t *track) unit(p *packet) (data []byte, key, ok bool) {
	nals, err := t.decode(p)
	if err != nil || len(nals) == 0 {
		return nil, false, false
	}
	if t.codec == frames.MJPEG {
		return nals[0], true, true
	}
	nals = present(nals...)
	t.take(nals)
	key = t.key(nals)
	if !key && !t.begun {
		return nil, false, false
	}
	t.begun = true
	if key { // those of the description, where the stream has none: twice does no harm
		nals = append(t.params(), nals...)
	}
	data, err = h264.AnnexB(nals).Marshal()
	return data, key, err == nil
}

// duration is a number of ticks of the track's clock.
func (t *track) duration(ticks int64) time.Duration {
	rate := int64(t.format.ClockRate())
	return time.Duration(ticks/rate)*time.Second + time.Duration(ticks%rate)*time.Second/time.Duration(rate)
}
