package nats_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
	"github.com/captiond/captiond/sinks/sinktest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("CAPTIOND_TEST_STORE"); dir != "" {
		publishUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

func start(t *testing.T, o nats.ServerOptions) *nats.Server {
	t.Helper()
	if o.StoreDir == "" {
		o.StoreDir = t.TempDir()
	}
	s, err := nats.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *nats.Server) {
	t.Helper()
	if err := s.Stop(); err != nil && !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

func dial(t *testing.T, o nats.Options) *nats.Client {
	t.Helper()
	c, err := nats.Dial(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// raw is a connection beside the client's.
func raw(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	nc, err := natsio.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func publish(t *testing.T, c *nats.Client, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := c.Publish(t.Context(), sinktest.Caption(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// take is the next n texts.
func take(t *testing.T, next func() (sinks.Event, error, bool), n int) (events []sinks.Event) {
	t.Helper()
	for range n {
		e, err, ok := next()
		if err != nil || !ok {
			t.Fatalf("after %d of %d events: %v %v", len(events), n, err, ok)
		}
		events = append(events, e)
	}
	return events
}

func captions(from, to int) (texts []string) {
	for i := from; i < to; i++ {
		texts = append(texts, fmt.Sprintf("caption %d", i))
	}
	return texts
}

// stored is the captions in the stream.
func stored(t *testing.T, s *nats.Server) []string {
	t.Helper()
	stream, err := raw(t, s.URL()).Stream(t.Context(), "CAPTIOND")
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var events []sinks.Event
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		m, err := stream.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		e, err := sinks.Decode(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return sinktest.Texts(events)
}

func TestSink(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) (sinks.Sink, func() []string) {
		s := start(t, nats.ServerOptions{Listen: "127.0.0.1:0"})
		c, err := nats.Dial(nats.Options{URL: s.URL()})
		if err != nil {
			t.Fatal(err)
		}
		return c, func() []string { return stored(t, s) }
	})
}

func TestMessage(t *testing.T) {
	s := start(t, nats.ServerOptions{Listen: "127.0.0.1:0"})
	c := dial(t, nats.Options{URL: s.URL()})
	publish(t, c, 0, 1)
	publish(t, c, 0, 1)
	if c.Duplicates() != 1 {
		t.Errorf("%d duplicates, want 1", c.Duplicates())
	}
	stream, err := raw(t, s.URL()).Stream(t.Context(), "CAPTIOND")
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	want, err := sinks.Encode(sinktest.Caption(0))
	if err != nil || !bytes.Equal(m.Data, want) || m.Subject != "captiond.captions.test" {
		t.Errorf("%s holds %s, want %s", m.Subject, m.Data, want)
	}
	for k, v := range map[string]string{"Nats-Msg-Id": sinktest.Caption(0).ID, "Content-Type": "application/json", "Captiond-Schema": "captiond.caption.v1"} {
		if m.Header.Get(k) != v {
			t.Errorf("header %s is %q, want %q", k, m.Header.Get(k), v)
		}
	}
	cfg := stream.CachedInfo().Config
	if cfg.MaxAge != 7*24*time.Hour || cfg.MaxBytes != 1<<30 || cfg.Duplicates != time.Hour ||
		cfg.Storage != jetstream.FileStorage || cfg.Discard != jetstream.DiscardOld || cfg.PersistMode != jetstream.DefaultPersistMode {
		t.Errorf("the stream is %+v", cfg)
	}
	if err := s.Healthy(); err != nil {
		t.Error(err)
	}
}

func TestServerInTheProcess(t *testing.T) {
	s := start(t, nats.ServerOptions{})
	if s.URL() != "" {
		t.Errorf("it listens on %s", s.URL())
	}
	publish(t, dial(t, nats.Options{Server: s}), 0, 3)
	held, err := dial(t, nats.Options{Server: s}).Held(t.Context(), "captiond.captions.test", time.Now().Add(-time.Hour))
	if err != nil || len(held) != 3 || !held[sinktest.Caption(2).ID] {
		t.Errorf("it holds %v %v", held, err)
	}
	held, err = dial(t, nats.Options{Server: s}).Held(t.Context(), "captiond.captions.other", time.Now().Add(-time.Hour))
	if err != nil || len(held) != 0 {
		t.Errorf("another subject holds %v %v", held, err)
	}
}

func TestStreamsOfOthers(t *testing.T) {
	for name, test := range map[string]struct {
		cfg       jetstream.StreamConfig
		log, fail string
	}{
		"wider":   {jetstream.StreamConfig{Name: "CAPTIOND", Subjects: []string{"captiond.>"}, Duplicates: time.Hour}, "", ""},
		"short":   {jetstream.StreamConfig{Name: "CAPTIOND", Subjects: []string{"captiond.*.>"}, Duplicates: time.Minute}, "forgets ids early", ""},
		"missing": {jetstream.StreamConfig{Name: "CAPTIOND", Subjects: []string{"captiond.captions.>", "captiond.jobs.>"}}, "", "does not hold captiond.answers.>, captiond.events.>"},
		"other":   {jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"captiond.captions.>"}}, "", "subjects overlap"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, nats.ServerOptions{Listen: "127.0.0.1:0"})
			if _, err := raw(t, s.URL()).CreateStream(t.Context(), test.cfg); err != nil {
				t.Fatal(err)
			}
			var log lockedBuffer
			c := dial(t, nats.Options{URL: s.URL(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
			err := c.Publish(t.Context(), sinktest.Caption(0))
			if test.fail == "" && err != nil || test.fail != "" && (err == nil || !strings.Contains(err.Error(), test.fail)) {
				t.Errorf("publish: %v, want %q", err, test.fail)
			}
			if !strings.Contains(log.String(), test.log) || test.log == "" && strings.Contains(log.String(), "early") {
				t.Errorf("log %q, want %q", log.String(), test.log)
			}
		})
	}
}

// signal closes seen when the text is logged.
type signal struct {
	text string
	once sync.Once
	seen chan struct{}
}

func (s *signal) Write(p []byte) (int, error) {
	if strings.Contains(string(p), s.text) {
		s.once.Do(func() { close(s.seen) })
	}
	return len(p), nil
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestServerAway publishes to a server that comes, goes and comes again, and reads all
// of it once and in order.
func TestServerAway(t *testing.T) {
	dir := t.TempDir()
	first := start(t, nats.ServerOptions{StoreDir: dir, Listen: "127.0.0.1:0"})
	c := dial(t, nats.Options{URL: first.URL(), Wait: 20 * time.Second})
	next, end := iter.Pull2(c.Watch(t.Context(), nats.From{All: true}))
	defer end()
	publish(t, c, 0, 5)
	got := take(t, next, 5)
	stop(t, first)

	short := dial(t, nats.Options{URL: first.URL(), Wait: 300 * time.Millisecond})
	if err := short.Publish(t.Context(), sinktest.Caption(5)); err == nil || !strings.Contains(err.Error(), "no acknowledgement within 300ms") {
		t.Errorf("publish to a server that is away: %v", err)
	}
	published := make(chan error, 1)
	go func() { published <- c.Publish(t.Context(), sinktest.Caption(5)) }()
	start(t, nats.ServerOptions{StoreDir: dir, Listen: strings.TrimPrefix(first.URL(), "nats://")})
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	publish(t, c, 6, 8)
	got = append(got, take(t, next, 3)...)
	if !slices.Equal(sinktest.Texts(got), captions(0, 8)) {
		t.Errorf("got %q", sinktest.Texts(got))
	}
}

func TestWrongPassword(t *testing.T) {
	s := start(t, nats.ServerOptions{Listen: "127.0.0.1:0", User: "anna", Password: "right"})
	var log lockedBuffer
	url := strings.Replace(s.URL(), "//", "//anna:hunter2@", 1)
	c := dial(t, nats.Options{URL: url, Wait: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	err := c.Publish(t.Context(), sinktest.Caption(0))
	if !errors.Is(err, natsio.ErrAuthorization) {
		t.Errorf("publish: %v", err)
	}
	good := dial(t, nats.Options{URL: strings.Replace(url, "hunter2", "right", 1), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	publish(t, good, 0, 1)
	publish(t, dial(t, nats.Options{Server: s, User: "anna", Password: "right"}), 1, 2)
	_, bad := nats.Dial(nats.Options{URL: "nats://anna:hunter2@h:%zz"})
	all := fmt.Sprint(err, bad, log.String())
	if bad == nil || strings.Contains(all, "hunter2") || strings.Contains(all, "right") {
		t.Errorf("a password was told: %s", all)
	}
}

// TestWithoutPermission uses a server whose user may not publish captions.
func TestWithoutPermission(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: t.TempDir(), Users: []*server.User{{Username: "anna", Password: "right",
			Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"captiond.captions.>"}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server is not ready")
	}
	c := dial(t, nats.Options{URL: s.ClientURL(), User: "anna", Password: "right", Wait: time.Second})
	if err := c.Publish(t.Context(), sinktest.Caption(0)); !errors.Is(err, natsio.ErrPermissionViolation) {
		t.Errorf("publish: %v", err)
	}
}

func TestLimits(t *testing.T) {
	s := start(t, nats.ServerOptions{MaxStore: 1 << 20})
	c := dial(t, nats.Options{Server: s, MaxBytes: 2 << 20})
	if err := c.Publish(t.Context(), sinktest.Caption(0)); err == nil || !strings.Contains(err.Error(), "insufficient storage") {
		t.Errorf("a stream larger than the store: %v", err)
	}
	big := sinktest.Caption(0)
	big.Text = strings.Repeat("x", 2<<20)
	c = dial(t, nats.Options{Server: s, MaxBytes: 1 << 19})
	var refused *sinks.RefusedError
	if err := c.Publish(t.Context(), big); !errors.Is(err, natsio.ErrMaxPayload) || !errors.As(err, &refused) {
		t.Errorf("a text of 2 MiB: %v", err)
	}
	nowhere := sinktest.Caption(0)
	nowhere.Source = "a.b"
	if err := c.Publish(t.Context(), nowhere); !errors.As(err, &refused) {
		t.Errorf("a source that is no token: %v", err)
	}
}

func TestServerRefuses(t *testing.T) {
	dir := t.TempDir()
	start(t, nats.ServerOptions{StoreDir: dir})
	for want, o := range map[string]nats.ServerOptions{
		"another captiond uses":      {StoreDir: dir},
		"needs a user":               {StoreDir: t.TempDir(), Listen: "0.0.0.0:0"},
		"beyond loopback":            {StoreDir: t.TempDir(), Listen: ":0", User: "anna"},
		"must be host:port":          {StoreDir: t.TempDir(), Listen: "127.0.0.1"},
		"the port must be":           {StoreDir: t.TempDir(), Listen: "127.0.0.1:70000"},
		"needs a folder":             {},
		"start NATS server: mkdir /": {StoreDir: "/dev/null/x"},
	} {
		if s, err := nats.Start(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
			if err == nil {
				stop(t, s)
			}
		}
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := nats.Start(nats.ServerOptions{StoreDir: t.TempDir(), Listen: l.Addr().String()})
	if err == nil {
		stop(t, s)
	}
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Fatalf("two servers on one port: %v", err)
	}
}

// publishUntilKilled tells each caption that was acknowledged.
func publishUntilKilled(dir string) {
	s, err := nats.Start(nats.ServerOptions{StoreDir: dir})
	if err != nil {
		panic(err)
	}
	c, err := nats.Dial(nats.Options{Server: s})
	if err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		if err := c.Publish(context.Background(), sinktest.Caption(i)); err != nil {
			panic(err)
		}
		fmt.Println(i)
	}
}

func TestKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := 0
	for round := range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "CAPTIOND_TEST_STORE="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acknowledged = max(acknowledged, killAfter(t, cmd, out, 50*(round+1)))
	}
	s := start(t, nats.ServerOptions{StoreDir: dir, Listen: "127.0.0.1:0"})
	got := stored(t, s)
	if len(got) < acknowledged || !slices.Equal(got, captions(0, len(got))) {
		t.Errorf("%d captions were acknowledged, the stream has %d: %q", acknowledged, len(got), got)
	}
}

// killAfter kills after n lines and counts all that were written.
func killAfter(t *testing.T, cmd *exec.Cmd, out io.Reader, n int) int {
	t.Helper()
	var b bytes.Buffer
	buf := make([]byte, 64)
	killed := false
	for {
		k, err := out.Read(buf)
		b.Write(buf[:k])
		if err != nil {
			break
		}
		if !killed && bytes.Count(b.Bytes(), []byte("\n")) >= n {
			killed = true
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); !killed {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return bytes.Count(b.Bytes(), []byte("\n"))
}
