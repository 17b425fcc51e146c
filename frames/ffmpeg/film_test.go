package ffmpeg

import (
	"bytes"
	"errors"
	"image"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/asticode/go-astiav"
)

// The film of the benchmarks: a minute of 1920x1080, 30 pictures a second, a key picture
// each two seconds, three B-pictures between others. Four seconds of it are encoded, the
// rest repeats them: each scene begins with an IDR picture, so that a decoder sees no
// difference; the key pictures within begin open GOPs.
const (
	filmRate   = 30
	filmGOP    = 60
	filmScene  = 2 * filmGOP // pictures
	filmScenes = 15
)

// film writes the film and returns its bytes.
func film(b *testing.B) []byte {
	b.Helper()
	dir := b.TempDir()
	scene, whole := filepath.Join(dir, "scene.mp4"), filepath.Join(dir, "film.mp4")
	shoot(b, scene)
	splice(b, whole, scene)
	data, err := os.ReadFile(whole)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func shoot(b *testing.B, name string) {
	b.Helper()
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	set := newStage(1920, 1080)
	e, err := Create(f, Encoding{Width: 1920, Height: 1080, Rate: filmRate, CRF: 23, GOP: filmGOP, BFrames: 3})
	if err != nil {
		b.Fatal(err)
	}
	for i := range filmScene {
		if err := e.Write(set.picture(i)); err != nil {
			b.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
}

// stage is what the film shows: a camera that pans over a rough ground with things that
// move on it, each its own way.
type stage struct{ ground, view *image.RGBA }

func newStage(w, h int) stage {
	ground := image.NewRGBA(image.Rect(0, 0, 2*w, 2*h))
	rnd := rand.New(rand.NewPCG(1, 2))
	for size := 256; size >= 4; size /= 2 { // rough at every scale, coarse more than fine
		tint := func() int { return rnd.IntN(2*size) - size }
		for y := 0; y < 2*h; y += size {
			for x := 0; x < 2*w; x += size {
				shade(ground, image.Rect(x, y, x+size, y+size), [3]int{tint(), tint(), tint()})
			}
		}
	}
	return stage{ground, image.NewRGBA(image.Rect(0, 0, w, h))}
}

// shade adds a colour, of a quarter's strength, to a part of an image.
func shade(img *image.RGBA, r image.Rectangle, c [3]int) {
	r = r.Intersect(img.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := img.Pix[img.PixOffset(r.Min.X, y):img.PixOffset(r.Max.X, y)]
		for i := range row {
			if i%4 < 3 {
				row[i] += uint8(c[i%4] / 4)
			}
		}
	}
}

// picture is the i-th of the film; it is valid until the next.
func (s stage) picture(i int) *image.RGBA {
	w, h := s.view.Rect.Dx(), s.view.Rect.Dy()
	s.paste(s.view.Rect, image.Pt(3*i%w, 2*i%h))
	for k := range 12 {
		at := image.Pt(k*w/13, (k*h/12+(3+k)*i)%(h*4/5))
		s.paste(image.Rectangle{at, at.Add(image.Pt(w/14, h/6))}, image.Pt(k*w/20, h-k*h/27))
	}
	return s.view
}

// paste copies ground, from a place on, to a part of the view.
func (s stage) paste(to image.Rectangle, from image.Point) {
	for y := range to.Dy() {
		copy(s.view.Pix[s.view.PixOffset(to.Min.X, to.Min.Y+y):s.view.PixOffset(to.Max.X, to.Min.Y+y)],
			s.ground.Pix[s.ground.PixOffset(from.X, from.Y+y):])
	}
}

// splice writes the packets of a file again and again.
func splice(b *testing.B, name, scene string) {
	b.Helper()
	data, err := os.ReadFile(scene)
	if err != nil {
		b.Fatal(err)
	}
	out, err := astiav.AllocOutputFormatContext(nil, "mp4", name)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Free()
	io, err := astiav.OpenIOContext(name, astiav.NewIOContextFlags(astiav.IOContextFlagWrite))
	if err != nil {
		b.Fatal(err)
	}
	defer io.Close()
	out.SetPb(io)
	track := out.NewStream(nil)
	for n := range filmScenes {
		in, err := openInput(&source{r: bytes.NewReader(data), size: int64(len(data))}, limits().MaxPixels, &live{})
		if err != nil {
			b.Fatal(err)
		}
		if n == 0 {
			err = errors.Join(in.track.CodecParameters().Copy(track.CodecParameters()), out.WriteHeader(nil))
		}
		for err == nil {
			var p *astiav.Packet
			if p, err = in.next(nil); err == nil {
				shift := ticks(time.Duration(n)*filmScene*time.Second/filmRate, in.track.TimeBase())
				p.SetPts(p.Pts() + shift)
				p.SetDts(p.Dts() + shift)
				p.RescaleTs(in.track.TimeBase(), track.TimeBase())
				p.SetStreamIndex(0)
				err = out.WriteInterleavedFrame(p)
			}
		}
		in.close()
		if !errors.Is(err, astiav.ErrEof) {
			b.Fatal(err)
		}
	}
	if err := out.WriteTrailer(); err != nil {
		b.Fatal(err)
	}
}
