package hub

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "hf_secretOfTheTest"

// fakeHub is the Hub as a client sees it: small files by way of a redirect on its own host,
// weights on a second host, whose addresses are signed and whose entity tags are its own.
type fakeHub struct {
	t    *testing.T
	api  *httptest.Server
	cdn  *httptest.Server
	mu   sync.Mutex
	refs map[string]string            // commit by revision
	tree map[string]map[string][]byte // files by commit
	// api and cdn may be asked for something first: true says that the answer was given.
	onAPI, onCDN func(w http.ResponseWriter, r *http.Request) bool
	requests     []string // METHOD path range, in the order of their coming
	tokens       int      // requests that had the token
}

func newFakeHub(t *testing.T) *fakeHub {
	t.Helper()
	h := &fakeHub{t: t, refs: map[string]string{"main": first, first: first}, tree: map[string]map[string][]byte{first: content(1)}}
	h.api = httptest.NewServer(http.HandlerFunc(h.serveAPI))
	h.cdn = httptest.NewServer(http.HandlerFunc(h.serveCDN))
	t.Cleanup(h.api.Close)
	t.Cleanup(h.cdn.Close)
	return h
}

// content is a checkpoint's files with a megabyte of weights: Pull does not look into them.
func content(seed uint64) map[string][]byte {
	weights := make([]byte, 1<<20+123)
	random := rand.NewChaCha8([32]byte{byte(seed)})
	_, _ = random.Read(weights)
	return map[string][]byte{
		"config.json":              fmt.Appendf(nil, `{"seed": %d}`, seed),
		"generation_config.json":   []byte("{}"),
		"preprocessor_config.json": []byte(`{"a": 1}`),
		"tokenizer.json":           bytes.Repeat([]byte("token "), 3000),
		"vocab.txt":                []byte("[PAD]\n[CLS]\n"),
		"model.safetensors":        weights,
		"README.md":                []byte("not wanted"),
	}
}

// without is a copy that lacks some files.
func without(files map[string][]byte, names ...string) map[string][]byte {
	out := map[string][]byte{}
	for name, data := range files {
		if !slices.Contains(names, name) {
			out[name] = data
		}
	}
	return out
}

func gitSHA1(data []byte) string {
	h := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(data), data))
	return hex.EncodeToString(h[:])
}

func sha256Hex(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

var resolvePath = regexp.MustCompile(`^/(?:api/resolve-cache/models/)?microsoft/git-tiny/resolve/([^/]+)/([^/]+)$`)

func (h *fakeHub) note(r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = append(h.requests, strings.TrimSpace(r.Method+" "+r.URL.EscapedPath()+" "+r.Header.Get("Range")))
	if r.Header.Get("Authorization") == "Bearer "+secret {
		h.tokens++
	}
}

func (h *fakeHub) serveAPI(w http.ResponseWriter, r *http.Request) {
	h.note(r)
	if r.Header.Get("Accept-Encoding") != "identity" {
		h.t.Errorf("%s %s: Accept-Encoding is %q", r.Method, r.URL, r.Header.Get("Accept-Encoding"))
	}
	if h.onAPI != nil && h.onAPI(w, r) {
		return
	}
	h.resolve(w, r)
}

// resolve answers as the Hub does.
func (h *fakeHub) resolve(w http.ResponseWriter, r *http.Request) {
	m := resolvePath.FindStringSubmatch(r.URL.EscapedPath())
	if m == nil {
		refuse(w, http.StatusUnauthorized, "RepoNotFound")
		return
	}
	h.mu.Lock()
	id := h.refs[strings.ReplaceAll(m[1], "%2F", "/")]
	data, ok := h.tree[id][m[2]]
	h.mu.Unlock()
	if id == "" {
		refuse(w, http.StatusNotFound, "RevisionNotFound")
		return
	}
	w.Header().Set("X-Repo-Commit", id)
	switch {
	case !ok:
		refuse(w, http.StatusNotFound, "EntryNotFound")
	case heavy(m[2]):
		w.Header().Set("X-Linked-Etag", `"`+sha256Hex(data)+`"`)
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(data)))
		http.Redirect(w, r, h.cdn.URL+"/"+id+"/"+m[2]+"?Signature=signed", http.StatusFound)
	case !strings.HasPrefix(r.URL.Path, "/api/"):
		w.Header().Set("Location", "/api/resolve-cache/models"+r.URL.EscapedPath())
		w.WriteHeader(http.StatusTemporaryRedirect)
	default:
		w.Header().Set("Etag", `"`+gitSHA1(data)+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	w.Header().Set("X-Error-Message", "the hub's own words")
	w.WriteHeader(status)
}

func (h *fakeHub) serveCDN(w http.ResponseWriter, r *http.Request) {
	h.note(r)
	if r.Header.Get("Authorization") != "" {
		h.t.Error("the token went to another host")
	}
	if r.Method != http.MethodGet || r.URL.Query().Get("Signature") != "signed" {
		h.t.Errorf("%s %s at the second host", r.Method, r.URL)
	}
	if h.onCDN != nil && h.onCDN(w, r) {
		return
	}
	h.content(w, r)
}

// weights are those that an address of the second host names.
func (h *fakeHub) weights(r *http.Request) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	id, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return h.tree[id][name]
}

