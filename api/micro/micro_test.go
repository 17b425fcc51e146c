package micro_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsmicro "github.com/nats-io/nats.go/micro"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/micro"
	"github.com/captiond/captiond/sinks"
)

func TestDiscovery(t *testing.T) {
	t.Parallel()
	c := serve(t, micro.Options{Version: "v1.2.3-0.20261125183227-abcdef123456+dirty abcdef go1.26", MaxMedia: 1 << 20}, nil)
	c.request("captiond.ask", nil, `{"source":"door","questions":["who?"]}`)
	c.request("captiond.ask", nil, `{"source":"door","question":"who?"}`)
	var info natsmicro.Info
	if err := json.Unmarshal(c.request("$SRV.INFO", nil, "").Data, &info); err != nil {
		t.Fatal(err)
	}
	var subjects []string
	for _, e := range info.Endpoints {
		subjects = append(subjects, e.Subject+" by "+e.QueueGroup)
		for _, name := range []string{"request", "reply"} {
			if !json.Valid([]byte(e.Metadata[name])) || len(e.Metadata[name]) < 500 {
				t.Errorf("the schema of %s's %s is %q", e.Name, name, e.Metadata[name])
			}
		}
	}
	slices.Sort(subjects)
	if info.Name != "captiond" || info.Version != "1.2.3-0.20261125183227-abcdef123456+dirty" || info.Description == "" ||
		info.Metadata["bucket"] != "CAPTIOND_MEDIA" || info.Metadata["max_media_bytes"] != "1048576" ||
		!slices.Equal(subjects, []string{"captiond.ask by captiond", "captiond.caption by captiond"}) {
		t.Errorf("%+v", info)
	}
	var stats natsmicro.Stats
	c.await(func() bool {
		if err := json.Unmarshal(c.request("$SRV.STATS.captiond", nil, "").Data, &stats); err != nil {
			t.Fatal(err)
		}
		for _, e := range stats.Endpoints {
			var s micro.Stats
			if err := json.Unmarshal(e.Data, &s); err != nil {
				t.Fatal(err)
			}
			if e.Name == "ask" && e.NumRequests == 2 && s.Answered == 1 && s.Failed == 1 && s.Refused == 0 && s.Seconds > 0 {
				return true
			}
		}
		return false
	})
}

// What is published, and not asked, costs nothing.
func TestNobodyWaits(t *testing.T) {
	t.Parallel()
	o := new(oracle)
	c := serve(t, micro.Options{Asker: o}, nil)
	if err := c.conn.Publish("captiond.ask", []byte(question)); err != nil {
		t.Fatal(err)
	}
	c.request("captiond.caption", nil, `{"source":"door"}`)
	if err := c.stop(); err != nil || len(o.asked) != 1 {
		t.Errorf("%d were asked, %v", len(o.asked), err)
	}
}

// A version that is none does not keep the services from being offered.
func TestVersion(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"", "(devel)", "(unknown)"} {
		c := serve(t, micro.Options{Version: v}, nil)
		var info natsmicro.Info
		if err := json.Unmarshal(c.request("$SRV.INFO.captiond", nil, "").Data, &info); err != nil || info.Version != "0.0.0" {
			t.Errorf("%q: %q, %v", v, info.Version, err)
		}
	}
}

const id = "0123456789abcdef0123456789abcdef"

