package pixels

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"math"
	"os"
	"sync"
	"testing"

	"github.com/captiond/captiond/model/float16"
)

// golden is one picture of testdata/golden.json, made by gen.py with the references.
type golden struct {
	source
	Transform     string
	View          string
	Width, Height int
	Bytes         string `json:"uint8_sha256"`
	Floats        string `json:"float32_sha256"`
	First         []float32
	Full          string `json:"uint8"`
}

// source names a procedural picture.
type source struct {
	W, H  int
	Noise bool
}

type goldenTable struct {
	G, GH, GW int
	Values    []float32
}

func readGoldens(t *testing.T) (pictures []golden, tables []goldenTable) {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Pictures  []golden
		Positions []goldenTable
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Pictures, file.Positions
}

// transforms are those of gen.py, by the same names.
func transforms() map[string]Transform {
	clip := func(t Transform) Transform {
		t.Mean, t.Std = microsoft().Mean, microsoft().Std
		t.Normalize, t.Scale = true, 1.0/255
		return t
	}
	shortest := func(edge, height, width int) Transform {
		return clip(Transform{Resize: ShortestEdge, Edge: edge, CropWidth: width, CropHeight: height})
	}
	videomae := func(size int) Transform {
		t := shortest(size, size, size)
		t.Filter = Bilinear
		t.Mean, t.Std = [3]float64{0.5, 0.5, 0.5}, [3]float64{0.5, 0.5, 0.5}
		return t
	}
	all := map[string]Transform{
		"clip224": shortest(224, 224, 224), "clip33": shortest(33, 33, 33), "clip480": shortest(480, 480, 480),
		"videomae224": videomae(224), "videomae33": videomae(33),
		"exact":     clip(Transform{Resize: Exact, Width: 31, Height: 48}),
		"exactcrop": clip(Transform{Resize: Exact, Width: 31, Height: 48, CropWidth: 40, CropHeight: 33}),
		"keep":      clip(Transform{CropWidth: 25, CropHeight: 24}),
		"ms224":     Microsoft(224), "ms33": Microsoft(33),
		"vqabase": MicrosoftVQA(480, 640), "vqasmall": MicrosoftVQA(48, 64),
	}
	pad, plain, unscaled := shortest(20, 33, 28), shortest(33, 33, 33), shortest(33, 33, 33)
	pad.Filter, plain.Normalize, unscaled.Scale = Bilinear, false, 0
	all["pad"], all["plain"], all["unscaled"] = pad, plain, unscaled
	return all
}

// picture is the same formula as in gen.py. Its alpha is noise that must not be seen, and
// it lies inside a larger picture.
func picture(w, h int, noise bool) *image.RGBA {
	whole := image.NewRGBA(image.Rect(-2, -1, w+3, h+2))
	img := whole.SubImage(image.Rect(0, 0, w, h)).(*image.RGBA)
	for y := range h {
		for x := range w {
			at := img.Pix[img.PixOffset(x, y):]
			for c := range 3 {
				at[c] = sample(uint32(x), uint32(y), uint32(c), noise)
			}
			at[3] = uint8(x * y)
		}
	}
	return img
}

func sample(x, y, c uint32, noise bool) uint8 {
	v := x*(13+c) + y*(7+3*c) + (x^y)*(5+c) + (x*y)>>4
	if noise {
		v = v * 2654435761 >> 24
	}
	return uint8(v)
}

func TestGolden(t *testing.T) {
	t.Parallel()
	pictures, _ := readGoldens(t)
	if len(pictures) < 150 {
		t.Fatalf("only %d golden pictures", len(pictures))
	}
	processors := map[string]*Processor{}
	for name, transform := range transforms() {
		p, err := New(transform)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		processors[name] = p
	}
	sources := map[source]*image.RGBA{}
	for _, g := range pictures {
		img := sources[g.source]
		if img == nil {
			img = picture(g.W, g.H, g.Noise)
			sources[g.source] = img
		}
		t.Run(fmt.Sprintf("%s/%dx%d/%s", g.Transform, g.W, g.H, g.View), func(t *testing.T) {
			t.Parallel()
			checkGolden(t, processors[g.Transform], img, g)
		})
	}
}

