package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What the hub says no to: each error says what to do, and none is asked again.
func TestPullDenied(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status  int
		code    string
		token   bool
		want    string
		unknown bool // ErrNotFound is in it
	}{
		"401 without a token":           {401, "", false, "give a token in HF_TOKEN", true},
		"401 with one":                  {401, "", true, "the token was refused", false},
		"no repository, no token":       {401, "RepoNotFound", false, "is not there, or is private", true},
		"no repository for this token":  {404, "RepoNotFound", true, "not for this token", true},
		"no revision":                   {404, "RevisionNotFound", true, "has no revision main: name a branch", true},
		"gated":                         {403, "GatedRepo", true, "accept its terms on that page", false},
		"gated, no token":               {401, "GatedRepo", false, "accept its terms on that page", false},
		"403":                           {403, "", true, "give it the right to read", false},
		"403 without a token":           {403, "", false, "give one in HF_TOKEN", false},
		"404 of what does not say what": {404, "", true, "check the name and the revision", true},
		"no file":                       {404, "EntryNotFound", true, "it lacks config.json, preprocessor_config.json or processor_config.json, tokenizer.json or vocab.txt, model.safetensors or pytorch_model.bin", true},
		"410":                           {410, "", true, "answers 410: check HF_ENDPOINT", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFakeHub(t)
			h.onAPI = func(w http.ResponseWriter, _ *http.Request) bool {
				refuse(w, tt.status, tt.code)
				return true
			}
			token := map[bool]string{true: secret}[tt.token]
			cache := t.TempDir()
			c, w := h.client(cache, "HF_TOKEN="+token)
			_, err := c.Pull(t.Context(), tinyRef)
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, ErrNotFound) != tt.unknown {
				t.Errorf("got %v", err)
			}
			if strings.Contains(fmt.Sprintf("%+v", err), secret) || strings.Contains(err.Error(), "own words") {
				t.Errorf("%v tells too much", err)
			}
			if len(w.list) != 0 || left(t, cache) != "" {
				t.Errorf("waited %v, left %s", w.list, left(t, cache))
			}
			if (h.tokens > 0) != tt.token {
				t.Errorf("the token was sent %d times", h.tokens)
			}
		})
	}
}

// One required file is missing, and one that is not is no reason.
func TestPullMissingFiles(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	h.commit("poor", second, without(content(1), "tokenizer.json", "vocab.txt", safetensors))
	c, _ := h.client(t.TempDir())
	_, err := c.Pull(t.Context(), Ref{"microsoft", "git-tiny", "poor"})
	if err == nil || !strings.Contains(err.Error(), "it lacks tokenizer.json or vocab.txt, model.safetensors or pytorch_model.bin:") {
		t.Errorf("got %v", err)
	}
	_, err = c.Pull(t.Context(), Ref{"microsoft", "git-tiny", "absent"})
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "--revision") {
		t.Errorf("got %v", err)
	}
	_, err = c.Pull(t.Context(), Ref{"microsoft", "git-absent", "main"})
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "microsoft/git-absent is not there") {
		t.Errorf("got %v", err)
	}
}

