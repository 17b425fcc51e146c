package http_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/feed"
	"github.com/captiond/captiond/api/hls"
	door "github.com/captiond/captiond/api/http"
	"github.com/captiond/captiond/api/tokens"
)

// needs is what each route asks of a token. A route that is not here fails the test.
var needs = map[string]tokens.Scope{
	"GET /livez": "", "GET /readyz": tokens.Read, "GET /metrics": tokens.Read,
	"GET /openapi.json": tokens.Read, "GET /openapi.yaml": tokens.Read,
	"GET /v1/videos": tokens.Read, "GET /v1/videos/{id}": tokens.Read, "GET /v1/videos/{id}/media": tokens.Read,
	"GET /v1/videos/{id}/captions": tokens.Read, "GET /v1/videos/{id}/captions.json": tokens.Read,
	"GET /v1/videos/{id}/captions.vtt": tokens.Read, "GET /v1/videos/{id}/captions.srt": tokens.Read,
	"POST /v1/videos": tokens.Upload, "POST /v1/videos/{id}/cancel": tokens.Upload, "DELETE /v1/videos/{id}": tokens.Upload,
	"POST /v1/videos/{id}/questions": tokens.Ask, "POST /v1/cameras/{name}/questions": tokens.Ask, "POST /v1/ask": tokens.Ask, "POST /v1/caption": tokens.Ask, "POST /v1/classify": tokens.Ask,
	"POST /v1/uploads": tokens.Upload, "POST /v1/uploads/{$}": tokens.Upload, "OPTIONS /v1/uploads": tokens.Upload, "OPTIONS /v1/uploads/{$}": tokens.Upload,
	"GET /v1/events": tokens.Read, "GET /v1/captions": tokens.Read,
	"GET /v1/cameras": tokens.Read, "GET /v1/cameras/{name}": tokens.Read,
	"GET /v1/cameras/{name}/snapshot.jpg": tokens.Read, "GET /v1/cameras/{name}/hls/{file}": tokens.Read,
	"POST /v1/cameras": tokens.Admin, "PATCH /v1/cameras/{name}": tokens.Admin, "DELETE /v1/cameras/{name}": tokens.Admin, "POST /v1/cameras/test": tokens.Admin,
	"HEAD /v1/uploads/{id}": tokens.Upload, "PATCH /v1/uploads/{id}": tokens.Upload, "DELETE /v1/uploads/{id}": tokens.Upload,
}

// routes are all that there are.
func routes(t *testing.T) (all []*huma.Operation, doc *huma.OpenAPI) {
	t.Helper()
	o, _ := options(t, newService(t))
	o.Log = slog.New(slog.DiscardHandler)
	o.More = append(o.More, others(t)...)
	return door.Describe(o)
}

// others are the routes that a daemon mounts beside. What they do is under test elsewhere; that
// they are described, and whom they let in, is here.
func others(t *testing.T) []func(huma.API) {
	t.Helper()
	cameras, err := api.OpenCameras(api.CamerasOptions{File: filepath.Join(t.TempDir(), "cameras.json"), Host: noCameras{}})
	if err != nil {
		t.Fatal(err)
	}
	streams := hls.New(slog.New(slog.DiscardHandler))
	return []func(huma.API){door.Cameras(cameras, streams), door.Events(noEvents{}, nil), door.Search(noEvents{}, nil)}
}

type noCameras struct{}

func (noCameras) Check(context.Context, api.NamedCamera) error { return nil }
func (noCameras) Put(context.Context, []api.NamedCamera) error { return nil }
func (noCameras) Cameras() []api.Camera                        { return nil }
func (noCameras) View(string) (view api.CameraView, ok bool)   { return view, false }

type noEvents struct{}

func (noEvents) Follow(context.Context, string, feed.Want, func(feed.Item) bool) error {
	return api.Errorf(http.StatusServiceUnavailable, "there are none")
}
func (noEvents) Search(context.Context, api.Query) (page api.Page, err error) { return page, nil }

