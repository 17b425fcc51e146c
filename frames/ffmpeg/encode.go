package ffmpeg

import (
	"errors"
	"fmt"
	"image"
	"io"
	"strconv"
	"time"

	"github.com/asticode/go-astiav"

	"github.com/captiond/captiond/frames"
)

// Encoding is how pictures become an H.264 video.
type Encoding struct {
	Width, Height int // of the pictures, even numbers
	Rate          int // pictures a second
	CRF           int // quality: 0 without loss, 18 very good, 23 usual, 51 worst
	GOP           int // pictures from one key picture to the next, at most; 0 for x264's choice
	BFrames       int // pictures between two others that refer to both, at most
}

// Encoder writes an H.264 video in BT.709, limited range. It is used by one goroutine.
type Encoder struct {
	how      Encoding
	io       *astiav.IOContext
	format   *astiav.FormatContext
	stream   *astiav.Stream
	codec    *astiav.CodecContext
	graph    *astiav.FilterGraph
	src, out *astiav.FilterContext
	rgb, yuv *astiav.Frame
	packet   *astiav.Packet
	pictures int64
	take     func(frames.Unit) error // where there is no file
	failed   error                   // of the writer behind the file
}

// Create begins a video on w. The same pictures give the same bytes.
func Create(w io.WriteSeeker, how Encoding) (*Encoder, error) {
	return create(how, nil, func(e *Encoder) error { return e.openFile(w) })
}

// Live begins a video without a file: each access unit is handed to take as soon as it can be,
// in Annex B with the parameter sets before each key picture, its PTS from the first picture
// on. Its Data are valid until take returns.
func Live(how Encoding, take func(frames.Unit) error) (*Encoder, error) {
	return create(how, take, func(*Encoder) error { return nil })
}

func create(how Encoding, take func(frames.Unit) error, open func(*Encoder) error) (*Encoder, error) {
	if how.Width < 2 || how.Height < 2 || how.Width%2+how.Height%2 != 0 || how.Rate < 1 {
		return nil, fmt.Errorf("create video: %dx%d at %d a second cannot be encoded: sizes must be even, the rate at least 1",
			how.Width, how.Height, how.Rate)
	}
	e := &Encoder{how: how, take: take, packet: astiav.AllocPacket(), rgb: astiav.AllocFrame(), yuv: astiav.AllocFrame()}
	err := e.openCodec()
	if err == nil {
		err = e.openGraph()
	}
	if err == nil {
		err = open(e)
	}
	if err != nil {
		e.free()
		return nil, fmt.Errorf("create video: %w", err)
	}
	return e, nil
}

func (e *Encoder) openCodec() error {
	c := astiav.FindEncoderByName("libx264")
	if c == nil {
		return errors.New("FFmpeg lacks libx264: install Debian's libavcodec")
	}
	e.codec = astiav.AllocCodecContext(c)
	e.codec.SetWidth(e.how.Width)
	e.codec.SetHeight(e.how.Height)
	e.codec.SetPixelFormat(astiav.PixelFormatYuv420P)
	e.codec.SetTimeBase(astiav.NewRational(1, e.how.Rate))
	e.codec.SetFramerate(astiav.NewRational(e.how.Rate, 1))
	e.codec.SetThreadCount(1) // the number of threads changes the bytes
	flags := astiav.NewCodecContextFlags(astiav.CodecContextFlagBitexact)
	if e.take == nil {
		flags = flags.Add(astiav.CodecContextFlagGlobalHeader)
	}
	e.codec.SetFlags(flags)
	tag709(e.codec)
	options := astiav.NewDictionary()
	defer options.Free()
	// x264's macroblock tree reads memory that nobody wrote, where it is compiled for AVX-512:
	// with it the same pictures give other bytes now and then.
	if err := set(options, "crf", strconv.Itoa(e.how.CRF), "bf", strconv.Itoa(e.how.BFrames), "mbtree", "0"); err != nil {
		return err
	}
	if e.take != nil {
		if err := set(options, "preset", "veryfast", "tune", "zerolatency"); err != nil {
			return err
		}
	}
	if e.how.GOP > 0 {
		e.codec.SetGopSize(e.how.GOP)
	}
	return e.codec.Open(c, options)
}

func (e *Encoder) openGraph() (err error) {
	e.rgb.SetWidth(e.how.Width)
	e.rgb.SetHeight(e.how.Height)
	e.rgb.SetPixelFormat(astiav.PixelFormatRgb0)
	if err := e.rgb.AllocBuffer(0); err != nil {
		return err
	}
	e.graph = astiav.AllocFilterGraph()
	e.graph.SetThreadCount(1)
	e.src, e.out, err = build(e.graph, "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_inp+bitexact,format=yuv420p", e.rgb)
	return err
}