// 429 and 503 are waited for as long as they ask, within bounds.
func TestPullBusy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status, times int
		after         string
		waits         string
		want          string
	}{
		"two seconds":  {429, 1, "2", "[2s]", ""},
		"no time":      {429, 2, "", "[1s 2s]", ""},
		"a wrong time": {503, 1, "soon", "[1s]", ""},
		"past":         {503, 1, "Mon, 02 Jan 2006 15:04:05 GMT", "[1s]", ""},
		"an hour":      {429, 1, "3600", "[]", "asks to wait 1h0m0s"},
		"a century":    {429, 1, "3155760000", "[]", "asks to wait"},
		"beyond":       {429, 1, "99999999999999999999", "[]", "asks to wait"},
		"500":          {500, 1, "", "[1s]", ""},
		"for ever":     {500, 99, "", "[1s 2s 4s 8s]", "gave up after 5 attempts"},
		"always busy":  {429, 99, "7", "[7s 7s 7s 8s]", "too busy: try again later"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFakeHub(t)
			h.onAPI = func(w http.ResponseWriter, _ *http.Request) bool {
				if tt.times--; tt.times < 0 {
					return false
				}
				w.Header().Set("Retry-After", tt.after)
				w.WriteHeader(tt.status)
				return true
			}
			c, w := h.client(t.TempDir())
			s, err := c.Pull(t.Context(), tinyRef)
			if fmt.Sprint(w.list) != tt.waits {
				t.Errorf("waited %v, want %s", w.list, tt.waits)
			}
			if tt.want == "" {
				must(t, err)
				whole(t, s, content(1))
			} else if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	if got := retryAfter("Mon, 02 Jan 2006 15:04:05 GMT", time.Date(2006, 1, 2, 15, 4, 0, 0, time.UTC)); got != 5*time.Second {
		t.Errorf("a date is %v", got)
	}
}

// Headers of a hub that is hostile or broken: nothing is written outside the cache, and
// nothing large.
func TestPullHostileHub(t *testing.T) {
	t.Parallel()
	set := func(pairs ...string) func(http.Header) {
		return func(h http.Header) {
			for i := 0; i < len(pairs); i += 2 {
				h.Set(pairs[i], pairs[i+1])
			}
		}
	}
	id, etag := "X-Repo-Commit", "X-Linked-Etag"
	for name, tt := range map[string]struct {
		headers func(http.Header)
		want    string
	}{
		"an etag that climbs":     {set(id, first, etag, `"../../x"`), "which is no hash"},
		"an absolute etag":        {set(id, first, etag, `"/etc/passwd"`), "which is no hash"},
		"an etag of another file": {set(id, first, etag, "x.incomplete"), "which is no hash"},
		"an endless etag":         {set(id, first, etag, strings.Repeat("a", 200)), "which is no hash"},
		"no etag":                 {set(id, first), "which is no hash"},
		"no commit":               {set(etag, strings.Repeat("a", 64)), "names no commit"},
		"a commit that climbs":    {set(id, "../../../../etc", etag, strings.Repeat("a", 64)), "names no commit"},
		"a short commit":          {set(id, first[:7], etag, strings.Repeat("a", 64)), "names no commit"},
		"a size beyond all":       {set(id, first, etag, strings.Repeat("a", 64), "X-Linked-Size", "99999999999999999999"), "states a size"},
		"a negative size":         {set(id, first, etag, strings.Repeat("a", 64), "X-Linked-Size", "-1"), "states a size"},
		"a terabyte":              {set(id, first, etag, strings.Repeat("a", 64), "X-Linked-Size", "1099511627776"), "1048576 at most"},
		"two megabytes of JSON":   {set(id, first, etag, strings.Repeat("a", 64), "X-Linked-Size", "2000000"), "1048576 at most"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFakeHub(t)
			h.onAPI = func(w http.ResponseWriter, _ *http.Request) bool {
				tt.headers(w.Header())
				return true
			}
			root := t.TempDir()
			c, _ := h.client(filepath.Join(root, "a", "b", "cache"))
			_, err := c.Pull(t.Context(), tinyRef)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if made, _ := os.ReadDir(root); len(made) != 0 || len(h.asked("GET")) != 0 {
				t.Errorf("made %v, asked %v", made, h.asked("GET"))
			}
		})
	}
}

// A hub that answers with files of two commits is not believed.
func TestPullTwoCommits(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	h.onAPI = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "vocab.txt") {
			w.Header().Set("X-Repo-Commit", second)
			w.Header().Set("Etag", strings.Repeat("b", 40))
			return true
		}
		return false
	}
	c, _ := h.client(t.TempDir())
	if _, err := c.Pull(t.Context(), tinyRef); err == nil || !strings.Contains(err.Error(), "in place of "+first) {
		t.Errorf("got %v", err)
	}
	if len(h.asked("GET")) != 0 {
		t.Errorf("asked %v", h.asked("GET"))
	}
}

