package ffmpeg

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/asticode/go-astiav"
)

// demuxers and decoders are all that may touch a file: the formats people have, and none
// of the exotic rest, whose parsers are where the holes are.
const (
	demuxers = "mov,matroska,mpegts,mpeg,mpegvideo,avi,flv,asf,ogg,gif"
	decoders = "h264,hevc,vp8,vp9,libdav1d,mpeg1video,mpeg2video,mpeg4,msmpeg4v1,msmpeg4v2,msmpeg4,mjpeg,prores," +
		"dnxhd,dvvideo,wmv1,wmv2,wmv3,vc1,theora,h263,flv,gif"
)

const (
	maxStreams = 32
	maxProbe   = 5_000_000 // bytes, and microseconds of analysis
)

// input is an opened container and the one video track that is read of it.
type input struct {
	source *source
	io     *astiav.IOContext
	format *astiav.FormatContext
	track  *astiav.Stream
	codec  *astiav.Codec
	packet *astiav.Packet
	live   *live
}

// openInput opens the container with allow-lists and limits (see the package comment).
// A picture larger than maxPixels is refused before anything is decoded.
func openInput(s *source, maxPixels int, l *live) (*input, error) {
	s.at = 0
	in := &input{source: s, live: l}
	if err := in.open(); err != nil {
		return nil, err
	}
	l.inputs++
	if err := in.choose(maxPixels); err != nil {
		in.close()
		return nil, err
	}
	in.packet = astiav.AllocPacket()
	l.packets++
	return in, nil
}

func (in *input) open() (err error) {
	in.io, err = astiav.AllocIOContext(ioBuffer, false, in.source.read, in.source.seek, nil)
	if err != nil {
		return fmt.Errorf("open container: %w", err)
	}
	in.format = astiav.AllocFormatContext()
	in.format.SetPb(in.io)
	options := astiav.NewDictionary()
	defer options.Free()
	if err := set(options, "protocol_whitelist", "none", "format_whitelist", demuxers, "codec_whitelist", decoders,
		"max_streams", strconv.Itoa(maxStreams), "probesize", strconv.Itoa(maxProbe),
		"analyzeduration", strconv.Itoa(maxProbe)); err != nil {
		return err
	}
	if err := in.format.OpenInput("", nil, options); err != nil {
		in.format.Free() // the context itself is gone already, CloseInput would crash
		in.io.Free()
		return in.unopened(err)
	}
	if e := options.Get("", nil, astiav.NewDictionaryFlags(astiav.DictionaryFlagIgnoreSuffix)); e != nil {
		in.closeFormat()
		return fmt.Errorf("open container: FFmpeg does not know the option %s", e.Key())
	}
	return nil
}

// unopened explains why a container with the right first bytes did not open.
func (in *input) unopened(err error) error {
	if in.source.err != nil {
		return in.source.err
	}
	return fmt.Errorf("the file is damaged or cut off: its index or header is missing or unreadable, so nothing of it can be decoded; copy it again (%w)", err)
}

func set(d *astiav.Dictionary, pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		if err := d.Set(pairs[i], pairs[i+1], 0); err != nil {
			return fmt.Errorf("set option %s: %w", pairs[i], err)
		}
	}
	return nil
}

// choose finds the track to read: sizes are checked both as the header states them and as
// probing found them, since either may be missing or lie.
func (in *input) choose(maxPixels int) error {
	if err := oversize(in.format.Streams(), maxPixels); err != nil {
		return err
	}
	for _, s := range in.format.Streams() {
		if s.CodecParameters().MediaType() != astiav.MediaTypeVideo {
			s.CodecParameters().SetCodecID(astiav.CodecIDNone) // else probing tries to decode it
		}
	}
	if err := in.format.FindStreamInfo(nil); err != nil {
		return in.unopened(err)
	}
	if err := oversize(in.format.Streams(), maxPixels); err != nil {
		return err
	}
	var err error
	if in.track, err = pick(in.format.Streams()); err != nil {
		return err
	}
	in.codec, err = decoderFor(in.track.CodecParameters())
	return err
}

func oversize(streams []*astiav.Stream, maxPixels int) error {
	for _, s := range streams {
		p := s.CodecParameters()
		if p.MediaType() != astiav.MediaTypeVideo || p.Width() <= 0 || p.Height() <= 0 {
			continue
		}
		if p.Width() > maxPixels/p.Height() {
			return fmt.Errorf("its pictures are %dx%d, more than the %d pixels that are decoded: make them smaller, for instance with ffmpeg -i IN -vf scale=1920:-2 OUT.mp4",
				p.Width(), p.Height(), maxPixels)
		}
	}
	return nil
}

// pick chooses the track that a player would show: not cover art, the file's default if it
// marks just some, the largest among equals, the first among those.
func pick(streams []*astiav.Stream) (*astiav.Stream, error) {
	var best *astiav.Stream
	covers := 0
	for _, s := range streams {
		switch {
		case s.CodecParameters().MediaType() != astiav.MediaTypeVideo:
		case attached(s):
			covers++
		case best == nil || better(s, best):
			best = s
		}
	}
	switch {
	case best != nil:
		return best, nil
	case covers > 0:
		return nil, errors.New("the file has no video track, only sound and cover art: give a file with moving pictures")
	}
	return nil, errors.New("the file has no video track: give a file with moving pictures")
}

func better(a, b *astiav.Stream) bool {
	if preferred(a) != preferred(b) {
		return preferred(a)
	}
	p, q := a.CodecParameters(), b.CodecParameters()
	return p.Width()*p.Height() > q.Width()*q.Height()
}

// decoderFor finds the software decoder of a codec in the allow-list.
func decoderFor(p *astiav.CodecParameters) (*astiav.Codec, error) {
	c := astiav.FindDecoder(p.CodecID())
	if c != nil && allowed(c.Name()) {
		return c, nil
	}
	if p.CodecID() == astiav.CodecIDNone {
		return nil, errors.New("the file does not say how its video is coded: it is damaged or of a kind that FFmpeg does not know")
	}
	return nil, fmt.Errorf("the video is coded as %s, which captiond does not decode: convert it with ffmpeg -i IN -c:v libx264 OUT.mp4", p.CodecID().Name())
}

func allowed(name string) bool { return strings.Contains(","+decoders+",", ","+name+",") }

// next reads the track's next packet. It returns astiav.ErrEof at the end; other is called
// for the packets of other tracks. The packet is valid until the next call.
func (in *input) next(other func(*astiav.Packet)) (*astiav.Packet, error) {
	for {
		in.packet.Unref()
		if err := in.format.ReadFrame(in.packet); err != nil {
			return nil, err
		}
		if in.packet.StreamIndex() == in.track.Index() {
			return in.packet, nil
		}
		if other != nil {
			other(in.packet)
		}
	}
}

func (in *input) close() {
	if in.packet != nil {
		in.packet.Free()
		in.live.packets--
	}
	in.closeFormat()
	in.live.inputs--
}

func (in *input) closeFormat() {
	in.format.CloseInput()
	in.io.Free()
}