func TestAsk(t *testing.T) {
	t.Parallel()
	o := new(oracle)
	c := serve(t, micro.Options{Asker: o}, nil)
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	q := []string{"who?", "where?"}
	picture := "\xff\xd8\xff{{ \x00 }}"
	for name, tt := range map[string]struct {
		header nats.Header
		body   string
		want   asked
	}{
		"a camera": {nil, `{"source":"door","questions":["who?","where?"],"last":60.5}`,
			asked{subject: api.Subject{Camera: "door"}, ask: api.Ask{Questions: q, Stretch: api.Stretch{Last: 60500}}}},
		"times of day": {nil, `{"source":"door","questions":["who?","where?"],"from":"2026-11-23T12:00:00Z","to":"2026-11-23T13:00:00+01:00"}`,
			asked{subject: api.Subject{Camera: "door"}, ask: api.Ask{Questions: q, Stretch: api.Stretch{From: &api.Moment{Time: noon}, To: &api.Moment{Time: noon}}}}},
		"an upload": {nil, `{"video":"` + id + `","questions":["who?","where?"],"from":1.5,"to":4,"model":"vqa","beam":4,"beam_style":"hf","max_tokens":20,"view":"squash"}`,
			asked{subject: api.Subject{Video: id}, ask: api.Ask{Questions: q, Stretch: api.Stretch{From: &api.Moment{Offset: 1500}, To: &api.Moment{Offset: 4000}},
				Search: api.Search{Model: "vqa", Beam: 4, BeamStyle: "hf", MaxTokens: 20, View: "squash"}}}},
		"an upload by its source": {nil, `{"source":"job-` + id + `","questions":["who?","where?"]}`,
			asked{subject: api.Subject{Video: id}, ask: api.Ask{Questions: q}}},
		"a picture in the JSON": {nil, `{"media":"` + base64.StdEncoding.EncodeToString([]byte(picture)) + `","questions":["who?","where?"]}`,
			asked{content: picture, ask: api.Ask{Questions: q}}},
		"a picture": {nats.Header{"Content-Type": {"image/jpeg"}, "Captiond-Question": q}, picture,
			asked{content: picture, ask: api.Ask{Questions: q}}},
		"a clip with options": {nats.Header{"Content-Type": {"video/mp4; codecs=avc1"}, "Captiond-Question": q[1:], "Captiond-Options": {`{"questions":["who?"],"to":4}`}}, "clip",
			asked{content: "clip", ask: api.Ask{Questions: q, Stretch: api.Stretch{To: &api.Moment{Offset: 4000}}}}},
		"JSON and questions in the header": {nats.Header{"Content-Type": {"application/json; charset=utf-8"}, "Captiond-Question": q, "Captiond-Timeout": {"5s"}}, ` {"source":"door"} `,
			asked{subject: api.Subject{Camera: "door"}, ask: api.Ask{Questions: q}}},
	} {
		reply := c.request("captiond.ask", tt.header, tt.body)
		var got struct{ Answers []sinks.Answer }
		if err := json.Unmarshal(reply.Data, &got); err != nil || len(got.Answers) != 2 || got.Answers[1].Question != "where?" || len(reply.Header["Nats-Service-Error"]) > 0 {
			t.Errorf("%s: %v %s", name, reply.Header, reply.Data)
		}
		tt.want.caller = api.Caller{Admin: true}
		if was := o.last(); !reflect.DeepEqual(normal(was), normal(tt.want)) {
			t.Errorf("%s: asked %+v, want %+v", name, was, tt.want)
		}
	}
}

// normal states times alike.
func normal(a asked) asked {
	for _, m := range []*api.Moment{a.ask.From, a.ask.To} {
		if m != nil {
			m.Time = m.Time.UTC()
		}
	}
	return a
}

// The reply is byte by byte what the HTTP server would say: events as they are published.
func TestReply(t *testing.T) {
	t.Parallel()
	c := serve(t, micro.Options{}, nil)
	reply := c.request("captiond.ask", nil, `{"source":"door","questions":["<who> & \"why\"?"]}`)
	want := `{"answers":[{"schema":"captiond.answer.v1","id":"ID","source":"door","epoch":0,"seq":0,"question":"<who> & \"why\"?",` +
		`"start":0,"end":0,"frames":[],"clock":"none","text":"yes & no","confidence":0.75,"min_confidence":0,"truncated":false,"model":"parrot@000000000000","latency_ms":0}]}`
	var got struct{ Answers []sinks.Answer }
	if err := json.Unmarshal(reply.Data, &got); err != nil {
		t.Fatal(err)
	}
	if s := strings.Replace(string(reply.Data), got.Answers[0].ID, "ID", 1); s != want || reply.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v %s\nwant %s", reply.Header, s, want)
	}
	caption := c.request("captiond.caption", nats.Header{"Content-Type": {"image/png"}}, "png")
	if !strings.HasPrefix(string(caption.Data), `{"captions":[{"schema":"captiond.caption.v1",`) {
		t.Errorf("%v %s", caption.Header, caption.Data)
	}
}

