package feed_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/feed"
	"github.com/captiond/captiond/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a stream. It tells when it is replayed.
type memory struct {
	mu       sync.Mutex
	first    uint64
	records  []sinks.Record
	grown    chan struct{}
	away     bool
	replayed func(sinks.Record) // nil for nothing
}

func newMemory() *memory { return &memory{first: 1, grown: make(chan struct{})} }

func (m *memory) put(n int, source string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range n {
		e := &sinks.Caption{Header: sinks.Header{Source: source}, Speech: sinks.Speech{Text: fmt.Sprint(len(m.records) + 1)}}
		m.add(e)
	}
}

func (m *memory) add(e sinks.Event) {
	sinks.Seal(e)
	b, _ := sinks.Encode(e)
	subject, _ := sinks.Subject("captiond", e)
	m.records = append(m.records, sinks.Record{Seq: uint64(len(m.records) + 1), Subject: subject, Data: b, Event: e})
	close(m.grown)
	m.grown = make(chan struct{})
}

func (m *memory) Extent(context.Context) (sinks.Extent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return sinks.Extent{}, errors.New("away")
	}
	return sinks.Extent{First: m.first, Last: uint64(len(m.records))}, nil
}

func (m *memory) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.records)
}

func (m *memory) at(seq uint64) (sinks.Record, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if seq > uint64(len(m.records))+1 {
		seq = 1 // made anew
	}
	if seq = max(seq, m.first); seq <= uint64(len(m.records)) {
		return m.records[seq-1], nil
	}
	return sinks.Record{}, m.grown
}