func checkGolden(t *testing.T, p *Processor, img *image.RGBA, g golden) {
	view, err := ParseView(g.View)
	if err != nil {
		t.Fatal(err)
	}
	w, h := p.Size(g.W, g.H, view)
	if w != g.Width || h != g.Height {
		t.Fatalf("size %dx%d, want %dx%d", w, h, g.Width, g.Height)
	}
	rgb := packed(p.Resample(img, view))
	if full, _ := base64.StdEncoding.DecodeString(g.Full); g.Full != "" && !bytes.Equal(rgb, full) {
		t.Errorf("uint8 %v\nwant  %v", rgb[:24], full[:24])
	}
	if got := digest(rgb); got != g.Bytes {
		t.Errorf("the uint8 picture differs: sha256 %s, want %s", got, g.Bytes)
	}
	values := make([]float32, 3*w*h)
	p.Apply(values, img, view)
	for c, want := range g.First {
		if got := values[c*w*h]; math.Abs(float64(got-want)) > 1e-6 {
			t.Errorf("channel %d begins with %v, want %v", c, got, want)
		}
	}
	raw, _ := binary.Append(nil, binary.LittleEndian, values)
	if got := digest(raw); got != g.Floats {
		t.Errorf("the float32 tensor differs: sha256 %s, want %s", got, g.Floats)
	}
}

func packed(img *image.RGBA) []uint8 {
	rgb := make([]uint8, 0, len(img.Pix)/4*3)
	for at := 0; at < len(img.Pix); at += 4 {
		rgb = append(rgb, img.Pix[at:at+3]...)
	}
	return rgb
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func TestApplyConcurrently(t *testing.T) {
	t.Parallel()
	p, err := New(Microsoft(33))
	if err != nil {
		t.Fatal(err)
	}
	sizes := []image.Point{{100, 75}, {75, 100}, {33, 34}, {5, 5}}
	var wg sync.WaitGroup
	for _, size := range sizes {
		img := picture(size.X, size.Y, true)
		want := packed(p.Resample(img, View{}))
		for range 4 {
			wg.Go(func() {
				if got := packed(p.Resample(img, View{})); !bytes.Equal(got, want) {
					t.Errorf("%v: another result beside other goroutines", size)
				}
			})
		}
	}
	wg.Wait()
}

func TestBuffersAreReused(t *testing.T) {
	p, err := New(Microsoft(33))
	if err != nil {
		t.Fatal(err)
	}
	img, s, t33 := picture(100, 75, true), newScratch(), tensor[float32]{make([]float32, 3*33*33), 33, 33, p.floats}
	plan := p.plan(100, 75, View{})
	n := testing.AllocsPerRun(50, func() {
		s.narrow(img, plan, p.Filter)
		t33.finish(s)
	})
	if n > 0 {
		t.Errorf("%v allocations a picture", n)
	}
}

func TestShortResultPanics(t *testing.T) {
	t.Parallel()
	p, err := New(Microsoft(33))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("values were written behind the end")
		}
	}()
	longer := make([]float32, 3*33*33)
	p.Apply(longer[:len(longer)-1], picture(100, 75, true), View{})
}

func TestInterpolatePositions(t *testing.T) {
	t.Parallel()
	_, tables := readGoldens(t)
	for _, g := range tables {
		table := make([]float32, 3*(1+g.G*g.G))
		for i := range table {
			row := i/3*7 + i%3*5
			table[i] = float32(row*row%101-50) / 64
		}
		got := InterpolatePositions(table, 3, g.GH, g.GW)
		if len(got) != 3*(1+g.GH*g.GW) {
			t.Fatalf("%d to %dx%d: %d values", g.G, g.GH, g.GW, len(got))
		}
		for i, want := range g.Values {
			if math.Abs(float64(got[i]-want)) > 1e-6 {
				t.Fatalf("%d to %dx%d: value %d is %v, want %v", g.G, g.GH, g.GW, i, got[i], want)
			}
		}
	}
}

// TestHalvesAreRoundedFloats holds what float16 is told of a picture to what float32 is, both
// where pixels are resampled and where they stay.
func TestHalvesAreRoundedFloats(t *testing.T) {
	t.Parallel()
	p, err := New(Microsoft(48))
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{48, 31, 100} {
		img := picture(size, size, true)
		floats, halves := make([]float32, 3*48*48), make([]uint16, 3*48*48)
		p.Apply(floats, img, View{})
		p.ApplyHalf(halves, img, View{})
		for i, f := range floats {
			if halves[i] != float16.Of(f) {
				t.Fatalf("number %d of %d x %d pixels is %v, and %v in float16", i, size, size, f, float16.Float32(halves[i]))
			}
		}
	}
}