func TestHostileRequests(t *testing.T) {
	t.Parallel()
	c := serve(t, micro.Options{}, nil)
	ask := `{"source":"door","questions":["who?"]`
	for name, tt := range map[string]struct {
		header nats.Header
		body   string
		status int
		words  string
	}{
		"nothing":             {nil, "", 400, "the request is empty: send JSON such as"},
		"blank":               {nil, " \n", 400, "the request is empty"},
		"no JSON":             {nil, "who?", 400, "the request cannot be read: invalid character"},
		"half":                {nil, ask, 400, "unexpected EOF"},
		"two":                 {nil, ask + "}{}", 400, "something follows the JSON"},
		"an unknown field":    {nil, ask + `,"beams":4}`, 400, `unknown field "beams"`},
		"a wrong type":        {nil, ask + `,"beam":"4"}`, 400, "cannot unmarshal string"},
		"a number too large":  {nil, ask + `,"beam":1e99}`, 400, "cannot unmarshal number"},
		"endless seconds":     {nil, ask + `,"last":1e300}`, 400, "read seconds"},
		"no time":             {nil, ask + `,"from":"noon"}`, 400, "read moment"},
		"deep":                {nil, ask + `,"from":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}", 400, "exceeded max depth"},
		"deeper":              {nil, strings.Repeat(`{"source":`, 50_000), 400, "exceeded max depth"},
		"no base64":           {nil, `{"media":"???","questions":["who?"]}`, 400, "illegal base64"},
		"a list":              {nil, `["door"]`, 400, "cannot unmarshal array"},
		"null":                {nil, "null", 422, "0 subjects are given"},
		"no subject":          {nil, `{"questions":["who?"]}`, 422, "0 subjects are given"},
		"two subjects":        {nil, ask + `,"video":"` + id + `"}`, 422, "2 subjects are given"},
		"bytes and a subject": {nats.Header{"Content-Type": {"image/png"}, "Captiond-Options": {ask + "}"}}, "png", 422, "2 subjects are given"},
		"bad options":         {nats.Header{"Content-Type": {"image/png"}, "Captiond-Options": {"{"}}, "png", 400, "unexpected EOF"},
		"text":                {nats.Header{"Content-Type": {"text/html"}}, "<p>", 415, `Content-Type is "text/html"`},
		"no type":             {nats.Header{"Content-Type": {"\xff;;"}}, "<p>", 415, "Content-Type is"},
		"no time-out":         {nats.Header{"Captiond-Timeout": {"soon"}}, ask + "}", 400, `Captiond-Timeout is "soon"`},
		"a time-out of 0":     {nats.Header{"Captiond-Timeout": {"0s"}}, ask + "}", 400, "Captiond-Timeout"},
		"a long time-out":     {nats.Header{"Captiond-Timeout": {"11m"}}, ask + "}", 400, "up to 10m0s"},
		"no object store":     {nil, `{"object":"clip.mp4","questions":["who?"]}`, 404, "nats object add CAPTIOND_MEDIA"},
	} {
		refusedAs(t, name, c.request("captiond.ask", tt.header, tt.body), tt.status, tt.words)
	}
	refused(t, c.request("captiond.caption", nil, ask+"}"), 400, `unknown field "questions"`)
}

func refusedAs(t *testing.T, name string, m *nats.Msg, status int, words string) {
	t.Helper()
	if t.Failed() {
		return
	}
	refused(t, m, status, words)
	if t.Failed() {
		t.Errorf("that was: %s", name)
	}
}

// What the Asker says is told: its own errors as they are, others without their details.
func TestErrors(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("reason ", 500)
	failures := map[string]error{
		"404": api.Errorf(404, "there is no camera"),
		"503": api.Later(503, 1500*time.Millisecond, "the daemon is busy"),
		"422": fmt.Errorf("ask: %w", api.Errorf(422, "the file cannot be decoded:\r\n%s", long)),
		"500": errors.New("open /secret: no such file"),
		"507": fmt.Errorf("keep media: %w", &os.PathError{Op: "write", Path: "/secret", Err: errNoSpace}),
	}
	o := &oracle{answer: func(_ context.Context, a api.Ask) ([]*sinks.Answer, error) {
		if a.Questions[0] == "panic" {
			panic("/secret")
		}
		return nil, failures[a.Questions[0]]
	}}
	c := serve(t, micro.Options{Asker: o}, nil)
	ask := func(q string) *nats.Msg {
		return c.request("captiond.ask", nil, fmt.Sprintf(`{"source":"door","questions":[%q]}`, q))
	}
	refused(t, ask("404"), 404, "there is no camera")
	busy := ask("503")
	if refused(t, busy, 503, "busy"); busy.Header.Get("Retry-After") != "2" {
		t.Errorf("come again after %q", busy.Header.Get("Retry-After"))
	}
	refused(t, ask("422"), 422, "the file cannot be decoded: reason reason")
	refused(t, ask("507"), 507, "disk is full")
	for _, q := range []string{"500", "panic"} {
		m := ask(q)
		refused(t, m, 500, "internal error: the daemon's log has more about it under ref=")
		if strings.Contains(string(m.Data)+m.Header.Get("Nats-Service-Error"), "secret") {
			t.Errorf("the client is told %s", m.Data)
		}
	}
	if err := c.stop(); err != nil {
		t.Error(err)
	}
	if log := c.log.String(); strings.Count(log, "nats request failed") != 2 || strings.Count(log, "/secret") != 2 {
		t.Errorf("the log says\n%s", log)
	}
}

// held is an oracle whose answers wait.
func held() (o *oracle, arrived chan struct{}, release func()) {
	arrived, free := make(chan struct{}, 100), make(chan struct{})
	o = &oracle{answer: func(ctx context.Context, a api.Ask) ([]*sinks.Answer, error) {
		arrived <- struct{}{}
		select {
		case <-free:
			return []*sinks.Answer{{Question: a.Questions[0]}}, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("generate text: %w", ctx.Err())
		}
	}}
	return o, arrived, sync.OnceFunc(func() { close(free) })
}

const question = `{"source":"door","questions":["who?"]}`

func TestBusy(t *testing.T) {
	t.Parallel()
	o, arrived, release := held()
	c := serve(t, micro.Options{Asker: o, Requests: 2}, nil)
	var waiting sync.WaitGroup
	for range 2 {
		waiting.Go(func() {
			if m := c.request("captiond.ask", nil, question); !strings.Contains(string(m.Data), `"who?"`) {
				t.Errorf("%s", m.Data)
			}
		})
		<-arrived
	}
	for range 3 {
		refused(t, c.request("captiond.ask", nil, question), 503, "the daemon is busy")
	}
	refused(t, c.request("captiond.caption", nil, `{"source":"door"}`), 503, "the daemon is busy")
	release()
	waiting.Wait()
	c.await(func() bool { return c.request("captiond.ask", nil, question).Header.Get("Nats-Service-Error") == "" })
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	o, _, release := held()
	defer release()
	c := serve(t, micro.Options{Asker: o, Timeout: 20 * time.Millisecond}, nil)
	refused(t, c.request("captiond.ask", nil, question), 504, "no answer within 20ms: ask again, with a longer Captiond-Timeout")
	refused(t, c.request("captiond.ask", nats.Header{"Captiond-Timeout": {"30ms"}}, question), 504, "no answer within 30ms")
}

func TestReplyTooLarge(t *testing.T) {
	t.Parallel()
	o := &oracle{answer: func(_ context.Context, a api.Ask) ([]*sinks.Answer, error) {
		return []*sinks.Answer{{Question: strings.Repeat(a.Questions[0], 10_000)}}, nil
	}}
	c := serve(t, micro.Options{Asker: o}, func(o *server.Options) { o.MaxPayload = 20_000 })
	refused(t, c.request("captiond.ask", nil, question), 422, "a message of this NATS server at most 18976: ask fewer questions at once")
}

// Asked to stop, the daemon answers what is under way, and nothing more.
func TestDrain(t *testing.T) {
	t.Parallel()
	o, arrived, release := held()
	c := serve(t, micro.Options{Asker: o}, nil)
	replies := make(chan *nats.Msg, 1)
	go func() { replies <- c.request("captiond.ask", nil, question) }()
	<-arrived
	stopped := make(chan error, 1)
	go func() { stopped <- c.stop() }()
	c.await(func() bool {
		_, err := c.conn.Request("captiond.ask", []byte(question), time.Second)
		return errors.Is(err, nats.ErrNoResponders)
	})
	select {
	case err := <-stopped:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	release()
	if m := <-replies; !strings.Contains(string(m.Data), `"who?"`) {
		t.Errorf("%s", m.Data)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// Told to end at once, the daemon gives up what is under way, and says so.
func TestAbort(t *testing.T) {
	t.Parallel()
	o, arrived, release := held()
	defer release()
	c := serve(t, micro.Options{Asker: o}, nil)
	replies := make(chan *nats.Msg, 1)
	go func() { replies <- c.request("captiond.ask", nil, question) }()
	<-arrived
	c.abort()
	refused(t, <-replies, 503, "the daemon stops: ask again")
}

func TestConnectionIsClosed(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	conn := connect(t, s)
	ended := make(chan error, 1)
	go func() { ended <- micro.Serve(t.Context(), nil, micro.Options{Conn: conn, Asker: new(oracle)}) }()
	eventually(t, func() bool { return offered(conn) })
	conn.Close()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "the connection is closed") {
		t.Error(err)
	}
}

// The services outlive the server.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	c := serve(t, micro.Options{}, nil)
	port := c.server.Addr().String()
	c.server.Shutdown()
	c.server.WaitForShutdown()
	c.await(func() bool { return !c.daemon.IsConnected() && !c.conn.IsConnected() })
	start(t, func(o *server.Options) {
		if _, err := fmt.Sscanf(port, "127.0.0.1:%d", &o.Port); err != nil {
			t.Fatal(err)
		}
	})
	c.await(func() bool {
		_, err := c.conn.Request("captiond.ask", []byte(question), time.Second)
		return err == nil
	})
}

// Several daemons share the requests: each is answered once.
func TestCrowd(t *testing.T) {
	t.Parallel()
	a := new(oracle)
	c := serve(t, micro.Options{Asker: a, Requests: 100}, nil)
	b := new(oracle)
	stop, ended := make(chan struct{}), make(chan error, 1)
	second := connect(t, c.server)
	go func() { ended <- micro.Serve(t.Context(), stop, micro.Options{Conn: second, Asker: b, Requests: 100}) }()
	c.await(func() bool { return offered(second) })
	var crowd sync.WaitGroup
	for who := range 8 {
		crowd.Go(func() {
			for i := range 25 {
				q := fmt.Sprintf("%d of %d?", i, who)
				body, header := []byte(q), nats.Header{"Content-Type": {"image/png"}, "Captiond-Question": {q}}
				m := c.request("captiond.ask", header, string(bytes.Repeat(body, 1000)))
				if !strings.Contains(string(m.Data), q) {
					t.Errorf("%s: %s", q, m.Data)
				}
			}
		})
	}
	crowd.Wait()
	close(stop)
	if err := errors.Join(<-ended, c.stop()); err != nil {
		t.Error(err)
	}
	if len(a.asked)+len(b.asked) != 200 || len(a.asked) == 0 || len(b.asked) == 0 {
		t.Errorf("%d and %d requests", len(a.asked), len(b.asked))
	}
	for _, n := range slices.Concat(a.asked, b.asked) {
		if want := strings.Repeat(n.ask.Questions[0], 1000); n.content != want {
			t.Errorf("%q came with another's picture", n.ask.Questions[0])
		}
	}
}