func (e *Encoder) openFile(w io.WriteSeeker) (err error) {
	e.format, err = astiav.AllocOutputFormatContext(nil, "mp4", "")
	if err != nil {
		return err
	}
	e.io, err = astiav.AllocIOContext(ioBuffer, true, nil, w.Seek, func(b []byte) (int, error) {
		n, err := w.Write(b)
		if err != nil {
			e.failed = errors.Join(e.failed, err)
			return 0, astiav.ErrEio
		}
		return n, nil
	})
	if err != nil {
		return err
	}
	e.format.SetPb(e.io)
	e.format.SetFlags(e.format.Flags().Add(astiav.FormatContextFlagBitexact))
	e.stream = e.format.NewStream(nil)
	if err := e.stream.CodecParameters().FromCodecContext(e.codec); err != nil {
		return err
	}
	e.stream.SetTimeBase(e.codec.TimeBase())
	return e.explain(e.format.WriteHeader(nil))
}

// explain prefers the writer's own error to FFmpeg's.
func (e *Encoder) explain(err error) error {
	if e.failed != nil {
		return e.failed
	}
	return err
}

// Write adds a picture of the encoding's size. Its alpha is not looked at.
func (e *Encoder) Write(img *image.RGBA) error {
	if img.Rect.Dx() != e.how.Width || img.Rect.Dy() != e.how.Height {
		return fmt.Errorf("encode picture: it is %v, not %dx%d", img.Rect.Size(), e.how.Width, e.how.Height)
	}
	fill(e.rgb, img.Pix, img.Stride, 4*e.how.Width)
	e.rgb.SetPts(e.pictures)
	err := e.src.BuffersrcAddFrame(e.rgb, astiav.NewBuffersrcFlags(astiav.BuffersrcFlagKeepRef))
	if err == nil {
		e.yuv.Unref()
		err = e.out.BuffersinkGetFrame(e.yuv, astiav.NewBuffersinkFlags())
	}
	if err == nil {
		e.yuv.SetPts(e.pictures)
		e.yuv.SetPictureType(astiav.PictureTypeNone)
		err = e.send(e.yuv)
	}
	if err != nil {
		return fmt.Errorf("encode picture %d: %w", e.pictures, e.explain(err))
	}
	e.pictures++
	return nil
}

// send gives the encoder a picture, nil at the end, and writes what comes out.
func (e *Encoder) send(f *astiav.Frame) error {
	if err := e.codec.SendFrame(f); err != nil {
		return err
	}
	for {
		e.packet.Unref()
		err := e.codec.ReceivePacket(e.packet)
		if errors.Is(err, astiav.ErrEagain) || errors.Is(err, astiav.ErrEof) {
			return nil
		}
		if err != nil {
			return err
		}
		if e.take != nil {
			if err := e.take(e.unit()); err != nil {
				return err
			}
			continue
		}
		e.packet.SetDuration(1)
		e.packet.RescaleTs(e.codec.TimeBase(), e.stream.TimeBase())
		e.packet.SetStreamIndex(e.stream.Index())
		if err := e.format.WriteInterleavedFrame(e.packet); err != nil {
			return err
		}
	}
}

// unit is the packet as an access unit.
func (e *Encoder) unit() frames.Unit {
	pts := time.Duration(e.packet.Pts()) * time.Second / time.Duration(e.how.Rate)
	return frames.Unit{Codec: frames.H264, Data: e.packet.Data(), Key: e.packet.Flags().Has(astiav.PacketFlagKey), Stamp: frames.Stamp{PTS: pts}}
}

// Close writes what is left and the index, and frees everything; it must be called after a
// failed Write too. It does not close the
// writer.
func (e *Encoder) Close() error {
	err := e.send(nil)
	if err == nil && e.take == nil {
		err = e.format.WriteTrailer()
	}
	err = e.explain(err)
	e.free()
	if err != nil {
		return fmt.Errorf("finish video: %w", err)
	}
	return nil
}

func (e *Encoder) free() {
	for _, f := range []*astiav.FilterContext{e.src, e.out} {
		if f != nil {
			f.Free()
		}
	}
	if e.graph != nil {
		e.graph.Free()
	}
	if e.codec != nil {
		e.codec.Free()
	}
	if e.format != nil {
		e.format.Free()
	}
	if e.io != nil {
		e.io.Free()
	}
	e.packet.Free()
	e.rgb.Free()
	e.yuv.Free()
}
