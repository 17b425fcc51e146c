package ffmpeg

// #cgo pkg-config: libavfilter libavformat libavcodec libavutil
// #cgo CFLAGS: -D_FORTIFY_SOURCE=2 -fstack-protector-strong -O2
// #include <libavcodec/avcodec.h>
// #include <libavfilter/avfilter.h>
// #include <libavformat/avformat.h>
// #include <libavutil/avutil.h>
// #include <libavutil/frame.h>
import "C"

import (
	"fmt"
	"time"
	"unsafe"

	"github.com/asticode/go-astiav"
)

// This file reads what go-astiav v0.16 has no accessor for. Its wrappers are structs whose
// first field is the C pointer; TestNativeLayout fails when a later version changes that.

func cStream(s *astiav.Stream) *C.AVStream { return *(**C.AVStream)(unsafe.Pointer(s)) }

func cFrame(f *astiav.Frame) *C.AVFrame { return (*C.AVFrame)(f.UnsafePointer()) }

func cCodec(c *astiav.CodecContext) *C.AVCodecContext {
	return *(**C.AVCodecContext)(unsafe.Pointer(c))
}

// attached reports whether the stream is a picture that goes with the file: cover art.
func attached(s *astiav.Stream) bool {
	return cStream(s).disposition&(C.AV_DISPOSITION_ATTACHED_PIC|C.AV_DISPOSITION_TIMED_THUMBNAILS) != 0
}

// preferred reports whether the file marks the stream as its default one.
func preferred(s *astiav.Stream) bool { return cStream(s).disposition&C.AV_DISPOSITION_DEFAULT != 0 }

// setPacketTimeBase lets the decoder judge time stamps; avcodec wants it before Open.
func setPacketTimeBase(c *astiav.CodecContext, s *astiav.Stream) {
	cCodec(c).pkt_timebase = cStream(s).time_base
}

// discardUnused makes the decoder pass over pictures that no other refers to, or not. It holds
// for the packets that are sent from now on.
func discardUnused(c *astiav.CodecContext, on bool) {
	cCodec(c).skip_frame = C.AVDISCARD_DEFAULT
	if on {
		cCodec(c).skip_frame = C.AVDISCARD_NONREF
	}
}

// progressive reports whether the track states that its pictures are not fields.
func progressive(s *astiav.Stream) bool {
	return cStream(s).codecpar.field_order == C.AV_FIELD_PROGRESSIVE
}

// statedLength is the container's own word for its length; 0 where FFmpeg had to guess.
func statedLength(f *astiav.FormatContext) time.Duration {
	c := *(**C.AVFormatContext)(unsafe.Pointer(f))
	if c.duration <= 0 || c.duration > C.int64_t(maxSpan/time.Microsecond) || c.duration_estimation_method != C.AVFMT_DURATION_FROM_STREAM {
		return 0
	}
	return time.Duration(c.duration) * time.Microsecond
}

// wraps reports whether the container's clock may jump in mid-file (MPEG-TS, MPEG-PS).
func wraps(f *astiav.InputFormat) bool {
	return (*(**C.AVInputFormat)(unsafe.Pointer(f))).flags&C.AVFMT_TS_DISCONT != 0
}

// colour is what a decoded picture says of its samples, as the numbers of ISO/IEC 23091-2.
type colour struct {
	matrix, primaries, transfer int
	full                        bool // full range; else limited or not said
}

func colourOf(f *astiav.Frame) colour {
	c := cFrame(f)
	return colour{int(c.colorspace), int(c.color_primaries), int(c.color_trc), c.color_range == C.AVCOL_RANGE_JPEG}
}

const (
	matrixRGB       = C.AVCOL_SPC_RGB
	matrix709       = C.AVCOL_SPC_BT709
	matrixFCC       = C.AVCOL_SPC_FCC
	matrix470       = C.AVCOL_SPC_BT470BG
	matrix170       = C.AVCOL_SPC_SMPTE170M
	matrix240       = C.AVCOL_SPC_SMPTE240M
	matrix2020      = C.AVCOL_SPC_BT2020_NCL
	matrix2020const = C.AVCOL_SPC_BT2020_CL
	transferPQ      = C.AVCOL_TRC_SMPTE2084
	transferHLG     = C.AVCOL_TRC_ARIB_STD_B67
	primaries709    = C.AVCOL_PRI_BT709
)

func interlaced(f *astiav.Frame) bool { return cFrame(f).interlaced_frame != 0 }

// broken reports whether the decoder had to invent a part of the picture.
func broken(f *astiav.Frame) bool {
	c := cFrame(f)
	return c.flags&C.AV_FRAME_FLAG_CORRUPT != 0 || c.decode_error_flags != 0
}

func bestEffort(f *astiav.Frame) int64 { return int64(cFrame(f).best_effort_timestamp) }

// aspect is the shape of a sample: the container's word, if there is a container, else the
// picture's.
func aspect(s *astiav.Stream, f *astiav.Frame) (num, den int) {
	c := cFrame(f).sample_aspect_ratio
	if s != nil {
		if stated := cStream(s).sample_aspect_ratio; stated.num > 0 && stated.den > 0 {
			c = stated
		}
	}
	return int(c.num), int(c.den)
}

// tag709 says in the coded stream that its colours are those of BT.709, limited range.
func tag709(c *astiav.CodecContext) {
	p := cCodec(c)
	p.colorspace, p.color_primaries, p.color_trc = C.AVCOL_SPC_BT709, C.AVCOL_PRI_BT709, C.AVCOL_TRC_BT709
	p.color_range = C.AVCOL_RANGE_MPEG
}

// fill copies rows of packed pixels into a frame's first plane.
func fill(f *astiav.Frame, pix []byte, stride, rowBytes int) {
	c := cFrame(f)
	line := int(c.linesize[0])
	to := unsafe.Slice((*byte)(unsafe.Pointer(c.data[0])), line*int(c.height))
	for y := range int(c.height) {
		copy(to[y*line:y*line+rowBytes], pix[y*stride:])
	}
}

// load fills a packet with data. av_new_packet adds the padding that decoders read beyond the
// end, which go-astiav's FromData does not.
func load(p *astiav.Packet, data []byte) error {
	p.Unref()
	if err := p.AllocPayload(len(data)); err != nil {
		return err
	}
	c := *(**C.AVPacket)(unsafe.Pointer(p))
	copy(unsafe.Slice((*byte)(unsafe.Pointer(c.data)), len(data)), data)
	return nil
}

// Libraries says which FFmpeg libraries are loaded: "libavcodec" -> "59.37.100".
func Libraries() map[string]string {
	v := func(n C.uint) string { return fmt.Sprintf("%d.%d.%d", n>>16, n>>8&0xff, n&0xff) }
	return map[string]string{
		"ffmpeg":      C.GoString(C.av_version_info()),
		"libavcodec":  v(C.avcodec_version()),
		"libavfilter": v(C.avfilter_version()),
		"libavformat": v(C.avformat_version()),
		"libavutil":   v(C.avutil_version()),
	}
}
