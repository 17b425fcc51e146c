package index_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/index"
)

const many = 100_000

// captions is a stream of so many captions of ten cameras, of 2,000 words.
func captions(b *testing.B, n int) *memory {
	m, r := newMemory(noon), rand.New(rand.NewPCG(1, 2))
	for i := range n {
		text := "a"
		for range 8 {
			text += fmt.Sprintf(" word%d", int(r.ExpFloat64()*200)%2000)
		}
		m.put(b, caption(fmt.Sprintf("camera-%d", i%10), text, i))
	}
	return m
}

// BenchmarkBuild makes the index of 100,000 captions.
func BenchmarkBuild(b *testing.B) {
	m := captions(b, many)
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "index.db")
		x := open(b, path, m)
		end := run(b, x)
		until(b, "all are held", func() bool { return latest(b, x) == many })
		end()
		if s, err := os.Stat(path); err == nil {
			b.ReportMetric(float64(s.Size())/many, "bytes/caption")
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N)/many, "µs/caption")
}

func latest(b *testing.B, x *index.Index) uint64 {
	if s := seqs(b, x, api.Query{Limit: 1}); len(s) > 0 {
		return s[0]
	}
	return 0
}

// BenchmarkSearch asks an index of 100,000 captions.
func BenchmarkSearch(b *testing.B) {
	x := open(b, filepath.Join(b.TempDir(), "index.db"), captions(b, many))
	run(b, x)
	until(b, "all are held", func() bool { return latest(b, x) == many })
	for _, q := range []struct {
		name string
		api.Query
	}{
		{"newest", api.Query{}},
		{"word in all", api.Query{Words: "a"}},
		{"common word", api.Query{Words: "word7"}},
		{"two words of a source", api.Query{Words: "word7 word100", Sources: []string{"camera-3"}}},
		{"rare word", api.Query{Words: "word1500"}},
		{"beginning", api.Query{Words: "word1*"}},
		{"rank", api.Query{Words: "word7", ByRank: true}},
		{"rank of all", api.Query{Words: "a", ByRank: true}},
		{"an hour long ago", api.Query{From: noon.Add(time.Hour), To: noon.Add(2 * time.Hour)}},
		{"nothing", api.Query{Words: "word1500 word1501 word1502"}},
	} {
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := x.Search(b.Context(), q.Query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLive is from a caption's storing to its being found, one after another.
func BenchmarkLive(b *testing.B) {
	m := captions(b, many)
	x := open(b, filepath.Join(b.TempDir(), "index.db"), m)
	run(b, x)
	until(b, "all are held", func() bool { return latest(b, x) == many })
	for i := many; b.Loop(); i++ {
		for last := m.put(b, caption("door", "a door", i)); latest(b, x) != last; {
		}
	}
}
