package hub

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/captiond/captiond/model/checkpoint"
)

const (
	first  = "0123456789abcdef0123456789abcdef01234567"
	second = "fedcba9876543210fedcba9876543210fedcba98"
)

// cache makes a Hub cache as huggingface_hub lays it out: git-base-coco with main and
// refs/pr/1, whose files are symlinks into blobs.
func cache(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	repo := filepath.Join(root, "models--microsoft--git-base-coco")
	must(t, os.MkdirAll(filepath.Join(repo, "blobs"), 0o700))
	must(t, os.MkdirAll(filepath.Join(repo, "refs", "refs", "pr"), 0o700))
	must(t, os.WriteFile(filepath.Join(repo, "refs", "main"), []byte(first), 0o600))
	must(t, os.WriteFile(filepath.Join(repo, "refs", "refs", "pr", "1"), []byte(second), 0o600))
	must(t, os.WriteFile(filepath.Join(repo, "refs", "damaged"), []byte("../../.."), 0o600))
	must(t, os.WriteFile(filepath.Join(repo, "refs", "gone"), []byte(strings.Repeat("0", 40)), 0o600))
	for _, id := range []string{first, second} {
		snapshot := filepath.Join(repo, "snapshots", id)
		must(t, os.MkdirAll(snapshot, 0o700))
		for name, data := range files(t) {
			must(t, os.WriteFile(filepath.Join(repo, "blobs", name), data, 0o600))
			must(t, os.Symlink(filepath.Join("..", "..", "blobs", name), filepath.Join(snapshot, name)))
		}
	}
	return root
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// files are those of a small checkpoint that transformers wrote.
func files(t *testing.T) map[string][]byte {
	t.Helper()
	const folder = "../checkpoint/testdata/safetensors"
	listed, err := os.ReadDir(folder)
	must(t, err)
	out := map[string][]byte{}
	for _, f := range listed {
		out[f.Name()], err = os.ReadFile(filepath.Join(folder, f.Name()))
		must(t, err)
	}
	return out
}

// model writes a checkpoint into a folder of its own.
func model(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files(t) {
		must(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	return dir
}

func TestResolveInCache(t *testing.T) {
	t.Parallel()
	root := cache(t)
	for name, id := range map[string]string{
		"microsoft/git-base-coco":             first,
		"git-base-coco":                       first,
		"microsoft/git-base-coco@main":        first,
		"microsoft/git-base-coco@refs/pr/1":   second,
		"git-base-coco@refs/pr/1":             second,
		"microsoft/git-base-coco@" + second:   second,
		"microsoft/git-base-coco@gone":        "download the model again",
		"microsoft/git-base-coco@damaged":     "damaged",
		"microsoft/git-base-coco@refs/pr/2":   "which has @" + first + ", @damaged, @" + second + ", @gone, @main, @refs/pr/1",
		"microsoft/git-base":                  filepath.Join(root, "models--microsoft--git-base"),
		"microsoft/git-base-coco@../../x":     "not found",
		"microsoft/../git-base-coco":          "not found",
		"../models--microsoft--git-base-coco": "not found",
		"a/b/c":                               "not found",
		"":                                    "not found",
		"@main":                               "not found",
	} {
		dir, err := Resolve(name, Roots{Cache: root})
		if len(id) == 40 {
			if want := filepath.Join(root, "models--microsoft--git-base-coco", "snapshots", id); err != nil || dir != want {
				t.Errorf("%q: got %s, %v", name, dir, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), id) {
			t.Errorf("%q: got %s, %v, want %q", name, dir, err, id)
		}
	}
}

// A cache is loaded as it is: the weights' path is that of the blob.
func TestLoadFromCache(t *testing.T) {
	t.Parallel()
	root := cache(t)
	dir, err := Resolve("git-base-coco", Roots{Cache: root})
	must(t, err)
	c, err := checkpoint.Load(dir)
	must(t, err)
	if filepath.Base(filepath.Dir(c.Weights.Path)) != "blobs" {
		t.Errorf("weights at %s", c.Weights.Path)
	}
}

func TestResolveFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	got, err := Resolve(dir, Roots{})
	if err != nil || got != dir {
		t.Errorf("got %s, %v", got, err)
	}
	_, err = Resolve(filepath.Join(dir, "absent"), Roots{})
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "captiond model import") {
		t.Errorf("got %v", err)
	}
}

func TestDefaultRoots(t *testing.T) {
	t.Parallel()
	all := []string{"HOME=/h", "XDG_CACHE_HOME=/xdg", "HF_HOME=~/hf", "HUGGINGFACE_HUB_CACHE=/old", "HF_HUB_CACHE=/new"}
	for n, want := range []string{"", "/h/.cache/huggingface/hub", "/xdg/huggingface/hub", "/h/hf/hub", "/old", "/new"} {
		env := map[string]string{}
		for _, pair := range all[:n] {
			key, value, _ := strings.Cut(pair, "=")
			env[key] = value
		}
		got := DefaultRoots(func(key string) string { return env[key] }, "/state")
		if got.Cache != want || got.Models != "/state/models" {
			t.Errorf("%v: got %+v, want %s", all[:n], got, want)
		}
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := model(t)
	r := &Registry{Dir: filepath.Join(t.TempDir(), "models")}
	if list, err := r.List(); err != nil || len(list) != 0 {
		t.Errorf("got %v, %v", list, err)
	}
	for _, name := range []string{"door", "a.b_c-1"} {
		e, err := r.Import(ctx, name, dir, nil)
		if err != nil || e.Folder != dir || len(e.Digest) != 12 || len(e.Files) != 5 {
			t.Fatalf("got %+v, %v", e, err)
		}
		must(t, r.Verify(ctx, name))
	}
	list, err := r.List()
	if err != nil || len(list) != 2 || list[0].Name != "a.b_c-1" || list[1].Name != "door" {
		t.Errorf("got %v, %v", list, err)
	}
	got, err := Resolve("door", Roots{Models: r.Dir})
	if err != nil || got != dir {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := r.Import(ctx, "door", dir, nil); err == nil || !strings.Contains(err.Error(), "captiond model remove door") {
		t.Errorf("got %v", err)
	}
	must(t, r.Remove("door"))
	if err := r.Remove("door"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(r.Dir); err != nil || len(left) != 1 {
		t.Errorf("files left: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "config.json")); err != nil {
		t.Error("Remove took the checkpoint")
	}
}

func TestRegistryRefuses(t *testing.T) {
	t.Parallel()
	r := &Registry{Dir: t.TempDir()}
	for _, name := range []string{"", ".", "..", "a/b", "a..b", "ä", "a b", strings.Repeat("a", 97)} {
		if _, err := r.Import(context.Background(), name, model(t), nil); err == nil || !strings.Contains(err.Error(), "a name is made of") {
			t.Errorf("%q: got %v", name, err)
		}
		if _, err := r.Get(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: got %v", name, err)
		}
		if err := r.Remove(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: got %v", name, err)
		}
	}
	if _, err := r.Import(context.Background(), "empty", t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "no config.json") {
		t.Errorf("got %v", err)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.Import(cancelled, "late", model(t), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(r.Dir); len(left) != 0 {
		t.Errorf("files left: %v", left)
	}
}

// A download may have a name that is free or that of the same repository, and nothing else.
func TestRegistryFree(t *testing.T) {
	t.Parallel()
	root := cache(t)
	coco, err := Resolve("git-base-coco", Roots{Cache: root})
	must(t, err)
	r := &Registry{Dir: t.TempDir()}
	for name, dir := range map[string]string{"coco": coco, "own": model(t)} {
		_, err := r.Import(t.Context(), name, dir, nil)
		must(t, err)
	}
	for name, want := range map[string]string{
		"new": "", "coco": "", "own": "captiond model remove own", "../x": "a name is made of", "": "a name is made of",
	} {
		err := r.Free(name, "microsoft/git-base-coco")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", name, err)
		}
	}
	if err := r.Free("coco", "microsoft/git-base"); err == nil {
		t.Error("the name of another repository is free")
	}
	e, err := r.Replace(t.Context(), "coco", model(t), nil)
	if now, _ := r.Get("coco"); err != nil || now.Folder != e.Folder || e.Folder == coco {
		t.Errorf("replaced by %+v, %v", e, err)
	}
}

func TestDamagedEntry(t *testing.T) {
	t.Parallel()
	r := &Registry{Dir: t.TempDir()}
	if _, err := r.Import(context.Background(), "good", model(t), nil); err != nil {
		t.Fatal(err)
	}
	must(t, os.WriteFile(filepath.Join(r.Dir, "bad.json"), []byte(`{"name":"other"}`), 0o600))
	list, err := r.List()
	if len(list) != 1 || err == nil || !strings.Contains(err.Error(), "import the model again") {
		t.Errorf("got %v, %v", list, err)
	}
	if _, err := Resolve("bad", Roots{Models: r.Dir}); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// Verify names every file that is not what it was.
func TestVerify(t *testing.T) {
	t.Parallel()
	dir := model(t)
	r := &Registry{Dir: t.TempDir()}
	if _, err := r.Import(context.Background(), "m", dir, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.safetensors")
	data, err := os.ReadFile(path)
	must(t, err)
	data[len(data)/2]++
	must(t, os.WriteFile(path, data, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "vocab.txt"), nil, 0o600))
	must(t, os.Remove(filepath.Join(dir, "generation_config.json")))
	must(t, os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte("{}"), 0o600))
	err = r.Verify(context.Background(), "m")
	for _, part := range []string{"model.safetensors has SHA-256", "vocab.txt has 0 bytes", "generation_config.json is gone", "tokenizer.json was not there"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v lacks %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "preprocessor_config.json") {
		t.Errorf("%v names a file that is the same", err)
	}
	if err := r.Verify(context.Background(), "other"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	var models []string
	videos := 0
	for _, f := range Figures() {
		models = append(models, f.Model)
		if f.Video {
			videos++
		}
	}
	slices.Sort(models)
	if len(slices.Compact(models)) != 17 || videos != 4 {
		t.Errorf("%d models, %d of them video", len(models), videos)
	}
	for _, name := range []string{"git-base-coco", "microsoft/git-base-coco@refs/pr/1"} {
		if f, ok := Figure(name); !ok || f.Logits != [3]float32{-0.9925, -0.9930, -0.9935} {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if _, ok := Figure("someone/git-base-coco"); ok {
		t.Error("a figure for another owner's model")
	}
}
