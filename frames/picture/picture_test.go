package picture

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden is what Pillow shows of a picture of testdata, made by gen.py.
type golden struct {
	W, H   int
	SHA256 string
	RGB    []byte // of lossy pictures
}

// Decoders of lossy formats may differ in their arithmetic: of the 256 values of a sample
// this is the greatest difference to libjpeg-turbo and libwebp, and the mean one.
const (
	mostOff = 4
	meanOff = 0.6
)

func readGoldens(t *testing.T) map[string]golden {
	t.Helper()
	var all map[string]golden
	if err := json.Unmarshal(readFile(t, "golden.json"), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, want := range readGoldens(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			img, err := Decode(bytes.NewReader(readFile(t, name)), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if img.Rect != image.Rect(0, 0, want.W, want.H) {
				t.Fatalf("bounds %v, want %dx%d", img.Rect, want.W, want.H)
			}
			rgb := packed(t, img)
			if want.RGB != nil {
				checkNear(t, rgb, want.RGB)
			} else if sum := sha256.Sum256(rgb); hex.EncodeToString(sum[:]) != want.SHA256 {
				t.Errorf("other pixels than Pillow's, such as %v", rgb[:12])
			}
		})
	}
}

func packed(t *testing.T, img *image.RGBA) []byte {
	var rgb []byte
	for at := 0; at < len(img.Pix); at += 4 {
		rgb = append(rgb, img.Pix[at:at+3]...)
		if img.Pix[at+3] != 255 {
			t.Fatalf("alpha %d", img.Pix[at+3])
		}
	}
	return rgb
}

func checkNear(t *testing.T, got, want []byte) {
	most, sum := 0, 0
	for i := range want {
		off := max(int(got[i])-int(want[i]), int(want[i])-int(got[i]))
		most, sum = max(most, off), sum+off
	}
	if mean := float64(sum) / float64(len(want)); most > mostOff || mean > meanOff {
		t.Errorf("differs by up to %d, on average %.3f; allowed are %d and %v", most, mean, mostOff, meanOff)
	}
}

func TestAnimated(t *testing.T) {
	t.Parallel()
	if _, err := Decode(bytes.NewReader(readFile(t, "moves.gif")), Limits{}); !errors.Is(err, ErrAnimated) {
		t.Errorf("animated GIF: %v", err)
	}
	_, err := Decode(bytes.NewReader(readFile(t, "moves.webp")), Limits{})
	if err == nil || errors.Is(err, ErrAnimated) || !strings.Contains(err.Error(), "make it a GIF or MP4 first") {
		t.Errorf("animated WebP: %v", err)
	}
}

func TestTruncated(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"rgb.png", "420.jpg", "progressive.jpg", "lossy.webp", "lossless.webp", "rgb.bmp", "palette.gif"} {
		data := readFile(t, name)
		for _, n := range []int{14, len(data) / 3, len(data) * 3 / 4} {
			_, err := Decode(bytes.NewReader(data[:n]), Limits{})
			if err == nil || !strings.Contains(err.Error(), "the file is truncated") {
				t.Errorf("%s, first %d bytes: %v", name, n, err)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	data := readFile(t, "rgb.png")
	for want, l := range map[string]Limits{
		"23 x 17 pixels, more than 390 in all": {Pixels: 390},
		"more than 100 bytes":                  {Bytes: 100},
	} {
		if _, err := Decode(bytes.NewReader(data), l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	if _, err := Decode(bytes.NewReader(data), Limits{Pixels: 391, Bytes: int64(len(data))}); err != nil {
		t.Error(err)
	}
}

// TestBombs gives small files that state huge sizes; none may be believed.
func TestBombs(t *testing.T) {
	t.Parallel()
	huge := map[string][]byte{}
	for name, at := range map[string]int{"rgb.png": 16, "grey16.png": 16} {
		data := readFile(t, name)
		binary.BigEndian.PutUint64(data[at:], 60000<<32|60000)
		huge[name] = withCRC(data)
	}
	webp := readFile(t, "lossy.webp")
	at := bytes.Index(webp, []byte("\x9d\x01\x2a")) + 3
	binary.LittleEndian.PutUint32(webp[at:], 16383<<16|16383)
	huge["lossy.webp"] = webp
	bmp := readFile(t, "rgb.bmp")
	binary.LittleEndian.PutUint64(bmp[18:], 60000<<32|60000)
	huge["rgb.bmp"] = bmp
	gif := readFile(t, "palette.gif")
	binary.LittleEndian.PutUint32(gif[6:], 65535<<16|65535)
	huge["palette.gif"] = gif
	inner := readFile(t, "lossy_alpha.webp") // its header goes on stating 23 x 17
	at = bytes.Index(inner, []byte("\x9d\x01\x2a")) + 3
	binary.LittleEndian.PutUint32(inner[at:], 16383<<16|16383)
	huge["lossy_alpha.webp"] = inner
	for name, data := range huge {
		if _, err := Decode(bytes.NewReader(data), Limits{}); err == nil || !strings.Contains(err.Error(), "scale it down first") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// withCRC puts a PNG's first checksum right.
func withCRC(data []byte) []byte {
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	return data
}

func TestSniff(t *testing.T) {
	t.Parallel()
	for name := range readGoldens(t) {
		kind, ok := Sniff(readFile(t, name)[:SniffLen])
		want := strings.Replace(filepath.Ext(name)[1:], "jpg", "jpeg", 1)
		if !ok || kind != want {
			t.Errorf("%s: %q", name, kind)
		}
	}
	for _, s := range []string{"", "B", "\xff\xd8", "RIFF....WEB", "RIFF....AVI LIST", "GIF88a", "\x89PNG\r\n", "ftyp"} {
		if kind, ok := Sniff([]byte(s)); ok {
			t.Errorf("%q is %s", s, kind)
		}
	}
	if _, err := Decode(strings.NewReader("#EXTM3U\n"), Limits{}); err == nil || !strings.Contains(err.Error(), "neither JPEG") {
		t.Error(err)
	}
}

func TestOrientationOfRubbish(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "II*\x00", "II*\x00\xff\xff\xff\xff", "MM\x00*\x00\x00\x00\x08\xff\xff",
		"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x09\x00\x00\x00",
		"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x02\x00\x01\x00\x00\x00\x06\x00\x00\x00",
	} {
		if o := orientation([]byte(s)); o != 1 {
			t.Errorf("%q: %d", s, o)
		}
	}
	for want, s := range map[int]string{
		6: "MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00",
		3: "II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x04\x00\x01\x00\x00\x00\x03\x00\x00\x00",
	} {
		if o := orientation([]byte(s)); o != want {
			t.Errorf("%q: %d, want %d", s, o, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) < 40 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		if _, ok := Sniff(readFile(f, filepath.Base(name))); ok {
			f.Add(readFile(f, filepath.Base(name)))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := Decode(bytes.NewReader(data), Limits{Pixels: 1 << 16, Bytes: 1 << 20})
		if err == nil && (img.Rect.Empty() || img.Rect.Dx()*img.Rect.Dy() > 1<<16) {
			t.Errorf("bounds %v", img.Rect)
		}
	})
}
