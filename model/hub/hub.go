// Package hub turns the name of a model into the folder that its checkpoint lies in: a
// folder, a name that was imported into captiond's own registry, or a Hugging Face Hub
// name, looked up in the Hub's cache as it lies on disk. It also holds the published
// figures of the public checkpoints.
//
// It reads no network; it does not own what is in the folder (model/checkpoint).
//
// Everything may be used concurrently. Two processes that import the same name at once
// leave one of the two whole.
package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Roots are the folders in which names are looked up; "" is none.
type Roots struct {
	Cache  string // the Hub's cache, in which models--owner--name lies
	Models string // the registry: the folder models of captiond's state folder
}

// DefaultRoots finds the Hub's cache as huggingface_hub does (constants.py): HF_HUB_CACHE,
// HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub and
// ~/.cache/huggingface/hub, the first that is set. state is captiond's state folder, or
// "". Getenv is os.Getenv outside tests.
func DefaultRoots(getenv func(string) string, state string) Roots {
	var r Roots
	if state != "" {
		r.Models = filepath.Join(state, "models")
	}
	home := func(path string) string {
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			return filepath.Join(getenv("HOME"), rest)
		}
		return path
	}
	switch {
	case getenv("HF_HUB_CACHE") != "":
		r.Cache = home(getenv("HF_HUB_CACHE"))
	case getenv("HUGGINGFACE_HUB_CACHE") != "":
		r.Cache = home(getenv("HUGGINGFACE_HUB_CACHE"))
	case getenv("HF_HOME") != "":
		r.Cache = filepath.Join(home(getenv("HF_HOME")), "hub")
	case getenv("XDG_CACHE_HOME") != "":
		r.Cache = filepath.Join(home(getenv("XDG_CACHE_HOME")), "huggingface", "hub")
	case getenv("HOME") != "":
		r.Cache = filepath.Join(getenv("HOME"), ".cache", "huggingface", "hub")
	}
	return r
}

// ErrNotFound is in every error that says that a name leads nowhere.
var ErrNotFound = errors.New("model not found")

// Resolve returns the folder that a name stands for: an existing folder; an imported
// name; owner/name[@revision] in the Hub's cache, revision being a branch, a tag, refs/pr/N
// or a commit and main when absent. Without an owner it is microsoft's. The error lists
// where it looked.
func Resolve(name string, r Roots) (string, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return name, nil
	}
	looked := []string{"the folder " + name}
	if r.Models != "" && validName(name) {
		entry, err := (&Registry{Dir: r.Models}).Get(name)
		if err == nil {
			return entry.Folder, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return "", err
		}
		looked = append(looked, "imported models in "+r.Models)
	}
	ref, ok := parseRef(name)
	if ok && r.Cache != "" {
		dir, err := ref.find(r.Cache)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return dir, err
		}
		looked = append(looked, filepath.Join(r.Cache, ref.folder()))
	}
	return "", fmt.Errorf("resolve model %s: %w; looked for %s: name a folder that holds a checkpoint, or import one with `captiond model import`",
		name, ErrNotFound, strings.Join(looked, ", "))
}

// ref is a model on the Hub.
type ref struct{ owner, name, revision string }

var (
	part     = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,96}$`)
	revision = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`)
	commit   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// validName says whether a string can name a file in a folder and nothing outside it.
func validName(s string) bool {
	return part.MatchString(s) && !strings.Contains(s, "..") && s != "."
}

func parseRef(s string) (ref, bool) {
	path, rev, pinned := strings.Cut(s, "@")
	if !pinned {
		rev = "main"
	}
	owner, name, both := strings.Cut(path, "/")
	if !both {
		owner, name = "microsoft", path
	}
	ok := validName(owner) && validName(name) && len(rev) < 256 && revision.MatchString(rev)
	for step := range strings.SplitSeq(rev, "/") {
		ok = ok && step != "." && !strings.Contains(step, "..")
	}
	return ref{owner, name, rev}, ok
}

func (r ref) folder() string { return "models--" + r.owner + "--" + r.name }

// find looks a model up in the cache: refs/REVISION holds the commit whose files lie, as
// symlinks into blobs, in snapshots/COMMIT.
func (r ref) find(cache string) (string, error) {
	repo := filepath.Join(cache, r.folder())
	if _, err := os.Stat(repo); err != nil {
		return "", err
	}
	id := r.revision
	data, err := os.ReadFile(filepath.Join(repo, "refs", filepath.FromSlash(r.revision)))
	switch {
	case err == nil:
		id = strings.TrimSpace(string(data))
	case !commit.MatchString(id):
		return "", fmt.Errorf("resolve model %s/%s: %w: revision %s is not in the cache %s, which has %s",
			r.owner, r.name, ErrNotFound, r.revision, repo, revisions(repo))
	}
	if !commit.MatchString(id) {
		return "", fmt.Errorf("resolve model %s/%s: the cache's ref %s is damaged: download the model again", r.owner, r.name, r.revision)
	}
	dir := filepath.Join(repo, "snapshots", id)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", fmt.Errorf("resolve model %s/%s: %w: its snapshot %s is not in the cache: download the model again",
			r.owner, r.name, ErrNotFound, dir)
	}
	return dir, nil
}

// revisions lists what can be asked for instead: refs, and commits.
func revisions(repo string) string {
	var found []string
	refs := filepath.Join(repo, "refs")
	_ = filepath.WalkDir(refs, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			name, _ := filepath.Rel(refs, path)
			found = append(found, "@"+filepath.ToSlash(name))
		}
		return nil // what cannot be read is not listed: this is only a hint
	})
	snapshots, _ := os.ReadDir(filepath.Join(repo, "snapshots"))
	for _, s := range snapshots {
		found = append(found, "@"+s.Name())
	}
	slices.Sort(found)
	if len(found) == 0 {
		return "none"
	}
	return strings.Join(found, ", ")
}