func (m *memory) Read(ctx context.Context, from sinks.From, _ ...string) iter.Seq2[sinks.Record, error] {
	return func(yield func(sinks.Record, error) bool) {
		for seq := from.Seq; ; {
			r, wait := m.at(seq)
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

func (m *memory) Replay(ctx context.Context, seq uint64, subjects ...string) iter.Seq2[sinks.Record, error] {
	return func(yield func(sinks.Record, error) bool) {
		extent, err := m.Extent(ctx)
		if err != nil {
			yield(sinks.Record{}, err)
			return
		}
		for ; seq <= extent.Last; seq++ {
			r, _ := m.at(seq)
			if len(subjects) > 0 && !slices.Contains(subjects, r.Subject) {
				continue
			}
			if m.replayed != nil {
				m.replayed(r)
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// words is items in short: numbers, "lost 2-3 (2)", "." for nothing.
type words struct{ said []string }

func (w *words) add(i feed.Item) {
	switch {
	case i.Gap != nil:
		w.said = append(w.said, fmt.Sprintf("lost %d-%d (%d)", i.Gap.From, i.Gap.To, i.Gap.Lost))
	case i.Seq == 0:
		w.said = append(w.said, ".")
	default:
		w.said = append(w.said, fmt.Sprint(i.Seq))
	}
}

func (w *words) String() string { return strings.Join(w.said, " ") }

// count is the numbers from a to b.
func count(a, b int) string {
	var w words
	for i := a; i <= b; i++ {
		w.said = append(w.said, fmt.Sprint(i))
	}
	return w.String()
}

// follow follows until end is called, and then gives what there was. Each item is handled by
// busy, before it counts as taken.
func follow(f *feed.Feed, caller string, w feed.Want, busy func(feed.Item)) (end func() (string, error)) {
	ctx, cancel := context.WithCancel(context.Background())
	var got words
	done := make(chan error, 1)
	go func() {
		done <- f.Follow(ctx, caller, w, func(i feed.Item) bool {
			if busy != nil {
				busy(i)
			}
			got.add(i)
			return true
		})
	}()
	synctest.Wait()
	return func() (string, error) {
		synctest.Wait()
		cancel()
		err := <-done
		return got.String(), err
	}
}

// bubble runs a feed in a bubble of its own time.
func bubble(t *testing.T, m *memory, o feed.Options, test func(t *testing.T, f *feed.Feed, end func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m.grown = make(chan struct{}) // of the bubble
		ctx, cancel := context.WithCancel(t.Context())
		f := feed.New(m, o)
		var running sync.WaitGroup
		running.Go(func() { f.Run(ctx) })
		synctest.Wait()
		test(t, f, cancel)
		cancel()
		running.Wait()
	})
}

func expect(t *testing.T, end func() (string, error), want string) {
	t.Helper()
	if got, err := end(); got != want || !errors.Is(err, context.Canceled) {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	m := newMemory()
	m.put(3, "door")
	bubble(t, m, feed.Options{}, func(t *testing.T, f *feed.Feed, _ func()) {
		all, door := follow(f, "", feed.Want{}, nil), follow(f, "", feed.Want{Sources: []string{"door"}}, nil)
		yard := follow(f, "", feed.Want{Subjects: []string{"captiond.*.yard"}}, nil)
		none := follow(f, "", feed.Want{Kinds: []sinks.Kind{sinks.KindCut, sinks.KindStatus}}, nil)
		mine := follow(f, "", feed.Want{Sees: func(s string) bool { return s == "yard" }, Subjects: []string{"captiond.>"}}, nil)
		m.put(1, "door")
		m.put(1, "yard")
		time.Sleep(16 * time.Second) // of the bubble
		m.put(1, "door")
		expect(t, all, ". 4 5 . 6")
		expect(t, door, ". 4 . 6")
		expect(t, yard, ". 5 .")
		expect(t, none, ". .")
		expect(t, mine, ". 5 .")
		if got := f.Stats(); got != (feed.Stats{}) {
			t.Errorf("%+v", got)
		}
	})
}

func TestItem(t *testing.T) {
	t.Parallel()
	m := newMemory()
	bubble(t, m, feed.Options{}, func(t *testing.T, f *feed.Feed, _ func()) {
		var got []feed.Item
		end := follow(f, "", feed.Want{}, func(i feed.Item) { got = append(got, i) })
		m.mu.Lock()
		m.add(&sinks.Job{Header: sinks.Header{Source: "job-1"}, State: sinks.JobDone})
		m.records[0].Data = []byte("{\"schema\":\r\n\"captiond.job.v1\",\n \"text\":\"a\\n\u2028b\" }\n")
		m.mu.Unlock()
		expect(t, end, ". 1")
		if i := got[1]; i.Kind != sinks.KindJob || i.Source != "job-1" || i.Subject != "captiond.jobs.1" ||
			string(i.Data) != "{\"schema\":\"captiond.job.v1\",\"text\":\"a\\n\u2028b\"}" {
			t.Errorf("%+v %s", i, i.Data)
		}
	})
}

func TestResume(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		first uint64
		want  feed.Want
		told  string
	}{
		"from the beginning":      {1, feed.Want{}, ". " + count(1, 1002)},
		"from what is remembered": {1, feed.Want{After: 999}, ". " + count(1000, 1002)},
		"from the last":           {1, feed.Want{After: 1000}, ". 1001 1002"},
		"of another stream":       {1, feed.Want{After: 5000}, ". " + count(1, 1002)},
		"what is held no more":    {401, feed.Want{After: 300}, ". lost 301-400 (100) " + count(401, 1002)},
		"all but the last":        {401, feed.Want{After: 400}, ". " + count(401, 1002)},
		"nothing is held":         {1001, feed.Want{After: 900}, ". lost 901-1000 (100) 1001 1002"},
		"one source":              {1, feed.Want{Sources: []string{"yard", "yard"}}, ". 1001"},
		"one kind":                {1, feed.Want{Kinds: []sinks.Kind{sinks.KindCut}}, "."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory()
			m.put(500, "door")
			m.put(500, "door")
			m.first = test.first
			test.want.Resume = true
			bubble(t, m, feed.Options{}, func(t *testing.T, f *feed.Feed, _ func()) {
				end := follow(f, "", test.want, nil)
				m.put(1, "yard")
				synctest.Wait()
				m.put(1, "door")
				expect(t, end, test.told)
			})
		})
	}
}

// TestResumeJoinsWithoutLossOrDoubling: events come at every moment of a replay, more than
// the feed remembers and fewer.
func TestResumeJoinsWithoutLossOrDoubling(t *testing.T) {
	t.Parallel()
	for _, burst := range []int{1, 7, 300} {
		m := newMemory()
		m.put(300, "door")
		m.replayed = func(r sinks.Record) {
			if r.Seq%50 == 0 && r.Seq <= 1000 {
				m.put(burst, "door")
				time.Sleep(time.Millisecond) // of the bubble: the feed has them all
			}
		}
		bubble(t, m, feed.Options{Quiet: time.Hour}, func(t *testing.T, f *feed.Feed, _ func()) {
			end := follow(f, "", feed.Want{Resume: true}, nil)
			m.put(3, "door")
			time.Sleep(time.Minute)
			expect(t, end, ". "+count(1, m.size()))
		})
	}
}

func TestSlowClientLosesTheOldest(t *testing.T) {
	t.Parallel()
	m := newMemory()
	bubble(t, m, feed.Options{Behind: 4, Overflows: 3}, func(t *testing.T, f *feed.Feed, _ func()) {
		go_, stuck := make(chan struct{}), make(chan struct{}, 100)
		slow := follow(f, "slow", feed.Want{}, func(i feed.Item) {
			if i.Seq > 0 && i.Seq%10 == 1 {
				stuck <- struct{}{}
				<-go_
			}
		})
		fast := follow(f, "fast", feed.Want{}, nil)
		for round := range 3 {
			for range 10 {
				m.put(1, "door")
				synctest.Wait() // the fast one takes each as it comes
			}
			<-stuck
			if round < 2 {
				go_ <- struct{}{}
				synctest.Wait()
			}
		}
		if got := f.Stats(); got.Dropped != 15 || got.Clients != 2 || got.Cut != 0 {
			t.Errorf("%+v", got)
		}
		close(go_)
		got, err := slow()
		want := ". 1 lost 2-6 (5) 7 8 9 10 11 lost 12-16 (5) 17 18 19 20 21 lost 22-26 (5)"
		if got != want || !errors.Is(err, feed.ErrSlow) {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
		expect(t, fast, ". "+count(1, 30))
		if got := f.Stats(); got.Cut != 1 || got.Clients != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// TestASlowReplayLosesNothing: what a resuming client has not read is in the stream.
func TestASlowReplayLosesNothing(t *testing.T) {
	t.Parallel()
	m := newMemory()
	m.put(20, "door")
	bubble(t, m, feed.Options{Behind: 4}, func(t *testing.T, f *feed.Feed, _ func()) {
		end := follow(f, "", feed.Want{Resume: true}, func(i feed.Item) {
			if i.Seq > 0 && i.Seq < 40 {
				m.put(2, "door")
			}
		})
		synctest.Wait()
		expect(t, end, ". "+count(1, m.size()))
	})
}

func TestStreamMadeAnew(t *testing.T) {
	t.Parallel()
	m := newMemory()
	m.put(9, "door")
	bubble(t, m, feed.Options{}, func(t *testing.T, f *feed.Feed, _ func()) {
		live, resumed := follow(f, "", feed.Want{}, nil), follow(f, "", feed.Want{Resume: true, After: 8}, nil)
		m.put(1, "door")
		synctest.Wait()
		m.mu.Lock()
		m.records = nil
		m.mu.Unlock()
		m.put(2, "door")
		late := follow(f, "", feed.Want{Resume: true, After: 1}, nil)
		expect(t, live, ". 10 1 2")
		expect(t, resumed, ". 9 10 1 2")
		expect(t, late, ". 2")
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	bubble(t, newMemory(), feed.Options{Clients: 3, PerCaller: 2}, func(t *testing.T, f *feed.Feed, _ func()) {
		ends := []func() (string, error){follow(f, "a", feed.Want{}, nil), follow(f, "a", feed.Want{}, nil)}
		refused := func(caller string, w feed.Want, status int) {
			t.Helper()
			err := f.Follow(t.Context(), caller, w, func(feed.Item) bool {
				t.Error("let in")
				return false
			})
			e, ok := errors.AsType[*api.Error](err)
			if !ok || e.Status != status || status != 422 && e.RetryAfter == 0 {
				t.Errorf("%s %+v: %v", caller, w, err)
			}
		}
		refused("a", feed.Want{}, 429)
		ends = append(ends, follow(f, "b", feed.Want{}, nil))
		refused("c", feed.Want{}, 503)
		for _, w := range []feed.Want{{Sources: []string{"a.>"}}, {Kinds: []sinks.Kind{"dance"}}, {Sources: make([]string, 101)}} {
			refused("a", w, 422)
		}
		expect(t, ends[0], ".")
		expect(t, follow(f, "c", feed.Want{}, nil), ".")
		expect(t, ends[1], ".")
		expect(t, ends[2], ".")
	})
}

func TestEnd(t *testing.T) {
	t.Parallel()
	m := newMemory()
	m.put(9, "door")
	bubble(t, m, feed.Options{}, func(t *testing.T, f *feed.Feed, stop func()) {
		live := follow(f, "", feed.Want{}, nil)
		left := follow(f, "", feed.Want{}, nil)
		stop()
		synctest.Wait()
		if got, err := live(); got != "." || !errors.Is(err, feed.ErrEnded) {
			t.Errorf("%s %v", got, err)
		}
		if _, err := left(); !errors.Is(err, feed.ErrEnded) {
			t.Error(err)
		}
		if got, err := follow(f, "", feed.Want{}, nil)(); got != "." || !errors.Is(err, feed.ErrEnded) {
			t.Errorf("afterwards: %s %v", got, err)
		}
		if err := f.Follow(t.Context(), "", feed.Want{}, func(feed.Item) bool { return false }); err != nil {
			t.Errorf("a client that leaves: %v", err)
		}
	})
}

// TestWaitsForTheStream: clients come before the server does.
func TestWaitsForTheStream(t *testing.T) {
	t.Parallel()
	m := newMemory()
	m.put(2, "door")
	m.away = true
	bubble(t, m, feed.Options{}, func(t *testing.T, f *feed.Feed, _ func()) {
		live, resumed := follow(f, "", feed.Want{}, nil), follow(f, "", feed.Want{Resume: true, After: 1}, nil)
		time.Sleep(16 * time.Second) // of the bubble
		m.mu.Lock()
		m.away = false
		m.mu.Unlock()
		time.Sleep(2 * time.Second)
		m.put(1, "door")
		expect(t, live, ". . 3")
		expect(t, resumed, ". . 2 3")
		m.mu.Lock()
		m.away = true
		m.mu.Unlock()
		if got, err := follow(f, "", feed.Want{Resume: true}, nil)(); got != "." || err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("a replay without a server: %s %v", got, err)
		}
	})
}
