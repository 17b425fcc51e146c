package hub

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A snapshot goes with what is its own alone; the other stays whole. The last takes the
// repository with it.
func TestRemoveSnapshot(t *testing.T) {
	t.Parallel()
	h := newFakeHub(t)
	other := content(2)
	other["tokenizer.json"] = content(1)["tokenizer.json"]
	h.commit("refs/pr/1", second, other)
	root := t.TempDir()
	c, _ := h.client(root)
	one, err := c.Pull(t.Context(), tinyRef)
	must(t, err)
	two, err := c.Pull(t.Context(), Ref{"microsoft", "git-tiny", "refs/pr/1"})
	must(t, err)
	stale := filepath.Join(root, tinyRef.folder(), "blobs", strings.Repeat("c", 64)+".incomplete")
	must(t, os.WriteFile(stale, []byte("part"), 0o600))

	must(t, RemoveSnapshot(one.Dir))
	whole(t, two, other)
	l := left(t, root)
	if strings.Contains(l, sha256Hex(content(1)[safetensors])) || strings.Contains(l, first) || strings.Contains(l, "refs/main") || strings.Contains(l, "incomplete") {
		t.Errorf("left: %s", l)
	}
	if !strings.Contains(l, "refs/refs/pr/1") {
		t.Errorf("the other ref is gone: %s", l)
	}
	must(t, RemoveSnapshot(one.Dir)) // it is gone already
	must(t, RemoveSnapshot(two.Dir))
	if _, err := os.Stat(filepath.Join(root, tinyRef.folder())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left: %s", left(t, root))
	}
	must(t, RemoveSnapshot(two.Dir))
}

func TestRemoveSnapshotRefuses(t *testing.T) {
	t.Parallel()
	own := model(t)
	for _, folder := range []string{own, filepath.Join(own, "snapshots", first), "/", "snapshots/" + first, ""} {
		if err := RemoveSnapshot(folder); err == nil || !strings.Contains(err.Error(), "delete the folder yourself") {
			t.Errorf("%q: got %v", folder, err)
		}
	}
	if _, err := os.Stat(filepath.Join(own, "config.json")); err != nil {
		t.Error(err)
	}
	root := cache(t)
	repo := filepath.Join(root, "models--microsoft--git-base-coco")
	unlock, err := tryLock(lockFile(root, repo, wholeRepo), shared)
	must(t, err)
	if err := RemoveSnapshot(filepath.Join(repo, "snapshots", first)); !errors.Is(err, errBusy) {
		t.Errorf("while it is downloaded: %v", err)
	}
	unlock()
	if name, ok := RepoOf(filepath.Join(repo, "snapshots", first)); !ok || name != "microsoft/git-base-coco" {
		t.Errorf("got %s, %v", name, ok)
	}
	must(t, RemoveSnapshot(filepath.Join(repo, "snapshots", first)))
	if _, err := Resolve("git-base-coco@refs/pr/1", Roots{Cache: root}); err != nil {
		t.Error(err)
	}
}
