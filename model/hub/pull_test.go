package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// All the files that are wanted, laid out as Python's library does it; once.
func TestPull(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	cache := t.TempDir()
	c, _ := h.client(cache)
	var last Progress
	c.Progress = func(p Progress) { last = p }
	s, err := c.Pull(t.Context(), tinyRef)
	must(t, err)
	whole(t, s, content(1))
	total := size(content(1))
	if s.Commit != first || s.Downloaded != total || s.Weights != "model.safetensors" || s.Hint != "" {
		t.Errorf("got %+v, want %d bytes", s, total)
	}
	if last.Done != total || last.Total != total {
		t.Errorf("the last progress is %+v of %d", last, total)
	}
	if h.tokens == 0 {
		t.Error("the hub saw no token")
	}
	if ref, err := os.ReadFile(filepath.Join(cache, "models--microsoft--git-tiny", "refs", "main")); err != nil || string(ref) != first {
		t.Errorf("refs/main is %s, %v", ref, err)
	}
	if dir, err := Resolve("microsoft/git-tiny", Roots{Cache: cache}); err != nil || dir != s.Dir {
		t.Errorf("it is resolved to %s, %v", dir, err)
	}
	if l := left(t, cache); strings.Contains(l, "incomplete") || strings.Contains(l, "/.") {
		t.Errorf("left: %s", l)
	}
	// All but the first question is about the commit, so that all files are of one.
	for i, r := range h.asked("HEAD /microsoft") {
		if want := map[bool]string{true: "/main/config.json", false: "/" + first + "/"}[i == 0]; !strings.Contains(r, want) {
			t.Errorf("question %d was %s", i, r)
		}
	}

	h.reset()
	s, err = c.Pull(t.Context(), tinyRef)
	if err != nil || s.Downloaded != 0 || len(h.asked("GET")) != 0 {
		t.Errorf("the second time: %+v, %v, asked %v", s, err, h.asked("GET"))
	}
}

// Revisions of all kinds, and the older weights with the hint.
func TestPullRevisions(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	old := without(content(2), "model.safetensors", "generation_config.json", "vocab.txt")
	old["pytorch_model.bin"] = []byte("a pickle")
	h.commit("refs/pr/1", second, old)
	for revision, want := range map[string]map[string][]byte{"refs/pr/1": old, second: old, first: content(1), "main": content(1)} {
		cache := t.TempDir()
		c, _ := h.client(cache)
		s, err := c.Pull(t.Context(), Ref{"microsoft", "git-tiny", revision})
		must(t, err)
		whole(t, s, want)
		_, err = os.Stat(filepath.Join(cache, "models--microsoft--git-tiny", "refs", revision))
		if named := err == nil; named != (len(revision) != 40) {
			t.Errorf("%s: the ref: %v", revision, err)
		}
		if dir, err := Resolve("git-tiny@"+revision, Roots{Cache: cache}); err != nil || dir != s.Dir {
			t.Errorf("%s: resolved to %s, %v", revision, dir, err)
		}
	}
	if len(h.asked("HEAD /microsoft/git-tiny/resolve/refs%2Fpr%2F1/config.json")) == 0 {
		t.Errorf("asked %v", h.asked("HEAD"))
	}
	p := &pull{Client: &Client{}, ref: Ref{"microsoft", "git-base-coco", "main"}, files: []*file{{name: torch}}}
	if hint := p.snapshot().Hint; !strings.Contains(hint, "captiond model pull microsoft/git-base-coco --revision refs/pr/1") {
		t.Errorf("the hint is %q", hint)
	}
}

// A damaged content is thrown away and fetched once more, and no more than once.
func TestPullCorrupt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil int // answers that are damaged
		want  string
	}{"once": {1, ""}, "always": {99, "twice in a row"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFakeHub(t)
			h.onCDN = func(w http.ResponseWriter, _ *http.Request) bool {
				if tt.spoil--; tt.spoil < 0 {
					return false
				}
				data := bytes.Clone(content(1)[safetensors])
				data[4711]++
				_, _ = w.Write(data)
				return true
			}
			cache := t.TempDir()
			c, _ := h.client(cache)
			s, err := c.Pull(t.Context(), tinyRef)
			if tt.want == "" {
				must(t, err)
				whole(t, s, content(1))
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), safetensors) {
				t.Errorf("got %v", err)
			}
			if l := left(t, cache); strings.Contains(l, sha256Hex(content(1)[safetensors])) || strings.Contains(l, "refs") || strings.Contains(l, "snapshots") {
				t.Errorf("left: %s", l)
			}
			if n := len(h.asked("GET /" + first)); n != 2 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// The small files are checked by git's hash, and what a cache held by the hub's: a blob
// that was damaged on the disk, and a part that was.
func TestPullRepairs(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	cache := t.TempDir()
	c, _ := h.client(cache)
	s, err := c.Pull(t.Context(), tinyRef)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(s.Dir, "config.json"), []byte(`{"seed": 7}`), 0o600))
	weights := filepath.Join(cache, tinyRef.folder(), "blobs", sha256Hex(content(1)[safetensors]))
	must(t, os.Remove(weights))
	must(t, os.WriteFile(weights+".incomplete", bytes.Repeat([]byte{0}, 1000), 0o600))
	s, err = c.Pull(t.Context(), tinyRef)
	must(t, err)
	whole(t, s, content(1))
	times := 0
	h.onAPI = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "config.json") {
			return false
		}
		times++
		_, _ = w.Write([]byte(`{"seed": 9}`))
		return true
	}
	must(t, os.Remove(filepath.Join(cache, tinyRef.folder(), "blobs", gitSHA1(content(1)["config.json"]))))
	if _, err = c.Pull(t.Context(), tinyRef); err == nil || !strings.Contains(err.Error(), "twice in a row") || times != 2 {
		t.Errorf("got %v after %d times", err, times)
	}
}

