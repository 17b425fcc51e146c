package main

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/captiond/captiond/demo"
)

// hubOf serves the built-in model as the Hub serves microsoft/git-shapes: the small files
// itself, the weights on a second host that must not see the token.
type hubOf struct {
	t         *testing.T
	api, cdn  *httptest.Server
	mu        sync.Mutex
	requests  []string
	interrupt func() // called in the middle of the weights, once
}

const hubCommit = "0123456789abcdef0123456789abcdef01234567"

func newHubOf(t *testing.T) *hubOf {
	t.Helper()
	h := &hubOf{t: t}
	h.api = httptest.NewServer(http.HandlerFunc(h.resolve))
	h.cdn = httptest.NewServer(http.HandlerFunc(h.weights))
	t.Cleanup(h.api.Close)
	t.Cleanup(h.cdn.Close)
	return h
}

func (h *hubOf) note(r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = append(h.requests, strings.TrimSpace(r.Method+" "+path.Base(r.URL.Path)+" "+r.Header.Get("Range")))
}

// asked takes what was asked for since.
func (h *hubOf) asked() (gets string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.requests {
		if get, ok := strings.CutPrefix(r, "GET "); ok {
			gets += get + ";"
		}
	}
	h.requests = nil
	return gets
}

func (h *hubOf) resolve(w http.ResponseWriter, r *http.Request) {
	h.note(r)
	data, err := fs.ReadFile(demo.Model(), path.Base(r.URL.Path))
	switch {
	case !strings.HasPrefix(r.URL.Path, "/microsoft/git-shapes/resolve/"):
		w.Header().Set("X-Error-Code", "RepoNotFound")
		w.WriteHeader(http.StatusUnauthorized)
		return
	case err != nil:
		w.Header().Set("X-Error-Code", "EntryNotFound")
		w.WriteHeader(http.StatusNotFound)
		return
	case r.Header.Get("Authorization") != "Bearer hf_sesame":
		h.t.Error("the hub saw no token")
	}
	w.Header().Set("X-Repo-Commit", hubCommit)
	if strings.HasSuffix(r.URL.Path, ".safetensors") {
		w.Header().Set("X-Linked-Etag", fmt.Sprintf(`"%x"`, sha256.Sum256(data)))
		w.Header().Set("X-Linked-Size", fmt.Sprint(len(data)))
		http.Redirect(w, r, h.cdn.URL+"/model.safetensors?Signature=s", http.StatusFound)
		return
	}
	w.Header().Set("Etag", fmt.Sprintf(`"%x"`, sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(data), data))))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

