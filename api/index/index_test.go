package index_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/index"
	"github.com/captiond/captiond/sinks"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("CAPTIOND_TEST_INDEX"); path != "" {
		indexUntilKilled(path)
	}
	goleak.VerifyTestMain(m)
}

// memory is a stream.
type memory struct {
	mu      sync.Mutex
	records []sinks.Record // nil events are not there any more
	extent  sinks.Extent
	grown   chan struct{}
}

func newMemory(created time.Time) *memory {
	return &memory{extent: sinks.Extent{First: 1, Created: created}, grown: make(chan struct{})}
}

// put stores events, and gives the last number.
func (m *memory) put(t testing.TB, events ...sinks.Event) uint64 {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range events {
		sinks.Seal(e)
		b, err := sinks.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		m.extent.Last++
		m.records = append(m.records, sinks.Record{Seq: m.extent.Last, Stored: noon.Add(time.Duration(m.extent.Last) * time.Hour), Data: b, Event: e})
	}
	close(m.grown)
	m.grown = make(chan struct{})
	return m.extent.Last
}

// reset makes the stream anew.
func (m *memory) reset(created time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records, m.extent = nil, sinks.Extent{First: 1, Created: created}
}

// drop lets go of numbers.
func (m *memory) drop(seqs ...uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range seqs {
		m.records[s-1].Event = nil
	}
	m.extent.First, m.extent.Removed = 1, 0
	for m.extent.First <= m.extent.Last && m.records[m.extent.First-1].Event == nil {
		m.extent.First++
	}
	for _, r := range m.records[m.extent.First-1:] {
		if r.Event == nil {
			m.extent.Removed++
		}
	}
}

func (m *memory) Extent(context.Context) (sinks.Extent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.extent, nil
}

func (m *memory) Removed(context.Context) (seqs []uint64, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.records[m.extent.First-1:] {
		if r.Event == nil {
			seqs = append(seqs, r.Seq)
		}
	}
	return seqs, nil
}

// next is the first record from seq on, or what to wait for.
func (m *memory) next(seq uint64) (sinks.Record, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if seq > m.extent.Last+1 {
		seq = 1 // made anew
	}
	for _, r := range m.records[max(seq, 1)-1:] {
		if r.Event != nil {
			return r, nil
		}
	}
	return sinks.Record{}, m.grown
}