// The branch moved between two runs: the old part is of another content, and not gone on from.
func TestPullMovedBetweenRuns(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	cache := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, _ := h.client(cache)
	c.Progress = func(p Progress) {
		if p.File == safetensors && p.Done > 300000 {
			cancel()
		}
	}
	if _, err := c.Pull(ctx, tinyRef); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	h.commit("main", second, content(2))
	c, _ = h.client(cache)
	s, err := c.Pull(t.Context(), tinyRef)
	must(t, err)
	whole(t, s, content(2))
	if s.Commit != second {
		t.Errorf("the commit is %s", s.Commit)
	}
}

// The branch moves while it is pulled: all files are of the first answer's commit.
func TestPullMovedMeanwhile(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	h.onAPI = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "preprocessor_config.json") {
			h.commit("main", second, content(2))
		}
		return false
	}
	c, _ := h.client(t.TempDir())
	s, err := c.Pull(t.Context(), tinyRef)
	must(t, err)
	whole(t, s, content(1))
}

// Two pulls at once, each with a client of its own: every byte comes once.
func TestPullTwiceAtOnce(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	cache := t.TempDir()
	var wg sync.WaitGroup
	var sum int64
	var mu sync.Mutex
	for range 4 {
		c, _ := h.client(cache)
		wg.Go(func() {
			s, err := c.Pull(t.Context(), tinyRef)
			if err != nil {
				t.Error(err)
				return
			}
			whole(t, s, content(1))
			mu.Lock()
			defer mu.Unlock()
			sum += s.Downloaded
		})
	}
	wg.Wait()
	if sum != size(content(1)) {
		t.Errorf("%d bytes came, there are %d", sum, size(content(1)))
	}
}

// What a cache holds is enough offline, and no address is asked.
func TestPullOffline(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	cache := t.TempDir()
	online, _ := h.client(cache)
	_, err := online.Pull(t.Context(), tinyRef)
	must(t, err)
	h.reset()
	for _, variable := range []string{"HF_HUB_OFFLINE=1", "TRANSFORMERS_OFFLINE=yes", "HF_HUB_OFFLINE=ON"} {
		c, _ := h.client(cache, variable)
		s, err := c.Pull(t.Context(), tinyRef)
		must(t, err)
		whole(t, s, content(1))
		if s.Weights != safetensors || s.Downloaded != 0 || s.Commit != first {
			t.Errorf("%s: got %+v", variable, s)
		}
		if _, err = c.Pull(t.Context(), Ref{"microsoft", "git-other", "main"}); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "HF_HUB_OFFLINE") {
			t.Errorf("got %v", err)
		}
		if _, err = c.Pull(t.Context(), Ref{"microsoft", "git-tiny", "refs/pr/1"}); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "HF_HUB_OFFLINE") {
			t.Errorf("got %v", err)
		}
	}
	must(t, os.Remove(filepath.Join(cache, tinyRef.folder(), "snapshots", first, safetensors)))
	c, _ := h.client(cache, "HF_HUB_OFFLINE=true")
	if _, err = c.Pull(t.Context(), tinyRef); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "lacks model.safetensors or pytorch_model.bin") {
		t.Errorf("got %v", err)
	}
	if asked := h.asked(""); len(asked) != 0 {
		t.Errorf("offline it asked %v", asked)
	}
}

// A cache that Python's library filled is used as it is, also one that was copied and has
// files where links were.
func TestPullKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	cache := t.TempDir()
	snapshot := filepath.Join(cache, tinyRef.folder(), "snapshots", first)
	must(t, os.MkdirAll(snapshot, 0o700))
	for name, data := range without(content(1), "README.md") {
		must(t, os.WriteFile(filepath.Join(snapshot, name), data, 0o600))
	}
	c, _ := h.client(cache)
	s, err := c.Pull(t.Context(), tinyRef)
	must(t, err)
	if s.Downloaded != 0 || s.Dir != snapshot {
		t.Errorf("got %+v", s)
	}
	if info, err := os.Lstat(filepath.Join(snapshot, safetensors)); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the file became %v, %v", info.Mode(), err)
	}
}

// A hub that states no size, and one whose tag is no hash.
func TestPullPlainServer(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	h.onAPI = func(w http.ResponseWriter, r *http.Request) bool {
		m := resolvePath.FindStringSubmatch(r.URL.EscapedPath())
		data, ok := content(1)[m[2]]
		if !ok {
			return false
		}
		w.Header().Set("X-Repo-Commit", first)
		w.Header().Set("Etag", `"`+strings.Map(func(r rune) rune { return map[bool]rune{true: '-', false: r}[r == '.'] }, m[2])+`"`)
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			_, _ = io.Copy(w, bytes.NewReader(data))
			return true
		}
		_ = http.NewResponseController(w).Flush()
		return true
	}
	c, _ := h.client(t.TempDir())
	s, err := c.Pull(t.Context(), tinyRef)
	must(t, err)
	for name, data := range without(content(1), "README.md") {
		if got, err := os.ReadFile(filepath.Join(s.Dir, name)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}
