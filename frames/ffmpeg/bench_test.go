package ffmpeg

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/captiond/captiond/frames/wire"
)

// BenchmarkSparse opens the film and shows six pictures of it, the scan of all packets
// included, beside decoding every picture with the same settings. Metrics, medians of the
// rounds: of-full is the time of the first over that of the second, open-of-full and
// scan-of-full the parts of opening the file and of the scan alone.
func BenchmarkSparse(b *testing.B) {
	data := film(b)
	for name, first := range map[string]time.Duration{
		"centres": 5 * time.Second,         // of six equal parts
		"late":    9900 * time.Millisecond, // right before a key picture: the most work there is
	} {
		b.Run(name, func(b *testing.B) {
			var of, opening, scanning []float64
			for b.Loop() {
				full, s := decodeAll(b, data), showSix(b, data, first)
				of = append(of, s.whole/full)
				opening = append(opening, s.opening/full)
				scanning = append(scanning, s.scan/full)
			}
			b.ReportMetric(median(of), "of-full")
			b.ReportMetric(median(opening), "open-of-full")
			b.ReportMetric(median(scanning), "scan-of-full")
		})
	}
}

// BenchmarkDense shows pictures that are close to each other, beside decoding every picture
// up to the last of them and converting the same. The metric of-forward is the speed of the
// first over that of the second.
func BenchmarkDense(b *testing.B) {
	data := film(b)
	for name, stride := range map[string]time.Duration{
		"every-picture": time.Second / filmRate,
		"quarter":       250 * time.Millisecond,
	} {
		b.Run(name, func(b *testing.B) {
			var instants []time.Duration
			for t := stride / 2; t < 4*time.Second; t += stride {
				instants = append(instants, t)
			}
			var of []float64
			for b.Loop() {
				of = append(of, showAll(b, data, forwardOnly, instants)/showAll(b, data, func(*Clip) {}, instants))
			}
			b.ReportMetric(median(of), "of-forward")
		})
	}
}

// forwardOnly makes a clip decode every picture, in order.
func forwardOnly(c *Clip) { c.jump, c.sparing = false, false }

func showAll(b *testing.B, data []byte, set func(*Clip), instants []time.Duration) (seconds float64) {
	b.Helper()
	c := openBytes(b, data)
	defer c.Close()
	set(c)
	start := time.Now()
	discard(b, c, instants)
	return time.Since(start).Seconds()
}

func decodeAll(b *testing.B, data []byte) (seconds float64) {
	b.Helper()
	c := openBytes(b, data)
	defer c.Close()
	start := time.Now()
	for !c.ended {
		c.advance()
	}
	return time.Since(start).Seconds()
}

type sparse struct{ scan, opening, whole float64 } // seconds; each includes the one before

func showSix(b *testing.B, data []byte, first time.Duration) (s sparse) {
	b.Helper()
	in, err := openInput(&source{r: bytes.NewReader(data), size: int64(len(data))}, limits().MaxPixels, &live{})
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	if _, err := scan(in, func() {}); err != nil {
		b.Fatal(err)
	}
	s.scan = time.Since(start).Seconds()
	in.close()

	start = time.Now()
	c := openBytes(b, data)
	defer c.Close()
	s.opening = time.Since(start).Seconds()
	var instants []time.Duration
	for i := range 6 {
		instants = append(instants, first+time.Duration(i)*10*time.Second)
	}
	discard(b, c, instants)
	s.whole = time.Since(start).Seconds()
	return s
}

func openBytes(tb testing.TB, data []byte) *Clip {
	tb.Helper()
	c, err := Open(bytes.NewReader(data), int64(len(data)), limits())
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func discard(b *testing.B, c *Clip, instants []time.Duration) {
	b.Helper()
	if err := c.Show(instants, func(wire.Picture) error { return nil }); err != nil {
		b.Fatal(err)
	}
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}