// More weights than the disk has room for are an error before the first byte; a body
// without an end is cut at what was stated.
func TestPullTooLarge(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	h.onAPI = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "vocab.txt") && r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/api") {
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return true
				}
			}
		}
		return false
	}
	c, w := h.client(t.TempDir())
	_, err := c.Pull(t.Context(), tinyRef)
	if err == nil || !strings.Contains(err.Error(), "vocab.txt") || !strings.Contains(err.Error(), "sends more than the 12 bytes") || len(w.list) != maxAttempts-1 {
		t.Errorf("got %v, waited %v", err, w.list)
	}
	err = (&Client{}).explain(room(t.TempDir(), 1<<62))
	if err == nil || !strings.Contains(err.Error(), "make room, or set HF_HUB_CACHE") {
		t.Errorf("got %v", err)
	}
}

// Redirects are followed within bounds, and never from https to what is less.
func TestRedirects(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ to, want string }{
		"in circles":    {"/again", "redirects more than 10 times"},
		"to a file":     {"file:///etc/passwd", "not safe"},
		"to nowhere":    {"http://", "not safe"},
		"to no address": {"http://[::1", "no address"},
		"to another":    {"http://user:password@192.0.2.1/x", "names no commit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFakeHub(t)
			h.onAPI = func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Location", tt.to)
				w.WriteHeader(http.StatusFound)
				return true
			}
			c, _ := h.client(t.TempDir())
			_, err := c.Pull(t.Context(), tinyRef)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "password") {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	tls := httptest.NewUnstartedServer(http.RedirectHandler("http://192.0.2.1/", http.StatusFound))
	tls.Config.ErrorLog = log.New(t.Output(), "", 0)
	tls.StartTLS()
	t.Cleanup(tls.Close)
	c, err := NewClient(func(name string) string {
		return map[string]string{"HF_ENDPOINT": tls.URL, "HF_HOME": "/none", "HF_TOKEN": secret}[name]
	})
	must(t, err)
	if _, err = c.Pull(t.Context(), tinyRef); err == nil || !strings.Contains(err.Error(), "SSL_CERT_FILE") {
		t.Errorf("a certificate that is not trusted: %v", err)
	}
	c.http = tls.Client().Transport.(*http.Transport)
	if _, err = c.Pull(t.Context(), tinyRef); err == nil || !strings.Contains(err.Error(), "not safe") {
		t.Errorf("from https to http: %v", err)
	}
}

// A weights' host that answers nothing but its own address, which is signed: the error
// does not tell it.
func TestSignedAddressesAreNotTold(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	h.cdn.Close()
	var logged bytes.Buffer
	c, _ := h.client(t.TempDir())
	c.Log = slog.New(slog.NewTextHandler(&logged, nil))
	_, err := c.Pull(t.Context(), tinyRef)
	if err == nil || !strings.Contains(err.Error(), "gave up after 5 attempts") {
		t.Fatalf("got %v", err)
	}
	for _, text := range []string{err.Error(), logged.String()} {
		if strings.Contains(text, "signed") || strings.Contains(text, secret) {
			t.Errorf("told: %s", text)
		}
	}
}