func (h *hubOf) weights(w http.ResponseWriter, r *http.Request) {
	h.note(r)
	if r.Header.Get("Authorization") != "" {
		h.t.Error("the token went to another host")
	}
	data, err := fs.ReadFile(demo.Model(), "model.safetensors")
	if err != nil {
		h.t.Error(err)
	}
	h.mu.Lock()
	interrupt := h.interrupt
	h.interrupt = nil
	h.mu.Unlock()
	if interrupt != nil {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data[:1<<20])
		_ = http.NewResponseController(w).Flush()
		interrupt()
		<-r.Context().Done()
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// run runs the program with this hub, in a home that stays.
func (h *hubOf) run(ctx context.Context, home string, args ...string) outcome {
	h.t.Helper()
	var out, errs bytes.Buffer
	status := run(ctx, args, streams{out: &out, err: &errs, decoder: decoder, env: []string{
		"HOME=" + home, "CAPTIOND_MODEL_LIBRARY=" + library(h.t), "HF_ENDPOINT=" + h.api.URL, "HF_TOKEN=hf_sesame",
	}})
	if strings.Contains(out.String()+errs.String(), "sesame") || strings.Contains(errs.String(), "Signature") {
		h.t.Errorf("the token was told: %s%s", out.String(), errs.String())
	}
	return outcome{status, out.String(), errs.String()}
}

// A checkpoint comes from a hub, with a Ctrl-C in the middle, and captions as the built-in
// one does; then it is listed, verified, damaged, pulled again and removed.
func TestPullAndCaption(t *testing.T) {
	t.Parallel()
	h, home, ctx := newHubOf(t), t.TempDir(), t.Context()
	h.run(ctx, home, "caption", shapes, "--whole", "--model", "microsoft/git-shapes").
		want(t, exitFailed, "`captiond model pull microsoft/git-shapes`")

	cut, interrupt := context.WithCancel(ctx)
	defer interrupt()
	blobs := filepath.Join(home, ".cache", "huggingface", "hub", "models--microsoft--git-shapes", "blobs")
	part := func() int64 {
		parts, _ := filepath.Glob(filepath.Join(blobs, "*.incomplete"))
		if len(parts) != 1 {
			return 0
		}
		info, err := os.Stat(parts[0])
		if err != nil {
			return 0
		}
		return info.Size()
	}
	h.interrupt = func() {
		for begun := time.Now(); part() != 1<<20 && time.Since(begun) < time.Minute; <-time.After(time.Millisecond) {
			continue // what was sent is not written down yet
		}
		interrupt()
	}
	h.run(cut, home, "model", "pull", "microsoft/git-shapes").want(t, exitInterrupted, "interrupted")
	if n := part(); n != 1<<20 {
		t.Errorf("%d bytes were kept, %d had come", n, 1<<20)
	}
	h.asked()
	got := h.run(ctx, home, "model", "pull", "microsoft/git-shapes")
	got.want(t, exitDone, "msg=downloaded file=model.safetensors")
	if asked := h.asked(); asked != "model.safetensors bytes=1048576-;model.safetensors bytes=1048576-;" {
		t.Errorf("asked for %s", asked) // once of each host
	}
	if !strings.Contains(got.out, "pulled microsoft/git-shapes at 0123456789ab: 2.1 MB downloaded") || !strings.Contains(got.out, "use it with --model git-shapes") {
		t.Errorf("it said %s", got.out)
	}

	want := captiond(t, "caption", shapes, "--whole").out
	for _, name := range []string{"git-shapes", "microsoft/git-shapes", "microsoft/git-shapes@" + hubCommit} {
		caption := h.run(ctx, home, "caption", shapes, "--whole", "--model", name)
		caption.want(t, exitDone, "")
		if caption.out != want {
			t.Errorf("%s says %q, the built-in model %q", name, caption.out, want)
		}
	}
	if asked := h.asked(); asked != "" {
		t.Errorf("a caption asked for %s", asked)
	}
	again := h.run(ctx, home, "model", "pull", "microsoft/git-shapes@main")
	again.want(t, exitDone, "")
	if asked := h.asked(); asked != "" || !strings.Contains(again.out, "nothing had to be downloaded") {
		t.Errorf("again: asked for %q, said %s", asked, again.out)
	}
	keepPulled(t, h, home)
}

// keepPulled lists, verifies, damages, repairs and removes what was pulled.
func keepPulled(t *testing.T, h *hubOf, home string) {
	ctx := t.Context()
	cache := filepath.Join(home, ".cache", "huggingface", "hub", "models--microsoft--git-shapes")
	if list := h.run(ctx, home, "model", "list").out; !strings.Contains(list, filepath.Join(cache, "snapshots", hubCommit)) {
		t.Errorf("the list is %s", list)
	}
	verified := h.run(ctx, home, "model", "verify", "git-shapes")
	verified.want(t, exitDone, "")
	if !strings.Contains(verified.out, "hashes are those of the import") || !strings.Contains(verified.out, "captioned as before") {
		t.Errorf("verified: %s", verified.out)
	}
	config := filepath.Join(cache, "snapshots", hubCommit, "generation_config.json")
	replace("generation_config.json", `{"max_length": 7}`)(t, filepath.Dir(config))
	h.run(ctx, home, "model", "verify", "git-shapes").want(t, exitFailed, "generation_config.json has")
	h.run(ctx, home, "model", "pull", "microsoft/git-shapes").want(t, exitDone, "msg=downloaded file=generation_config.json")
	h.run(ctx, home, "model", "verify", "git-shapes").want(t, exitDone, "")

	h.run(ctx, home, "model", "pull", "microsoft/git-shapes", "--name", "second").want(t, exitDone, "")
	h.run(ctx, home, "model", "remove", "second", "--files").want(t, exitFailed, "git-shapes has the same files")
	h.run(ctx, home, "model", "remove", "second").want(t, exitDone, "")
	h.run(ctx, home, "model", "remove", "git-shapes", "--files").want(t, exitDone, "")
	if _, err := os.Stat(cache); !os.IsNotExist(err) {
		t.Errorf("the files are still there: %v", err)
	}
	h.run(ctx, home, "model", "verify", "git-shapes").want(t, exitFailed, "model not found")
	h.run(ctx, home, "caption", shapes, "--whole", "--model", "git-shapes").want(t, exitFailed, "model not found")
}

// What is wrong is said before anything is downloaded.
func TestPullRefuses(t *testing.T) {
	t.Parallel()
	h, home := newHubOf(t), t.TempDir()
	h.run(t.Context(), home, "model", "import", tiny, "--name", "mine").want(t, exitDone, "")
	for name, tt := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"no name":              {nil, exitUsage, "accepts 1 arg"},
		"a path":               {[]string{"../x"}, exitUsage, "give OWNER/NAME"},
		"an address":           {[]string{"https://huggingface.co/microsoft/git-base"}, exitUsage, "give OWNER/NAME"},
		"two revisions":        {[]string{"git-shapes@a", "--revision", "b"}, exitUsage, "give OWNER/NAME"},
		"a revision that goes": {[]string{"git-shapes", "--revision", "../../x"}, exitUsage, "give OWNER/NAME"},
		"the built-in name":    {[]string{"git-shapes", "--name", "demo"}, exitUsage, "the built-in model"},
		"a taken name":         {[]string{"git-shapes", "--name", "mine"}, exitFailed, "captiond model remove mine"},
		"a name of no file":    {[]string{"git-shapes", "--name", "../x"}, exitFailed, "a name is made of"},
		"no such repository":   {[]string{"git-absent"}, exitFailed, "microsoft/git-absent is not there"},
	} {
		h.run(t.Context(), home, append([]string{"model", "pull"}, tt.args...)...).want(t, tt.status, tt.want)
		if asked := h.asked(); asked != "" {
			t.Errorf("%s: asked for %s", name, asked)
		}
	}
	h.run(t.Context(), home, "model", "import", tiny, "--name", "demo").want(t, exitUsage, "the built-in model")
	h.run(t.Context(), home, "model", "remove", "mine", "--files").want(t, exitFailed, "delete the folder yourself")
	h.run(t.Context(), home, "model", "remove", "mine").want(t, exitDone, "")
	if _, err := os.Stat(filepath.Join(tiny, "config.json")); err != nil {
		t.Error(err)
	}
}