func (m *memory) Read(ctx context.Context, from sinks.From, _ ...string) iter.Seq2[sinks.Record, error] {
	return func(yield func(sinks.Record, error) bool) {
		for seq := from.Seq; ; {
			r, wait := m.next(seq)
			if wait == nil {
				if seq = r.Seq + 1; !yield(r, nil) {
					return
				}
				continue
			}
			select {
			case <-wait:
			case <-ctx.Done():
				return
			}
		}
	}
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// caption is of six seconds that begin so many seconds after noon.
func caption(source, text string, second int) *sinks.Caption {
	at := noon.Add(time.Duration(second) * time.Second)
	return &sinks.Caption{
		Header: sinks.Header{Source: source, Seq: int64(second)},
		Span:   sinks.Span{Start: sinks.Seconds(second * 1000), StartTime: sinks.At(at), EndTime: sinks.At(at.Add(6 * time.Second)), Clock: sinks.ClockRTCP},
		Speech: sinks.Speech{Text: text},
	}
}

func open(t testing.TB, path string, s index.Stream) *index.Index {
	t.Helper()
	x, err := index.Open(path, s, index.Options{Every: 20 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// run runs the index, until the test ends or end is called.
func run(t testing.TB, x *index.Index) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { x.Run(ctx) })
	end = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(end)
	return end
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(30 * time.Second); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// seqs are the numbers that q finds.
func seqs(t testing.TB, x *index.Index, q api.Query) []uint64 {
	t.Helper()
	page, err := x.Search(t.Context(), q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	return numbers(page)
}

func numbers(p api.Page) []uint64 {
	found := []uint64{}
	for _, f := range p.Found {
		found = append(found, f.Seq)
	}
	return found
}

func holds(t testing.TB, x *index.Index, want ...uint64) {
	t.Helper()
	said := ""
	defer func() {
		if t.Failed() {
			t.Log(said)
		}
	}()
	until(t, fmt.Sprintf("the index holds %v", want), func() bool {
		page, err := x.Search(t.Context(), api.Query{Limit: 500})
		said = fmt.Sprintf("it holds %v, %v", numbers(page), err)
		return err == nil && slices.Equal(numbers(page), want)
	})
}

func TestSearch(t *testing.T) {
	t.Parallel()
	m := newMemory(noon)
	x := open(t, filepath.Join(t.TempDir(), "a b?c%20#.db"), m)
	run(t, x)
	m.put(t,
		caption("door", "a man is playing a guitar", 0),  // 1
		&sinks.Cut{Header: sinks.Header{Source: "door"}}, // 2
		caption("door", "two dogs run on the grass", 6),  // 3
		caption("yard", "a dog is running", 3),           // 4
		&sinks.Answer{Header: sinks.Header{Source: "yard"}, Question: "is there a person?", Span: caption("", "", 60).Span, // 5
			Speech: sinks.Speech{Text: "yes"}},
		&sinks.Caption{Header: sinks.Header{Source: "job-7"}, Span: sinks.Span{Clock: sinks.ClockNone}, Speech: sinks.Speech{Text: "a café at night: 100% \"open\""}}, // 6
	)
	holds(t, x, 6, 5, 4, 3, 1)
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	for name, test := range map[string]struct {
		q    api.Query
		want []uint64
	}{
		"a word":                      {api.Query{Words: "guitar"}, []uint64{1}},
		"stems, and any case":         {api.Query{Words: "DOG Runs"}, []uint64{4, 3}},
		"all words":                   {api.Query{Words: "dog grass"}, []uint64{3}},
		"words of two texts":          {api.Query{Words: "guitar grass"}, []uint64{}},
		"a phrase":                    {api.Query{Words: `"playing a guitar"`}, []uint64{1}},
		"a phrase in another order":   {api.Query{Words: `"guitar a playing"`}, []uint64{}},
		"a phrase without its end":    {api.Query{Words: `"on the grass`}, []uint64{3}},
		"a beginning":                 {api.Query{Words: "gui*"}, []uint64{1}},
		"not a beginning":             {api.Query{Words: "gui"}, []uint64{}},
		"a question":                  {api.Query{Words: "person"}, []uint64{5}},
		"an answer and its question":  {api.Query{Words: "yes person"}, []uint64{5}},
		"accents":                     {api.Query{Words: "cafe"}, []uint64{6}},
		"a number":                    {api.Query{Words: "100%"}, []uint64{6}},
		"what FTS5 takes for syntax":  {api.Query{Words: `text:guitar`}, []uint64{}},
		"operators are words":         {api.Query{Words: "guitar OR grass"}, []uint64{}},
		"words joined by signs":       {api.Query{Words: "playing-a-guitar (guitar) ^guitar +man"}, []uint64{1}},
		"signs alone find nothing":    {api.Query{Words: `*** "" ^`}, []uint64{}},
		"signs beside words":          {api.Query{Words: `guitar & -- "`}, []uint64{1}},
		"a source":                    {api.Query{Sources: []string{"yard"}}, []uint64{5, 4}},
		"sources and words":           {api.Query{Sources: []string{"yard", "job-7"}, Words: "a"}, []uint64{6, 5, 4}},
		"a source that is not there":  {api.Query{Sources: []string{"'; DROP TABLE words; --"}}, []uint64{}},
		"from: what ends after":       {api.Query{From: at(6)}, []uint64{6, 5, 4, 3}},
		"from, just before the end":   {api.Query{From: at(6).Add(-time.Millisecond), To: at(100)}, []uint64{5, 4, 3, 1}},
		"to: what begins before":      {api.Query{To: at(3)}, []uint64{1}},
		"to, just after":              {api.Query{To: at(3).Add(1)}, []uint64{4, 1}},
		"without a clock, as stored":  {api.Query{From: at(6 * 3600), To: at(6*3600 + 1)}, []uint64{6}},
		"an instant":                  {api.Query{From: at(61), To: at(61)}, []uint64{5}},
		"what the caller may see":     {api.Query{Sees: func(s string) bool { return s != "door" }}, []uint64{6, 5, 4}},
		"times, a source and words":   {api.Query{Words: "dog", Sources: []string{"door"}, From: at(5), To: at(7)}, []uint64{3}},
		"the best first":              {api.Query{Words: "dog", ByRank: true}, []uint64{4, 3}},
		"by rank of what has no rank": {api.Query{ByRank: true, Sources: []string{"door"}}, []uint64{3, 1}},
	} {
		if got := seqs(t, x, test.q); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestFound(t *testing.T) {
	t.Parallel()
	m := newMemory(noon)
	x := open(t, filepath.Join(t.TempDir(), "index.db"), m)
	run(t, x)
	c := caption("door", "a man is playing a <b>guitar</b>", 0)
	holds(t, x, m.put(t, c))
	want, _ := sinks.Encode(c)
	page, err := x.Search(t.Context(), api.Query{Words: "plays"})
	if err != nil || len(page.Found) != 1 || string(page.Found[0].Event) != string(want) || page.Next != "" {
		t.Fatalf("%+v %v", page, err)
	}
	if got := page.Found[0].Snippet; got != "a man is [playing] a <b>guitar</b>" {
		t.Errorf("snippet %q", got)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	m := newMemory(noon)
	x := open(t, filepath.Join(t.TempDir(), "index.db"), m)
	run(t, x)
	var all []uint64
	for i := range 25 {
		all = append(all, m.put(t, caption([]string{"door", "yard"}[i%2], "a door"+strings.Repeat(" and a wall", i%5), i)))
	}
	slices.Reverse(all)
	holds(t, x, all...)
	for name, q := range map[string]api.Query{
		"all": {Limit: 4}, "words": {Limit: 4, Words: "door"}, "rank": {Limit: 4, Words: "door", ByRank: true},
		"some": {Limit: 3, Words: "door", Sees: func(s string) bool { return s == "door" }},
	} {
		var got []uint64
		for n := 0; ; n++ {
			page, err := x.Search(t.Context(), q)
			if err != nil || len(page.Found) > q.Limit {
				t.Fatalf("%s: %+v %v", name, page, err)
			}
			got = append(got, numbers(page)...)
			if n == 0 {
				m.put(t, caption("door", "a door", 99)) // what comes later does not move the pages
				until(t, "the newest is found", func() bool { return seqs(t, x, api.Query{Limit: 1})[0] > got[0] })
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if q.ByRank {
			if len(got) < 2 || (25-got[0])%5 != 4 && (got[0]-1)%5 != 0 {
				t.Errorf("the shortest is not the best: %v", got)
			}
			slices.Sort(got)
			slices.Reverse(got)
		}
		want := slices.DeleteFunc(seqs(t, x, api.Query{Limit: 500, Words: q.Words, Sees: q.Sees}), func(s uint64) bool { return s > got[0] })
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestSearchRefuses(t *testing.T) {
	t.Parallel()
	x := open(t, filepath.Join(t.TempDir(), "index.db"), newMemory(noon))
	for name, q := range map[string]api.Query{
		"limit": {Limit: 501}, "less": {Limit: -1}, "times": {From: noon.Add(1), To: noon}, "long": {Words: strings.Repeat("x", 1001)},
		"many": {Words: strings.Repeat("x ", 33)}, "cursor": {Cursor: "x"}, "another's cursor": {Cursor: "r1.1"},
		"rank's cursor": {Cursor: "n7", Words: "a", ByRank: true}, "injected": {Cursor: "n1; DROP TABLE words"}, "huge": {Cursor: "n99999999999999999999"},
	} {
		if _, err := x.Search(t.Context(), q); api.Status(err) != 422 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzWords: whatever a person types is a query.
func FuzzWords(f *testing.F) {
	for _, s := range []string{`a`, `"a b" c*`, `"`, `""`, `*`, `a" OR "b`, "a\x00b", "NEAR(a b)", "text:a", "-a", "a^2", "\xff\xfe", "²³ ½", "日本*", "{a b}:c", "a AND NOT", "\u0345*", "ⅷ", "𝟘"} {
		f.Add(s)
	}
	m := newMemory(noon)
	x := open(f, filepath.Join(f.TempDir(), "index.db"), m)
	m.put(f, caption("door", "a b c", 0))
	f.Fuzz(func(t *testing.T, words string) {
		for _, rank := range []bool{false, true} {
			if _, err := x.Search(t.Context(), api.Query{Words: words, ByRank: rank}); err != nil && api.Status(err) != 422 {
				t.Errorf("%q: %v", words, err)
			}
		}
	})
}