// The token is for the endpoint's own host and port, and for no way that others can read.
func TestTokenStaysHome(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"https://hub.example/x": true, "https://HUB.example:443/y": true, "http://hub.example/": false,
		"https://hub.example:8443/": false, "https://cdn.hub.example/": false, "https://hub.example.evil/": false,
	} {
		var got string
		c, err := NewClient(func(name string) string {
			return map[string]string{"HF_ENDPOINT": "https://hub.example", "HF_HOME": "/none", "HF_TOKEN": secret}[name]
		})
		must(t, err)
		c.http = roundTrip(func(r *http.Request) (*http.Response, error) {
			got = r.Header.Get("Authorization")
			return nil, errors.New("enough")
		})
		u := *c.endpoint
		at, err := u.Parse(address)
		must(t, err)
		_, err = c.ask(t.Context(), trip{method: http.MethodGet}, at) //nolint:bodyclose // there is none
		if (got != "") != want || strings.Contains(err.Error(), "/x") {
			t.Errorf("%s: token %v, %v", address, got != "", err)
		}
	}
	var logged bytes.Buffer
	c, err := NewClient(func(name string) string {
		return map[string]string{"HF_ENDPOINT": "http://hub.example", "HF_HOME": "/none", "HF_TOKEN": secret}[name]
	})
	must(t, err)
	c.Log = slog.New(slog.NewTextHandler(&logged, nil))
	c.sleep = func(context.Context, time.Duration) error { return nil }
	c.http = roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the token went out in clear")
		}
		return nil, errors.New("enough")
	})
	if _, err := c.Pull(t.Context(), tinyRef); err == nil || !strings.Contains(logged.String(), "token is not sent") {
		t.Errorf("got %v, logged %s", err, logged.String())
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (roundTrip) CloseIdleConnections() {}

// A cache that cannot be written to.
func TestPullUnwritable(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	c, _ := h.client(filepath.Join(file, "cache"))
	if _, err := c.Pull(t.Context(), tinyRef); err == nil || !strings.Contains(err.Error(), "set HF_HUB_CACHE to a folder that is") {
		t.Errorf("got %v", err)
	}
}

func TestNewClient(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(home, "hf"), 0o700))
	must(t, os.WriteFile(filepath.Join(home, "hf", "token"), []byte(" from_file\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(home, "other"), []byte("from_other\n"), 0o600))
	for name, tt := range map[string]struct {
		env, token, endpoint string
		offline              bool
		head, body           time.Duration
		want                 string
	}{
		"nothing set":        {env: "HOME=" + home},
		"no home":            {env: "", want: "set HF_HOME"},
		"token":              {env: "HF_HOME=/none HF_TOKEN=a", token: "a"},
		"older token":        {env: "HF_HOME=/none HUGGING_FACE_HUB_TOKEN=b", token: "b"},
		"newer first":        {env: "HF_HOME=/none HUGGING_FACE_HUB_TOKEN=b HF_TOKEN=a", token: "a"},
		"token of a file":    {env: "HOME=" + home + " HF_HOME=~/hf", token: "from_file"},
		"expanded":           {env: "BASE=" + home + " HF_HOME=$BASE/hf", token: "from_file"},
		"token of another":   {env: "HF_HOME=/none HF_TOKEN_PATH=" + home + "/other", token: "from_other"},
		"no implicit token":  {env: "HF_HOME=" + home + "/hf HF_HUB_DISABLE_IMPLICIT_TOKEN=1"},
		"token of a folder":  {env: "HF_HOME=/none HF_TOKEN_PATH=" + home, want: "read token"},
		"token of two words": {env: "HF_HOME=/none HF_TOKEN=a\tb", want: "one word of ASCII"},
		"endpoint":           {env: "HF_HOME=/none HF_ENDPOINT=https://mirror.example/hf/", endpoint: "https://mirror.example/hf"},
		"no endpoint":        {env: "HF_HOME=/none HF_ENDPOINT=mirror.example", want: "no address of a hub"},
		"ftp":                {env: "HF_HOME=/none HF_ENDPOINT=ftp://mirror.example", want: "no address of a hub"},
		"password":           {env: "HF_HOME=/none HF_ENDPOINT=https://me:swordfish@mirror.example", want: "holds a password"},
		"offline":            {env: "HF_HOME=/none HF_HUB_OFFLINE=True", offline: true},
		"offline by the old": {env: "HF_HOME=/none TRANSFORMERS_OFFLINE=1", offline: true},
		"online":             {env: "HF_HOME=/none HF_HUB_OFFLINE=0 TRANSFORMERS_OFFLINE=1"},
		"time-outs":          {env: "HF_HOME=/none HF_HUB_ETAG_TIMEOUT=3 HF_HUB_DOWNLOAD_TIMEOUT=60", head: 3 * time.Second, body: time.Minute},
		"wrong time-out":     {env: "HF_HOME=/none HF_HUB_ETAG_TIMEOUT=soon", want: "give whole seconds"},
		"negative time-out":  {env: "HF_HOME=/none HF_HUB_DOWNLOAD_TIMEOUT=-1", want: "give whole seconds"},
	} {
		values := map[string]string{}
		for pair := range strings.SplitSeq(tt.env, " ") {
			key, value, _ := strings.Cut(pair, "=")
			values[key] = value
		}
		c, err := NewClient(func(name string) string { return values[name] })
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "swordfish") {
				t.Errorf("%s: got %v, want %s", name, err, tt.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		or := func(d time.Duration) time.Duration {
			return max(d, 0) + map[bool]time.Duration{true: 10 * time.Second}[d == 0]
		}
		endpoint := map[bool]string{true: "https://huggingface.co", false: tt.endpoint}[tt.endpoint == ""]
		if c.token != tt.token || c.offline != tt.offline || c.endpoint.String() != endpoint ||
			c.headTimeout != or(tt.head) || c.bodyTimeout != or(tt.body) {
			t.Errorf("%s: got %+v", name, c)
		}
	}
}

func TestParseRef(t *testing.T) {
	t.Parallel()
	for input, want := range map[[2]string]string{
		{"microsoft/git-base", ""}:                 "microsoft/git-base",
		{"git-base", ""}:                           "microsoft/git-base",
		{"someone/git-base@refs/pr/1", ""}:         "someone/git-base@refs/pr/1",
		{"someone/git-base", "refs/pr/1"}:          "someone/git-base@refs/pr/1",
		{"git-base@v1", "v1"}:                      "microsoft/git-base@v1",
		{"git-base@v1", "v2"}:                      "",
		{"../../x", ""}:                            "",
		{"a/../b", ""}:                             "",
		{"a/b/c", ""}:                              "",
		{"a/b", "../../../x"}:                      "",
		{"a/b", "/etc"}:                            "",
		{"a/b", "a//b"}:                            "",
		{"a/b", "a/.lock"}:                         "",
		{"a/b", strings.Repeat("a", 256)}:          "",
		{"a/b?x=1", ""}:                            "",
		{"https://huggingface.co/microsoft/x", ""}: "",
	} {
		ref, err := ParseRef(input[0], input[1])
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "give OWNER/NAME") {
				t.Errorf("%q: got %v, %v", input, ref, err)
			}
		} else if err != nil || ref.String() != want {
			t.Errorf("%q: got %v, %v", input, ref, err)
		}
	}
}

// A name that is one of the Hub's, and not in the cache, comes with the command that
// downloads it.
func TestResolveOffersPull(t *testing.T) {
	t.Parallel()
	root := cache(t)
	for name, want := range map[string]string{
		"microsoft/git-base-vatex":           "`captiond model pull microsoft/git-base-vatex`",
		"git-base-vatex":                     "`captiond model pull microsoft/git-base-vatex`",
		"git-base-coco@refs/pr/9":            "`captiond model pull microsoft/git-base-coco --revision refs/pr/9`",
		"microsoft/git-base-coco@gone":       "`captiond model pull microsoft/git-base-coco --revision gone`",
		"someone/git-mine@v2":                "`captiond model pull someone/git-mine --revision v2`",
		"door":                               "`captiond model pull`",
		filepath.Join(t.TempDir(), "absent"): "`captiond model import`",
	} {
		if _, err := Resolve(name, Roots{Cache: root}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