func TestAccess(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *door.Options) { o.RequireToken, o.More = true, append(o.More, others(t)...) })
	expired, err := s.store.Add("expired", tokens.Scopes(), time.Now().Add(-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	who := map[string]string{"none": "", "wrong": "Bearer captiond_" + strings.Repeat("A", 43), "expired": "Bearer " + expired, "basic": "Basic YTpi", "empty": "Bearer"}
	for _, scope := range tokens.Scopes() {
		who[string(scope)] = s.token(t, string(scope), scope)
	}
	all, _ := routes(t)
	for _, op := range all {
		route := op.Method + " " + op.Path
		need, ok := needs[route]
		if !ok {
			t.Errorf("%s is not in the table of this test", route)
			continue
		}
		for name, header := range who {
			want := http.StatusForbidden
			switch {
			case need == "" || name == string(need) || name == string(tokens.Admin):
				want = 0 // whatever it is, it is let in
			case name == "none" || name == "wrong" || name == "expired" || name == "basic" || name == "empty":
				want = http.StatusUnauthorized
			}
			knock(t, s, op, header, want, need)
		}
	}
}

// knock asks for a route as somebody. Want is 0 for whom it is open to.
func knock(t *testing.T, s *server, op *huma.Operation, header string, want int, need tokens.Scope) {
	t.Helper()
	path := strings.NewReplacer("{id}", door.NewID(), "{$}", "").Replace(op.Path)
	var headers []string
	if header != "" {
		headers = []string{"Authorization", header}
	}
	a := s.do(t, op.Method, path, nil, headers...)
	switch {
	case want == 0 && (a.status == http.StatusUnauthorized || a.status == http.StatusForbidden):
		t.Errorf("%s %s as %.20q: %d %s", op.Method, op.Path, header, a.status, a.body)
	case want == 0 || op.Method == http.MethodHead && a.status == want:
	case want == http.StatusForbidden:
		a.problem(t, want, "scope "+string(need))
	default:
		if a.problem(t, want, "token"); !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("%s %s: WWW-Authenticate is %q", op.Method, op.Path, a.header.Get("WWW-Authenticate"))
		}
	}
}

// On the loopback interface no token is needed, but one that is given must be good.
func TestLoopback(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	if a := s.do(t, "GET", "/v1/videos", nil); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	s.do(t, "GET", "/v1/videos", nil, "Authorization", "Bearer captiond_a").problem(t, 401, "token")
	reader := s.token(t, "reader", tokens.Read)
	s.do(t, "POST", "/v1/videos", nil, "Authorization", reader).problem(t, 403, "scope upload")
	s.do(t, "GET", "/v1/videos?token="+strings.TrimPrefix(reader, "Bearer "), nil, "Authorization", "Bearer x").problem(t, 401, "token")
}

// A token that is removed is refused at once, and one in the address is none.
func TestRemovedToken(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *door.Options) { o.RequireToken = true })
	header := s.token(t, "phone", tokens.Read)
	if a := s.do(t, "GET", "/v1/videos", nil, "Authorization", header); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, name := range []string{"token", "access_token", "authorization"} {
		s.do(t, "GET", "/v1/videos?"+name+"="+strings.TrimPrefix(header, "Bearer "), nil).problem(t, 401, "token")
	}
	if err := s.store.Remove("phone"); err != nil {
		t.Fatal(err)
	}
	s.do(t, "GET", "/v1/videos", nil, "Authorization", header).problem(t, 401, "token")
	if strings.Contains(s.log.String(), strings.TrimPrefix(header, "Bearer ")) {
		t.Error("the log has the token")
	}
}

