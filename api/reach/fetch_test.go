package reach_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/captiond/captiond/api"
	"github.com/captiond/captiond/api/reach"
)

// host serves videos, good and bad.
func host(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	mux.HandleFunc("/clips/{name}", func(w http.ResponseWriter, r *http.Request) {
		if len(r.Cookies()) > 0 || r.Header.Get("Authorization") != "" || r.Header.Get("Referer") != "" {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = w.Write([]byte("0123456789"))
	})
	mux.HandleFunc("/named", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Disposition", `attachment; filename*=UTF-8''..%2F..%2Fh%C3%B6f%0A.mp4`)
		_, _ = w.Write([]byte("0123456789"))
	})
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		http.Redirect(w, r, r.URL.RawQuery, http.StatusFound)
	})
	mux.HandleFunc("/hops/{n}", func(w http.ResponseWriter, r *http.Request) {
		to := "/clips/a door.mp4"
		if n := r.PathValue("n"); n > "1" {
			to = "/hops/" + string(n[0]-1)
		}
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("01234"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/bytes", func(w http.ResponseWriter, r *http.Request) { // without a length
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, strings.Repeat("x", len(r.URL.RawQuery)))
	})
	mux.HandleFunc("/short", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "50")
		_, _ = w.Write([]byte("0123456789"))
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000000000000")
		w.WriteHeader(http.StatusOK)
	})
	mux.HandleFunc("/empty", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("/zipped", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write([]byte("0123456789"))
	})
	mux.HandleFunc("/hangs-up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/header", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
		_, _ = w.Write([]byte("0123456789"))
	})
	return s
}

func fetch(t *testing.T, p reach.Policy, url string) (string, reach.Fetched, error) {
	t.Helper()
	var b bytes.Buffer
	got, err := p.Fetch(t.Context(), url, &b, reach.Limits{Bytes: 64, Idle: 500 * time.Millisecond})
	return b.String(), got, err
}

func TestFetch(t *testing.T) {
	t.Parallel()
	s := host(t)
	p := reach.Policy{Loopback: true}
	for path, title := range map[string]string{
		"/clips/a%20door.mp4?token=secret#x": "a door.mp4", "/named": "höf.mp4", "/hops/5": "5", "/to?/clips/a%20door.mp4": "to",
	} {
		body, got, err := fetch(t, p, s.URL+path)
		if want := (reach.Fetched{Title: title, Bytes: 10}); err != nil || body != "0123456789" || got != want {
			t.Errorf("%s: %q %+v %v", path, body, got, err)
		}
	}
	if body, _, err := fetch(t, p, s.URL+"/bytes?"+strings.Repeat("x", 64)); err != nil || len(body) != 64 {
		t.Errorf("as many bytes as allowed: %d %v", len(body), err)
	}
}

func TestFetchRefuses(t *testing.T) {
	t.Parallel()
	s := host(t)
	p := reach.Policy{Loopback: true}
	for path, want := range map[string]struct {
		status int
		words  string
	}{
		"/to?http://10.0.0.1/secret":              {422, "private network"},
		"/to?http://169.254.169.254/latest/token": {422, "metadata"},
		"/to?http://[fd00:ec2::254]/":             {422, "metadata"},
		"/to?http://0.0.0.0:80/":                  {422, "reserved"},
		"/to?http://0x7f.1/":                      {422, "four decimal numbers"},
		"/to?file:///etc/passwd":                  {422, "begin with https"},
		"/to?gopher://127.0.0.1/":                 {422, "begin with https"},
		"/to?http://me:hunter2@127.0.0.1/":        {422, "user or password"},
		"/hops/6":                                 {422, "redirects"},
		"/to?/to?/to?/to?/to?/to?/to?/to?/":       {422, "redirects"},
		"/nothing?token=hunter2":                  {422, "answered 404"},
		"/slow":                                   {504, "sent nothing"},
		"/silent":                                 {504, "sent nothing"},
		"/endless":                                {413, "larger than 64"},
		"/bytes?" + strings.Repeat("x", 65):       {413, "larger than 64"},
		"/large":                                  {413, "larger than 64"},
		"/bytes":                                  {422, "sent nothing"},
		"/empty":                                  {422, "sent nothing"},
		"/short":                                  {502, "less than it declared"},
		"/zipped":                                 {422, "compresses"},
		"/hangs-up?hunter2":                       {502, "hung up"},
		"/header":                                 {502, "cannot be fetched"},
	} {
		_, _, err := fetch(t, p, s.URL+path)
		if api.Status(err) != want.status || !strings.Contains(fmt.Sprint(err), want.words) {
			t.Errorf("%s: %d %v", path, api.Status(err), err)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "10.0.0.1")) {
			t.Errorf("%s: the error tells too much: %v", path, err)
		}
	}
}

