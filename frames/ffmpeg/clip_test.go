package ffmpeg

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/captiond/captiond/frames/wire"
)

func TestMain(m *testing.M) {
	Quiet()
	os.Exit(m.Run())
}

func limits() Limits { return Limits{MaxPixels: 4096 * 2304, Threads: 2} }

// open opens a clip of testdata and proves at the end that nothing native is left.
func open(t *testing.T, name string) *Clip {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	c, err := openFile(f)
	if err != nil {
		t.Fatalf("open %s: %v", name, err)
	}
	t.Cleanup(func() {
		c.Close()
		if c.live != (live{}) {
			t.Errorf("native objects left: %+v", c.live)
		}
	})
	return c
}

func openFile(f *os.File) (*Clip, error) {
	s, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return Open(f, s.Size(), limits())
}

func show(t *testing.T, c *Clip, at ...time.Duration) []wire.Picture {
	t.Helper()
	var ps []wire.Picture
	err := c.Show(at, func(p wire.Picture) error {
		if len(p.Pixels) != 3*p.Width*p.Height {
			t.Fatalf("%d bytes of %dx%d", len(p.Pixels), p.Width, p.Height)
		}
		ps = append(ps, p)
		return nil
	})
	if err != nil {
		t.Fatalf("show: %v", err)
	}
	return ps
}

func pixel(p wire.Picture, x, y int) [3]int {
	i := 3 * (y*p.Width + x)
	return [3]int{int(p.Pixels[i]), int(p.Pixels[i+1]), int(p.Pixels[i+2])}
}

// number reads which picture it is from its barcode; -1 when it is not upright.
func number(p wire.Picture) int {
	bright := func(x, y int) bool { c := pixel(p, x, y); return c[0]+c[1]+c[2] > 3*120 }
	if !bright(p.Width/4, p.Height*3/4) || bright(p.Width*3/4, p.Height*3/4) {
		return -1
	}
	n := 0
	for bit := range 8 {
		if bright((2*bit+1)*p.Width/16, p.Height/4) {
			n |= 1 << bit
		}
	}
	return n
}

// truth is what ffprobe says: the pictures' PTS and the end, from the first one on.
type truth struct {
	pts   []time.Duration
	first time.Duration // the first PTS as it is in the file
	end   time.Duration // on the file's own time
}

func truths(t *testing.T) map[string]truth {
	t.Helper()
	f, err := os.Open("testdata/truth.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string]truth{}
	for s := bufio.NewScanner(f); s.Scan(); {
		col := strings.Split(s.Text(), "\t")
		tr := truth{end: seconds(t, col[1])}
		for _, p := range strings.Split(col[2], ",") {
			if p != "" && p != "N/A" {
				tr.pts = append(tr.pts, seconds(t, p))
			}
		}
		if len(tr.pts) > 0 {
			tr.first = tr.pts[0]
		}
		for i := len(tr.pts) - 1; i >= 0; i-- {
			tr.pts[i] -= tr.pts[0]
		}
		all[col[0]] = tr
	}
	return all
}

func seconds(t *testing.T, s string) time.Duration {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(v * 1e9)
}

// every10 is n pictures, ten a second.
func every10(n int) truth {
	tr := truth{end: time.Duration(n) * 100 * time.Millisecond}
	for i := range n {
		tr.pts = append(tr.pts, time.Duration(i)*100*time.Millisecond)
	}
	return tr
}