// The pages of other sites are refused, whatever they ask for; so are other names (DNS
// rebinding). Nobody is told that another origin may read.
func TestOrigins(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *door.Options) { o.Hosts = []string{"captiond.example"} })
	own := strings.TrimPrefix(s.url, "http://")
	for name, c := range map[string]struct {
		headers []string
		want    int
	}{
		"no browser":         {nil, 200},
		"own page":           {[]string{"Origin", s.url, "Sec-Fetch-Site", "same-origin"}, 200},
		"typed address":      {[]string{"Sec-Fetch-Site", "none"}, 200},
		"a configured name":  {[]string{"Host", "captiond.example:8080", "Origin", "http://captiond.example:8080"}, 200},
		"other origin":       {[]string{"Origin", "http://evil.example"}, 403},
		"other port":         {[]string{"Origin", "http://127.0.0.1:1", "Sec-Fetch-Site", "same-site"}, 403},
		"opaque origin":      {[]string{"Origin", "null"}, 403},
		"picture in a page":  {[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		"other name":         {[]string{"Host", "evil.example"}, 403},
		"name with address":  {[]string{"Host", "127.0.0.1.evil.example"}, 403},
		"rebinding":          {[]string{"Host", "evil.example", "Origin", "http://evil.example", "Sec-Fetch-Site", "same-origin"}, 403},
		"address of another": {[]string{"Host", "192.0.2.1"}, 403},
		"origin as the host": {[]string{"Origin", "http://" + own}, 200},
	} {
		for _, method := range []string{"GET", "OPTIONS", "POST"} {
			path := map[string]string{"GET": "/v1/videos", "OPTIONS": "/v1/uploads", "POST": "/v1/uploads"}[method]
			a := s.do(t, method, path, nil, append(c.headers, "Tus-Resumable", "1.0.0", "Upload-Length", "10")...)
			if ok := a.status < 300; ok != (c.want == 200) {
				t.Errorf("%s %s: %d %s", method, name, a.status, a.body)
			}
			if c.want == 403 {
				a.problem(t, 403, "")
			}
			for h := range a.header {
				if strings.HasPrefix(h, "Access-Control-") {
					t.Errorf("%s %s: %s: %s", method, name, h, a.header.Get(h))
				}
			}
		}
	}
}

// Beyond the loopback interface there must be a token before anybody can knock.
func TestListenElsewhere(t *testing.T) {
	t.Parallel()
	store := tokens.Open(filepath.Join(t.TempDir(), "tokens.json"))
	refused := func(why string) {
		t.Helper()
		for _, address := range []string{"0.0.0.0:0", "[::]:0", ":0"} {
			if l, err := door.Listen(address, store); err == nil || !strings.Contains(err.Error(), "captiond token add") {
				t.Errorf("%s: %s: %v, %v", why, address, l, err)
			}
		}
	}
	refused("no token")
	if _, err := store.Add("late", []tokens.Scope{tokens.Admin}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	refused("none alive")
	secret, err := store.Add("a", []tokens.Scope{tokens.Read}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := door.Listen("0.0.0.0:0", store)
	if err != nil {
		t.Fatal(err)
	}
	s := beyond(t, l, store)
	if a := s.do(t, "GET", "/livez", nil); a.status != 200 {
		t.Errorf("/livez: %d", a.status)
	}
	for _, path := range []string{"/readyz", "/metrics", "/openapi.json", "/v1/videos"} {
		s.do(t, "GET", path, nil).problem(t, 401, "token")
		if a := s.do(t, "GET", path, nil, "Authorization", "Bearer "+secret); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for host, want := range map[string]int{"192.0.2.7:8080": 200, "[2001:db8::1]:8080": 200, "localhost": 200, "evil.example": 403} {
		if a := s.do(t, "GET", "/livez", nil, "Host", host); a.status != want {
			t.Errorf("%s: %d, want %d", host, a.status, want)
		}
	}
}

// beyond serves on a listener that is not on the loopback interface alone.
func beyond(t *testing.T, l net.Listener, store *tokens.Store) *server {
	t.Helper()
	service := newService(t)
	o, _ := options(t, service)
	o.Log, o.Tokens = slog.New(slog.DiscardHandler), store
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- door.Serve(ctx, l, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return &server{service: service, store: store, url: "http://127.0.0.1:" + port}
}