func TestFetchRefusesURLs(t *testing.T) {
	t.Parallel()
	s := host(t)
	for _, url := range []string{
		s.URL + "/clips/a%20door.mp4", strings.Replace(s.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1), strings.Replace(s.URL, "127.0.0.1", "2130706433", 1),
		strings.Replace(s.URL, "127.0.0.1", "127%2e0.0.1", 1), "", "clip.mp4", "/etc/passwd", "file:///etc/passwd", "http:clip.mp4", "https://", "http:///x",
		"ftp://example.org/x", "https://me:hunter2@example.org/x", "https://hunter2@example.org/x", "https://exa mple.org/", "http://1.1.1.1:99999/",
		"http://[fe80::1%25lo]/", "https://example.org\r\nX: y/", "javascript:alert(1)", "//example.org/x", "http://１２７.0.0.1/",
	} {
		_, _, err := fetch(t, reach.Public(), url)
		if api.Status(err) != 422 || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestFetchVerifiesTheServer(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("0123456789")) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of those who do not trust it
	s.StartTLS()
	t.Cleanup(s.Close)
	if _, _, err := fetch(t, reach.Policy{Loopback: true}, s.URL); api.Status(err) != 502 || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a stranger's certificate: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	if body, _, err := fetch(t, reach.Policy{Loopback: true, Roots: roots}, s.URL); err != nil || body != "0123456789" {
		t.Errorf("a known one: %q %v", body, err)
	}
	n := &names{answers: map[string][]string{"other.test": {"127.0.0.1"}}}
	other := strings.Replace(s.URL, "127.0.0.1", "other.test", 1)
	if _, _, err := fetch(t, reach.Policy{Loopback: true, Roots: roots, Resolver: n}, other); api.Status(err) != 502 {
		t.Errorf("another's certificate: %v", err)
	}
}

func TestFetchUsesNoProxy(t *testing.T) {
	s := host(t)
	proxy, connections := listen(t)
	t.Setenv("HTTP_PROXY", "http://"+proxy.String())
	n := &names{answers: map[string][]string{"video.test": {"127.0.0.1"}}}
	_, _, err := fetch(t, reach.Policy{Loopback: true, Resolver: n}, strings.Replace(s.URL, "127.0.0.1", "video.test", 1)+"/hops/1")
	if got := connections(); err != nil || got != 0 {
		t.Errorf("%d connections to the proxy, %v", got, err)
	}
}

type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }

func TestFetchTellsTheWritersError(t *testing.T) {
	t.Parallel()
	s, disk := host(t), errors.New("disk full")
	if _, err := (reach.Policy{Loopback: true}).Fetch(t.Context(), s.URL+"/hops/1", full{disk}, reach.Limits{Bytes: 64, Idle: time.Second}); !errors.Is(err, disk) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (reach.Policy{Loopback: true}).Fetch(ctx, s.URL+"/hops/1", io.Discard, reach.Limits{Bytes: 64, Idle: time.Second}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
