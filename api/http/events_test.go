package http_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/feed"
	door "github.com/captiond/captiond/api/http"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// stage is a stream on a real NATS server, its feed, and a door to it.
type stage struct {
	client  *nats.Client
	feed    *feed.Feed
	address string
	stop    func() // of the feed
	end     func() // of the door
	n       int64  // published
}

// small makes a connection's buffers so small that who does not read is soon noticed.
type small struct{ net.Listener }

func (l small) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(8 << 10)
	}
	return c, err
}

func newStage(t *testing.T, o feed.Options, sees door.Sees) *stage {
	t.Helper()
	s, err := nats.Start(nats.ServerOptions{StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	c, err := nats.Dial(nats.Options{Server: s})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &stage{client: c, feed: feed.New(c, o), address: l.Addr().String()}
	g.publish(t, 1, "before") // the stream is there
	ctx, cancel := context.WithCancel(context.Background())
	feeding, stop := context.WithCancel(ctx)
	serving, end := context.WithCancel(ctx)
	g.stop, g.end = stop, end
	var running sync.WaitGroup
	running.Go(func() { g.feed.Run(feeding) })
	running.Go(func() {
		if err := door.Serve(serving, small{l}, door.Options{
			Log: slog.New(slog.DiscardHandler), Metrics: door.NewMetrics(func() door.Numbers { return door.Numbers{} }),
			Ready: func(context.Context) door.Readiness { return door.Readiness{OK: true} },
			More:  []func(huma.API){door.Events(g.feed, sees)},
			// Fewer than there are listeners: they take no request's place.
			Limits: door.Limits{Requests: 2},
		}); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// publish says how long each of n captions took.
func (g *stage) publish(t *testing.T, n int, source string, text ...string) (times []time.Duration) {
	t.Helper()
	for range n {
		g.n++
		e := &sinks.Caption{Header: sinks.Header{Source: source, Seq: g.n}, Span: sinks.Span{Start: sinks.Seconds(g.n)}, Speech: sinks.Speech{Text: strings.Join(text, " ")}}
		sinks.Seal(e)
		begun := time.Now()
		if err := g.client.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		times = append(times, time.Since(begun))
	}
	return times
}

// listener is a client: what it reads, line by line.
type listener struct {
	res  *http.Response
	body *bufio.Reader
}

// connect asks, and reads up to where the events begin.
func (g *stage) connect(t *testing.T, query string, headers ...string) *listener {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.address+"/v1/events?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	d := &net.Dialer{}
	res, err := (&http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, address)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(8 << 10)
		}
		return c, err
	}}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	l := &listener{res, bufio.NewReader(res.Body)}
	if res.StatusCode == http.StatusOK {
		if got, err := l.next(); err != nil || got != ": nothing new" {
			t.Fatalf("begins with %q, %v", got, err)
		}
	}
	return l
}

// next is an event, its lines joined by " | ".
func (l *listener) next() (string, error) {
	var lines []string
	for {
		line, err := l.body.ReadString('\n')
		if err != nil {
			return strings.Join(lines, " | "), err
		}
		if line = strings.TrimSuffix(line, "\n"); line == "" {
			return strings.Join(lines, " | "), nil
		}
		lines = append(lines, line)
	}
}

// ids are the numbers of the next n events.
func (l *listener) ids(t *testing.T, n int) (ids []uint64) {
	t.Helper()
	for len(ids) < n {
		e, err := l.next()
		if err != nil {
			t.Fatalf("after %v: %v", ids, err)
		}
		var id uint64
		if _, err := fmt.Sscanf(e, "id: %d | event: caption | data: {", &id); err != nil {
			t.Fatalf("after %v: %q", ids, e)
		}
		ids = append(ids, id)
	}
	return ids
}

func TestEvents(t *testing.T) {
	t.Parallel()
	g := newStage(t, feed.Options{}, nil)
	l := g.connect(t, "source=door&kind=caption&kind=answer")
	for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"} {
		if got := l.res.Header.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	g.publish(t, 1, "yard", "no")
	cut := &sinks.Cut{Header: sinks.Header{Source: "door"}}
	sinks.Seal(cut)
	if err := g.client.Publish(t.Context(), cut); err != nil {
		t.Fatal(err)
	}
	g.publish(t, 1, "door", "a <b>\r\n\nid: 99\ndata: {}\n\u2028ö")
	got, err := l.next()
	want := `id: 4 | event: caption | data: {"schema":"captiond.caption.v1",`
	if err != nil || !strings.HasPrefix(got, want) || !strings.Contains(got, `"text":"a <b>\r\n\nid: 99\ndata: {}\n`) {
		t.Errorf("got %q %v", got, err)
	}
}

// TestEventsEndWithTheServer: a server that ends does not wait for listeners; their streams end
// properly, too.
func TestEventsEndWithTheServer(t *testing.T) {
	t.Parallel()
	g := newStage(t, feed.Options{Quiet: 20 * time.Millisecond}, nil)
	l := g.connect(t, "")
	g.end()
	if _, err := io.Copy(io.Discard, l.body); err != nil {
		t.Errorf("the stream is cut off: %v", err)
	}
}

func TestEventsHeartbeat(t *testing.T) {
	t.Parallel()
	g := newStage(t, feed.Options{Quiet: 20 * time.Millisecond}, nil)
	l := g.connect(t, "")
	for range 3 {
		if got, err := l.next(); got != ": nothing new" || err != nil {
			t.Errorf("got %q %v", got, err)
		}
	}
}

// TestEventsResume: across a reconnect each event comes once.
func TestEventsResume(t *testing.T) {
	t.Parallel()
	g := newStage(t, feed.Options{Behind: 16}, nil)
	l := g.connect(t, "source=door")
	g.publish(t, 5, "door")
	if got := l.ids(t, 5); !slices.Equal(got, []uint64{2, 3, 4, 5, 6}) {
		t.Errorf("at first %v", got)
	}
	_ = l.res.Body.Close()
	wait(t, "the client is gone", func() bool { return g.feed.Stats().Clients == 0 })
	g.publish(t, 40, "door")
	g.publish(t, 1, "yard")
	var want []uint64
	for id := range uint64(40) {
		want = append(want, 7+id)
	}
	for name, l := range map[string]*listener{
		"header": g.connect(t, "source=door", "Last-Event-ID", "6"), "query": g.connect(t, "source=door&last_event_id=6"),
		"both": g.connect(t, "source=door&last_event_id=1", "Last-Event-ID", "6"),
	} {
		if got := l.ids(t, 40); !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	late := g.connect(t, "", "Last-Event-ID", "46")
	all := g.connect(t, "last_event_id=0")
	g.publish(t, 1, "door")
	if got := late.ids(t, 2); !slices.Equal(got, []uint64{47, 48}) {
		t.Errorf("the last ones: %v", got)
	}
	if got := all.ids(t, 48); got[0] != 1 || got[47] != 48 {
		t.Errorf("all of them: %v", got)
	}
	for _, subject := range sinks.Subjects("captiond", "door") {
		if err := g.client.Purge(t.Context(), subject); err != nil {
			t.Fatal(err)
		}
	}
	for _, subject := range sinks.Subjects("captiond", "before") {
		if err := g.client.Purge(t.Context(), subject); err != nil {
			t.Fatal(err)
		}
	}
	held := g.connect(t, "last_event_id=0")
	if got, err := held.next(); err != nil || got != `event: gap | data: {"from_seq":1,"to_seq":46,"lost":46}` {
		t.Errorf("what is held no more: %q %v", got, err)
	}
	if got := held.ids(t, 1); got[0] != 47 {
		t.Errorf("then %v", got)
	}
}

func TestEventsRefused(t *testing.T) {
	t.Parallel()
	g := newStage(t, feed.Options{PerCaller: 1}, nil)
	for query, says := range map[string]string{
		"kind=dance": "kind must be one of", "source=a.*": "name of a camera", "last_event_id=x": "Last-Event-ID", "last_event_id=-1": "Last-Event-ID",
		"last_event_id=99999999999999999999": "Last-Event-ID", "a=%zz": "query", "source=" + strings.Repeat("a&source=", 100): "more than 100",
	} {
		l := g.connect(t, query)
		body, _ := io.ReadAll(l.res.Body)
		answer{l.res.StatusCode, l.res.Header, string(body)}.problem(t, 422, says)
	}
	_ = g.connect(t, "")
	l := g.connect(t, "")
	body, _ := io.ReadAll(l.res.Body)
	answer{l.res.StatusCode, l.res.Header, string(body)}.problem(t, 429, "close a connection")
	if l.res.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestEventsOfOthersAreNotSeen(t *testing.T) {
	t.Parallel()
	g := newStage(t, feed.Options{}, func(c api.Caller, source string) bool { return c.Name == "" && source != "job-2" })
	l := g.connect(t, "last_event_id=1")
	g.publish(t, 1, "job-1")
	g.publish(t, 1, "job-2")
	g.publish(t, 1, "door")
	if got := l.ids(t, 2); !slices.Equal(got, []uint64{2, 4}) {
		t.Errorf("got %v", got)
	}
}

// TestEventsTakeNoPlaces: however many listen, other requests are answered.
func TestEventsTakeNoPlaces(t *testing.T) {
	t.Parallel()
	g := newStage(t, feed.Options{}, nil)
	for range 4 {
		g.connect(t, "")
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.address+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("/readyz while four listen: %s", res.Status)
	}
}

// TestEventsEnd: when the feed ends, so do its answers, properly.
func TestEventsEnd(t *testing.T) {
	t.Parallel()
	g := newStage(t, feed.Options{}, nil)
	l := g.connect(t, "")
	g.stop()
	if got, err := l.next(); got != "" || !errors.Is(err, io.EOF) {
		t.Errorf("got %q %v", got, err)
	}
}

// TestEventsGap: a client that pauses learns exactly what it lost.
func TestEventsGap(t *testing.T) {
	t.Parallel()
	g := newStage(t, feed.Options{Behind: 8}, nil)
	l := g.connect(t, "")
	long := strings.Repeat("x", 4000)
	for g.feed.Stats().Dropped == 0 {
		g.publish(t, 1, "door", long)
	}
	g.publish(t, 20, "door", long)
	next, gaps := uint64(2), 0
	for last := uint64(g.n); next <= last; {
		e, err := l.next()
		if err != nil {
			t.Fatal(err)
		}
		var id uint64
		var gap feed.Gap
		if _, err := fmt.Sscanf(e, `event: gap | data: {"from_seq":%d,"to_seq":%d,"lost":%d}`, &gap.From, &gap.To, &gap.Lost); err == nil {
			if gap.From != next || gap.Lost != gap.To-gap.From+1 {
				t.Fatalf("%q, when %d was next", e, next)
			}
			next, gaps = gap.To+1, gaps+1
			continue
		}
		if _, err := fmt.Sscanf(e, "id: %d | event: caption", &id); err != nil || id != next {
			t.Fatalf("%q, when %d was next", e, next)
		}
		next++
	}
	if gaps == 0 {
		t.Error("it lost nothing")
	}
}

// TestSlowReaders: of 200 clients half never read. It is slow-readers of the hazards, in
// short: what they do not read costs the publisher and the memory nothing, and they are cut.
func TestSlowReaders(t *testing.T) {
	const clients = 200
	g := newStage(t, feed.Options{}, nil)
	text := strings.Repeat("x", 2000)
	alone := median(g.publish(t, 300, "door", text))
	before := heap()
	var reading sync.WaitGroup
	got := make([]atomic.Int64, clients/2)
	for i := range clients {
		l := g.connect(t, "")
		if i%2 == 0 {
			continue // never reads
		}
		reading.Go(func() {
			for {
				e, err := l.next()
				if err != nil {
					return
				}
				if strings.HasPrefix(e, "id: ") {
					got[i/2].Add(1)
				}
			}
		})
	}
	wait(t, "all are there", func() bool { return g.feed.Stats().Clients == clients })
	begun, peak, published := time.Now(), before, 0
	var times []time.Duration
	tick := time.NewTicker(10 * time.Millisecond) // as a hundred cameras would
	defer tick.Stop()
	for g.feed.Stats().Clients > clients/2 && time.Since(begun) < 30*time.Second {
		<-tick.C
		times = append(times, g.publish(t, 1, "door", text)...)
		if published++; published%100 == 0 {
			peak = max(peak, heap())
		}
	}
	t.Logf("published %d: median %v, alone %v; cut after %v; memory +%d KiB", published, median(times), alone, time.Since(begun), (peak-before)>>10)
	if n := g.feed.Stats().Clients; n != clients/2 {
		t.Errorf("%d clients, want %d", n, clients/2)
	}
	// All of it runs on one machine, with the hundred who read: a publish shares the processors
	// with them. It never waits for those who do not, which would take seconds.
	if loaded := median(times); loaded > 3*alone+50*time.Millisecond {
		t.Errorf("a publish takes %v, and %v without clients", loaded, alone)
	}
	if peak-before > 50<<20 {
		t.Errorf("it takes %d bytes", peak-before)
	}
	for i := range got {
		wait(t, fmt.Sprintf("reader %d has all", i), func() bool { return got[i].Load() == int64(published) })
	}
	g.stop()
	reading.Wait()
}

func median(times []time.Duration) time.Duration {
	times = slices.Sorted(slices.Values(times))
	return times[len(times)/2]
}

// heap is what is in use, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
