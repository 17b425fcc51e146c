package http_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/captiond/captiond/api"
	door "github.com/captiond/captiond/api/http"
	"github.com/captiond/captiond/api/index"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// finder keeps what it is asked.
type finder struct {
	asked api.Query
	page  api.Page
	err   error
}

func (f *finder) Search(_ context.Context, q api.Query) (api.Page, error) {
	f.asked = q
	return f.page, f.err
}

func TestSearch(t *testing.T) {
	t.Parallel()
	f := &finder{page: api.Page{Next: "n7", Found: []api.Found{
		{Seq: 9, Event: json.RawMessage(`{"schema":"captiond.caption.v1","text":"a <b> & c"}`), Snippet: `a <[b]> & "c"`},
		{Seq: 7, Event: json.RawMessage(`{"schema":"captiond.answer.v1","text":"yes"}`)},
	}}}
	s := start(t, func(o *door.Options) {
		o.More = append(o.More, door.Search(f, func(_ api.Caller, source string) bool { return source != "job-1" }))
	})
	a := s.do(t, "GET", "/v1/captions?q=%22a+b%22+c*&source=door&source=yard&from=2026-11-23T10:00:00Z&to=2026-11-23T12:00:00%2B01:00&order=best&limit=2&cursor=n9", nil)
	want := `{"captions":[{"schema":"captiond.caption.v1","text":"a <b> & c","snippet":"a <[b]> & \"c\""},{"schema":"captiond.answer.v1","text":"yes"}],"next":"n7"}` + "\n"
	if a.status != 200 || a.body != want {
		t.Errorf("%d %s", a.status, a.body)
	}
	q := f.asked
	if q.Words != `"a b" c*` || !slices.Equal(q.Sources, []string{"door", "yard"}) || !q.ByRank || q.Limit != 2 || q.Cursor != "n9" ||
		!q.From.Equal(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)) || q.To.Sub(q.From) != time.Hour || q.Sees("job-1") || !q.Sees("door") {
		t.Errorf("asked %+v", q)
	}
	f.page = api.Page{}
	if a := s.do(t, "GET", "/v1/captions", nil); a.status != 200 || a.body != `{"captions":[]}`+"\n" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if q := f.asked; q.Words != "" || q.Sources != nil || !q.From.IsZero() || !q.To.IsZero() || q.ByRank || q.Limit != 50 || q.Cursor != "" {
		t.Errorf("asked %+v", q)
	}
	for _, query := range []string{"from=yesterday", "to=1", "limit=0", "limit=501", "limit=x", "order=worst"} {
		s.do(t, "GET", "/v1/captions?"+query, nil).problem(t, 422, "")
	}
	f.err = api.Later(503, time.Second, "the search index is made anew")
	a = s.do(t, "GET", "/v1/captions", nil)
	a.problem(t, 503, "made anew")
	if a.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	f.err = errors.New("disk on fire")
	s.do(t, "GET", "/v1/captions", nil).problem(t, 500, "internal error")
}

// TestSearchOfAStream: from the publishing of captions to their finding, with nothing faked.
func TestSearchOfAStream(t *testing.T) {
	t.Parallel()
	broker, err := nats.Start(nats.ServerOptions{StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = broker.Stop() }()
	c, err := nats.Dial(nats.Options{Server: broker})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.Background()) }()
	x, err := index.Open(filepath.Join(t.TempDir(), "index.db"), c, index.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { x.Run(ctx) })
	defer running.Wait()
	defer cancel()
	s := start(t, func(o *door.Options) {
		o.Limits.PerSecond = 1e6
		o.More = append(o.More, door.Search(x, nil))
	})
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for i, text := range []string{"a red circle moves left", "a blue square moves right", "two red squares"} {
		e := &sinks.Caption{Header: sinks.Header{Source: []string{"door", "yard"}[i%2], Seq: int64(i)}, Speech: sinks.Speech{Text: text},
			Span: sinks.Span{Start: sinks.Seconds(i), StartTime: sinks.At(noon.Add(time.Duration(i) * time.Minute)), EndTime: sinks.At(noon.Add(time.Duration(i+1) * time.Minute)), Clock: sinks.ClockRTCP}}
		sinks.Seal(e)
		if err := c.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	texts := func(query string) (texts []string) {
		a := s.do(t, "GET", "/v1/captions?"+query, nil)
		var out struct {
			Captions []struct{ Text, Snippet string }
		}
		if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 200 {
			t.Fatalf("%s: %d %s", query, a.status, a.body)
		}
		for _, c := range out.Captions {
			texts = append(texts, c.Text+c.Snippet)
		}
		return texts
	}
	wait(t, "all are found", func() bool { return len(texts("")) == 3 })
	for query, want := range map[string][]string{
		"q=red":                     {"two red squarestwo [red] squares", "a red circle moves lefta [red] circle moves left"},
		"q=move+square&source=yard": {"a blue square moves righta blue [square] [moves] right"},
		"from=2026-11-23T12:01:30Z&to=2026-11-23T12:02:00Z": {"a blue square moves right"},
		"q=%22": nil,
	} {
		if got := texts(query); !slices.Equal(got, want) {
			t.Errorf("%s: %q", query, got)
		}
	}
}
