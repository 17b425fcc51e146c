package opencv

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/captiond/captiond/demo/film"
	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/ffmpeg"
	"github.com/captiond/captiond/frames/wire"
)

// gate is the threshold of Change that cameras have by default.
const gate = 0.02

// noisy is a grey picture with Gaussian noise of 10 levels in grains of size pixels, as a
// camera has in the dark, and a thing 30 levels brighter.
func noisy(rng *rand.Rand, w, h, size int, thing image.Rectangle) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(img, img.Rect, image.NewUniform(color.RGBA{90, 90, 90, 255}), image.Point{}, draw.Src)
	draw.Draw(img, thing, image.NewUniform(color.RGBA{120, 120, 120, 255}), image.Point{}, draw.Src)
	for y := 0; y < h; y += size {
		for x := 0; x < w; x += size {
			grain := [3]float64{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()}
			for i := range size * size {
				if at := image.Pt(x+i%size, y+i/size); at.In(img.Rect) {
					p := img.Pix[img.PixOffset(at.X, at.Y):]
					for c, n := range grain {
						p[c] = uint8(math.Round(float64(p[c]) + 10*n))
					}
				}
			}
		}
	}
	return img
}

func sketch(t *testing.T, img *image.RGBA) frames.Sketch {
	t.Helper()
	s, err := Eye{}.Sketch(img)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSmallThings has things that cover a hundredth of the picture appear in noise.
func TestSmallThings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ w, h, grain int }{{240, 240, 1}, {240, 240, 3}, {320, 240, 3}, {640, 360, 3}} {
		rng := rand.New(rand.NewPCG(uint64(tt.w), uint64(tt.grain)))
		side := int(math.Sqrt(float64(tt.w*tt.h) / 100))
		still, least := 0.0, 1.0
		for range 10 {
			before := sketch(t, noisy(rng, tt.w, tt.h, tt.grain, image.Rectangle{}))
			still = max(still, sketch(t, noisy(rng, tt.w, tt.h, tt.grain, image.Rectangle{})).Change(before))
			x, y := rng.IntN(tt.w-side+1), rng.IntN(tt.h-side+1)
			least = min(least, sketch(t, noisy(rng, tt.w, tt.h, tt.grain, image.Rect(x, y, x+side, y+side))).Change(before))
		}
		if still > gate*3/4 || least < 2*gate {
			t.Errorf("%+v: change %.4f without, %.4f with a thing", tt, still, least)
		}
	}
}

// TestFilms has H.264 films of the moving-shapes world, as good and as bad as they are made.
func TestFilms(t *testing.T) {
	t.Parallel()
	ffmpeg.Quiet()
	for _, crf := range []int{film.MinCRF, film.MaxCRF} {
		how := ffmpeg.Encoding{Width: 240, Height: 240, Rate: 5, CRF: crf, GOP: 15, BFrames: 2}
		var scenes []*world.Scene
		for s := range world.Scenes(uint64(crf), world.Options{Duration: 2 * time.Second}) {
			if scenes = append(scenes, s); len(scenes) == 12 {
				break
			}
		}
		checkFilm(t, how, scenes, filmed(t, how, scenes))
	}
}

// filmed are the sketches of all frames of a film.
func filmed(t *testing.T, how ffmpeg.Encoding, scenes []*world.Scene) (sketches []frames.Sketch) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "film.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ends, err := film.Write(file, how, scenes...)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	clip, err := ffmpeg.Open(bytes.NewReader(data), int64(len(data)), ffmpeg.Limits{MaxPixels: 1 << 20, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer clip.Close()
	whole := frames.Window{End: ends[len(ends)-1]}
	if err := clip.Show(whole.Instants(int(whole.End*time.Duration(how.Rate)/time.Second)), func(p wire.Picture) error {
		img := image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))
		for i := range p.Width * p.Height {
			copy(img.Pix[4*i:], []byte{p.Pixels[3*i], p.Pixels[3*i+1], p.Pixels[3*i+2], 255})
		}
		sketches = append(sketches, sketch(t, img))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return sketches
}

// checkFilm compares the sketches of frames a second apart, and of those that follow each
// other, with what the scenes show.
func checkFilm(t *testing.T, how ffmpeg.Encoding, scenes []*world.Scene, sketches []frames.Sketch) {
	t.Helper()
	each := film.Frames(scenes[0], how.Rate)
	for i, after := range sketches {
		if i > 0 && after.Cut(sketches[i-1]) != (i%each == 0) {
			t.Errorf("CRF %d, frame %d: cut is %t", how.CRF, i, i%each != 0)
		}
		if i%each < how.Rate {
			continue // a second ago was another scene
		}
		s, before := scenes[i/each], sketches[i-how.Rate]
		from, to := film.Time(i%each-how.Rate, how.Rate), film.Time(i%each, how.Rate)
		moves, appears := false, false
		for _, o := range s.Truth(from, to).Objects {
			moves = moves || o.Does != world.Still
			appears = appears || o.Motion != world.Still
		}
		if change := after.Change(before); moves && change < gate || !appears && change > gate/2 {
			t.Errorf("CRF %d, frame %d, where %s: change %.4f", how.CRF, i, s.Truth(from, to).Caption, change)
		}
	}
}
