package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Connections are cut at random places: what came is not asked for again.
func TestPullCutAnywhere(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	random := rand.New(rand.NewPCG(7, 7))
	var mu sync.Mutex
	cuts := 20
	h.onCDN = func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		n := 1 + random.Int64N(1<<20/20)
		cuts--
		again := cuts >= 0
		mu.Unlock()
		if again {
			h.cut(w, r, n)
		}
		return false
	}
	c, w := h.client(t.TempDir())
	s, err := c.Pull(t.Context(), tinyRef)
	must(t, err)
	whole(t, s, content(1))
	if s.Downloaded != size(content(1)) {
		t.Errorf("%d bytes were downloaded, there are %d", s.Downloaded, size(content(1)))
	}
	if len(w.list) != 20 || len(h.asked("GET /"+first)) != 21 {
		t.Errorf("waited %v, asked %d times", w.list, len(h.asked("GET /"+first)))
	}
}

// A pull that is ended goes on in the next one, byte for byte.
func TestPullInterrupted(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	cache := t.TempDir()
	total, small := size(content(1)), size(without(content(1), safetensors))
	var before int64
	for run := range int64(4) {
		// The server falls silent after 100,000 bytes more, and there the client is ended.
		end := int64(100000) * (run + 1)
		h.onCDN = func(w http.ResponseWriter, r *http.Request) bool {
			h.content(&silent{w, r, end - before}, r)
			return true
		}
		ctx, cancel := context.WithCancel(t.Context())
		c, _ := h.client(cache)
		start := int64(-1)
		c.Progress = func(p Progress) {
			if p.File == safetensors && start < 0 {
				start = p.Done
			}
			if p.Done == small+end {
				cancel()
			}
		}
		_, err := c.Pull(ctx, tinyRef)
		cancel()
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the same command goes on") {
			t.Fatalf("got %v", err)
		}
		if start <= small+before {
			t.Errorf("run %d began at %d, there were %d", run, start-small, before)
		}
		before = end
		if strings.Contains(left(t, cache), "refs") || !strings.Contains(left(t, cache), sha256Hex(content(1)[safetensors])+".incomplete") {
			t.Errorf("left: %s", left(t, cache))
		}
	}
	h.onCDN = nil
	before += small
	h.reset()
	c, _ := h.client(cache)
	s, err := c.Pull(t.Context(), tinyRef)
	must(t, err)
	whole(t, s, content(1))
	if s.Downloaded != total-before {
		t.Errorf("%d bytes came, %d were missing", s.Downloaded, total-before)
	}
	want := fmt.Sprintf("GET /%s/model.safetensors bytes=%d-", first, int64(len(content(1)[safetensors]))-s.Downloaded)
	if got := h.asked("GET /" + first); len(got) != 1 || got[0] != want {
		t.Errorf("asked %v, want %s", got, want)
	}
	if strings.Contains(left(t, cache), "incomplete") {
		t.Errorf("left: %s", left(t, cache))
	}
}

// silent writes so many bytes and then nothing.
type silent struct {
	http.ResponseWriter
	r    *http.Request
	left int64
}

func (s *silent) Write(b []byte) (int, error) {
	n, err := s.ResponseWriter.Write(b[:min(int64(len(b)), s.left)])
	if s.left -= int64(n); s.left == 0 && err == nil {
		_ = http.NewResponseController(s.ResponseWriter).Flush()
		<-s.r.Context().Done()
		err = s.r.Context().Err()
	}
	return n, err
}

// The ways in which a server can fail to go on: every one ends with the right file.
func TestPullServersThatCannotGoOn(t *testing.T) {
	t.Parallel()
	data := content(1)[safetensors]
	n := len(data)
	for name, later := range map[string]func(w http.ResponseWriter, r *http.Request){
		"the whole file again": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) },
		"no such part":         func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestedRangeNotSatisfiable) },
		"another part": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 5-%d/%d", n-1, n))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(data[5:])
		},
		"a part of something": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes some")
			w.WriteHeader(http.StatusPartialContent)
		},
		"too much": func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush() // so that no length is stated
			_, _ = w.Write(append(bytes.Clone(data), "more"...))
		},
		"another length":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data[:n-9]) },
		"a signature's end": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"bad gateway":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"a closed door":     func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFakeHub(t)
			times := 0
			h.onCDN = func(w http.ResponseWriter, r *http.Request) bool {
				switch times++; times {
				case 1:
					h.cut(w, r, 300000)
				case 2:
					later(w, r)
				default:
					return false
				}
				return true
			}
			c, _ := h.client(t.TempDir())
			s, err := c.Pull(t.Context(), tinyRef)
			must(t, err)
			whole(t, s, content(1))
		})
	}
}

// What a host said the content is goes back to that host, and to no other.
func TestPullIfRange(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	var seen []string
	h.onCDN = func(w http.ResponseWriter, r *http.Request) bool {
		seen = append(seen, r.Header.Get("If-Range"))
		if len(seen) < 3 {
			h.cut(w, r, 1000)
		}
		return false
	}
	cache := t.TempDir()
	blobs := filepath.Join(cache, tinyRef.folder(), "blobs")
	must(t, os.MkdirAll(blobs, 0o700))
	data := content(1)
	must(t, os.WriteFile(filepath.Join(blobs, sha256Hex(data[safetensors])+".incomplete"), data[safetensors][:77], 0o600))
	must(t, os.WriteFile(filepath.Join(blobs, gitSHA1(data["tokenizer.json"])+".incomplete"), data["tokenizer.json"][:77], 0o600))
	small := ""
	h.onAPI = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && r.Header.Get("Range") == "bytes=77-" && strings.HasSuffix(r.URL.Path, "tokenizer.json") {
			small = r.Header.Get("If-Range")
		}
		return false
	}
	c, _ := h.client(cache)
	s, err := c.Pull(t.Context(), tinyRef)
	must(t, err)
	whole(t, s, data)
	tag := `"part-` + sha256Hex(data[safetensors])[:8] + `-12"`
	if got := fmt.Sprint(seen); got != fmt.Sprint([]string{"", tag, tag}) {
		t.Errorf("If-Range was %s", got)
	}
	if small != `"`+gitSHA1(data["tokenizer.json"])+`"` {
		t.Errorf("If-Range at the hub itself was %s", small)
	}
	if want := size(data) - 154; s.Downloaded != want {
		t.Errorf("%d bytes came, want %d", s.Downloaded, want)
	}
}

// A server that says nothing more is left, and asked for the rest.
func TestPullStalled(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	stalls := 0
	h.onCDN = func(w http.ResponseWriter, r *http.Request) bool {
		if stalls++; stalls > 1 {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(h.weights(r))))
		_, _ = w.Write(h.weights(r)[:1000])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return true
	}
	c, w := h.client(t.TempDir())
	c.bodyTimeout = 100 * time.Millisecond
	s, err := c.Pull(t.Context(), tinyRef)
	must(t, err)
	whole(t, s, content(1))
	if s.Downloaded != size(content(1)) || len(w.list) != 1 {
		t.Errorf("%d bytes, waited %v", s.Downloaded, w.list)
	}
}