func (h *fakeHub) content(w http.ResponseWriter, r *http.Request) {
	data := h.weights(r)
	w.Header().Set("Etag", `"part-`+sha256Hex(data)[:8]+`-12"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// cut ends an answer's connection after n bytes of its body.
func (h *fakeHub) cut(w http.ResponseWriter, r *http.Request, n int64) {
	h.content(&cutting{w, n}, r)
}

type cutting struct {
	http.ResponseWriter
	left int64
}

func (c *cutting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b[:min(int64(len(b)), c.left)])
	c.left -= int64(n)
	if c.left == 0 {
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// asked are the requests that begin with a prefix.
func (h *fakeHub) asked(prefix string) (list []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.requests {
		if strings.HasPrefix(r, prefix) {
			list = append(list, r)
		}
	}
	return list
}

// reset forgets what was asked.
func (h *fakeHub) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests, h.tokens = nil, 0
}

// commit makes a revision of files.
func (h *fakeHub) commit(revision, id string, files map[string][]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refs[revision], h.refs[id], h.tree[id] = id, id, files
}

// waits records how long a client would have slept.
type waits struct {
	mu   sync.Mutex
	list []time.Duration
}

func (w *waits) sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, d)
	return ctx.Err()
}

// client is one of this hub, with a cache of its own; it does not sleep. env are variables
// beside HF_ENDPOINT, HF_HUB_CACHE and HF_TOKEN.
func (h *fakeHub) client(cache string, env ...string) (*Client, *waits) {
	h.t.Helper()
	values := map[string]string{"HF_ENDPOINT": h.api.URL + "/", "HF_HUB_CACHE": cache, "HF_TOKEN": secret}
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	c, err := NewClient(func(name string) string { return values[name] })
	must(h.t, err)
	w := &waits{}
	c.sleep = w.sleep
	c.Log = slog.New(slog.NewTextHandler(h.t.Output(), nil))
	return c, w
}

var tinyRef = Ref{"microsoft", "git-tiny", "main"}

// whole fails the test unless a snapshot is that of the files, laid out as
// huggingface_hub does.
func whole(t *testing.T, s Snapshot, files map[string][]byte) {
	t.Helper()
	for name, data := range without(files, "README.md") {
		etag := gitSHA1(data)
		if heavy(name) {
			etag = sha256Hex(data)
		}
		target, err := os.Readlink(filepath.Join(s.Dir, name))
		if want := "../../blobs/" + etag; err != nil || target != want {
			t.Errorf("%s leads to %s (%v), want %s", name, target, err, want)
		}
		if got, err := os.ReadFile(filepath.Join(s.Dir, name)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s has %d bytes, want %d: %v", name, len(got), len(data), err)
		}
	}
	listed, err := os.ReadDir(s.Dir)
	if err != nil || len(listed) != len(without(files, "README.md")) {
		t.Errorf("%d files, %v", len(listed), err)
	}
}

// left lists what a cache holds of the repository, relative to it.
func left(t *testing.T, cache string) string {
	t.Helper()
	var list []string
	root := filepath.Join(cache, tinyRef.folder())
	_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(root, path)
			list = append(list, name)
		}
		return nil
	})
	return strings.Join(list, " ")
}

func size(files map[string][]byte) (n int64) {
	for _, data := range without(files, "README.md") {
		n += int64(len(data))
	}
	return n
}
