package micro_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/micro"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, sinktest.NATSLeaks()) }

// asked is what an oracle was asked.
type asked struct {
	caller  api.Caller
	subject api.Subject
	content string // of the subject's file
	ask     api.Ask
}

// oracle answers what it is told to, and notes what it was asked.
type oracle struct {
	answer func(ctx context.Context, a api.Ask) ([]*sinks.Answer, error) // nil repeats the questions

	mu    sync.Mutex
	asked []asked
}

func (o *oracle) note(c api.Caller, s api.Subject, a api.Ask) {
	n := asked{caller: c, subject: s, ask: a}
	if s.File != nil {
		b, err := io.ReadAll(io.NewSectionReader(s.File, 0, 1<<30))
		if err != nil {
			n.content = err.Error()
		}
		n.content = string(b)
		n.subject.File = nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, n)
}

func (o *oracle) Ask(ctx context.Context, c api.Caller, s api.Subject, a api.Ask) (answers []*sinks.Answer, err error) {
	o.note(c, s, a)
	if o.answer != nil {
		return o.answer(ctx, a)
	}
	for i, q := range a.Questions {
		e := &sinks.Answer{Question: q, Header: sinks.Header{Source: "door", Seq: int64(i)}}
		e.Text, e.Confidence, e.Model, e.Clock = "yes & no", 0.75, "parrot@000000000000", sinks.ClockNone
		sinks.Seal(e)
		answers = append(answers, e)
	}
	return answers, nil
}

func (o *oracle) Caption(_ context.Context, c api.Caller, s api.Subject, how api.Search) ([]*sinks.Caption, error) {
	o.note(c, s, api.Ask{Search: how})
	e := &sinks.Caption{Header: sinks.Header{Source: "door"}}
	e.Text, e.Clock = "a man", sinks.ClockNone
	sinks.Seal(e)
	return []*sinks.Caption{e}, nil
}

// last is what was asked last.
func (o *oracle) last() asked {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.asked) == 0 {
		return asked{}
	}
	return o.asked[len(o.asked)-1]
}

// start runs a NATS server with JetStream.
func start(t *testing.T, change func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir()}
	if change != nil {
		change(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func connect(t *testing.T, s *server.Server) *nats.Conn {
	t.Helper()
	c, err := nats.Connect(s.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// client is a daemon that answers, and who asks it.
type client struct {
	t      *testing.T
	server *server.Server
	conn   *nats.Conn // the client's
	daemon *nats.Conn
	folder string           // for media
	log    *strings.Builder // of the daemon, to be read when it has ended
	stop   func() error     // has the daemon stop, and waits; it may be called twice
	abort  context.CancelFunc
}

// serve has a daemon answer.
func serve(t *testing.T, o micro.Options, change func(*server.Options)) *client {
	t.Helper()
	s := start(t, change)
	c := &client{t: t, server: s, conn: connect(t, s), daemon: connect(t, s), log: new(strings.Builder), folder: t.TempDir()}
	o.Conn, o.Folder = c.daemon, c.folder
	if o.Asker == nil {
		o.Asker = new(oracle)
	}
	o.Log = slog.New(slog.NewTextHandler(c.log, nil))
	ctx, cancel := context.WithCancel(t.Context())
	c.abort = cancel
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- micro.Serve(ctx, stop, o) }()
	c.stop = sync.OnceValue(func() error {
		close(stop)
		return <-ended
	})
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Error(err)
		}
		cancel()
	})
	c.await(func() bool { return offered(c.daemon) })
	return c
}

// offered says whether the services are: there are nine subscriptions of the framework and two
// of ours.
func offered(conn *nats.Conn) bool { return conn.NumSubscriptions() == 11 && conn.Flush() == nil }

func (c *client) await(so func() bool) {
	c.t.Helper()
	eventually(c.t, so)
}

// eventually waits until something is so.
func eventually(t *testing.T, so func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !so(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to be")
		}
	}
}

// request sends a message and returns the reply.
func (c *client) request(subject string, header nats.Header, body string) *nats.Msg {
	c.t.Helper()
	m := nats.NewMsg(subject)
	m.Data = []byte(body)
	for k, v := range header {
		m.Header[k] = v
	}
	reply, err := c.conn.RequestMsg(m, 20*time.Second)
	if err != nil {
		c.t.Errorf("no reply: %v", err)
		return nats.NewMsg("")
	}
	return reply
}

// refused fails the test where a reply is not an error of a status, with words.
func refused(t *testing.T, m *nats.Msg, status int, words string) {
	t.Helper()
	var p struct {
		Title, Detail string
		Status        int
	}
	if err := json.Unmarshal(m.Data, &p); err != nil {
		t.Errorf("the body %q is no problem: %v", m.Data, err)
	}
	code, text := m.Header.Get("Nats-Service-Error-Code"), m.Header.Get("Nats-Service-Error")
	if p.Status != status || !strings.Contains(p.Detail, words) || p.Title == "" || m.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("the problem is %+v, want %d %q", p, status, words)
	}
	if code != json.Number(code).String() || code == "" || len(text) > 310 || !strings.HasPrefix(p.Detail, strings.TrimSuffix(text, "…")) {
		t.Errorf("the header says %s %q", code, text)
	}
}
