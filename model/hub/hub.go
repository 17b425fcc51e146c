// Package hub turns the name of a model into the folder that its checkpoint lies in: a
// folder, a name that was imported into captiond's own registry, or a Hugging Face Hub
// name, looked up in the Hub's cache as it lies on disk. Client downloads into that cache,
// and RemoveSnapshot takes out of it. It also holds the published figures of the public
// checkpoints.
//
// Only Client.Pull reads the network; the package does not own what is in the folder
// (model/checkpoint). What a hub says is believed as far as it can be checked: sizes and
// hashes, names that stay inside the cache, one commit for all files.
//
// Everything may be used concurrently, and beside other processes: what is changed in the
// cache is locked as huggingface_hub locks it. Two processes that import the same name at
// once leave one of the two whole.
package hub

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

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
	ref, err := ParseRef(name, "")
	if err == nil && r.Cache != "" {
		dir, err := ref.find(r.Cache)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return dir, err
		}
		looked = append(looked, filepath.Join(r.Cache, ref.folder()))
	}
	return "", fmt.Errorf("resolve model %s: %w; looked for %s: name a folder that holds a checkpoint, import one with `captiond model import`%s",
		name, ErrNotFound, strings.Join(looked, ", "), offer(name))
}

// offer suggests a download where a name is one of the Hub's: it has an owner, or is that
// of a public checkpoint.
func offer(name string) string {
	ref, err := ParseRef(name, "")
	if _, public := Figure(name); err != nil || !public && !strings.Contains(name, "/") {
		return ", or download one with `captiond model pull`"
	}
	return ", or download it with `" + ref.command() + "`"
}

// Ref is a model on the Hub at one revision: a branch, a tag, refs/pr/N or a commit.
type Ref struct{ Owner, Name, Revision string }

var (
	part     = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,96}$`)
	revision = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`)
	commit   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// validName says whether a string can name a file in a folder and nothing outside it.
func validName(s string) bool {
	return part.MatchString(s) && !strings.Contains(s, "..") && s != "."
}

// ParseRef reads [OWNER/]NAME[@REVISION]. The owner is microsoft and the revision main
// where none is given; a revision of its own, where it is not "", is that after the @.
func ParseRef(s, own string) (Ref, error) {
	path, rev, pinned := strings.Cut(s, "@")
	if !pinned {
		rev = cmp.Or(own, "main")
	}
	owner, name, both := strings.Cut(path, "/")
	if !both {
		owner, name = "microsoft", path
	}
	ok := validName(owner) && validName(name) && len(rev) < 256 && revision.MatchString(rev)
	for step := range strings.SplitSeq(rev, "/") {
		ok = ok && !strings.HasPrefix(step, ".") && !strings.Contains(step, "..")
	}
	if !ok || pinned && own != "" && own != rev {
		return Ref{}, fmt.Errorf("%.200q with the revision %.200q is no model of the Hub: give OWNER/NAME, such as microsoft/git-base-vatex, and a branch, a tag, refs/pr/N or a commit", s, cmp.Or(own, rev))
	}
	return Ref{owner, name, rev}, nil
}

// Repo is OWNER/NAME.
func (r Ref) Repo() string { return r.Owner + "/" + r.Name }

// String is OWNER/NAME@REVISION, without the revision where it is main.
func (r Ref) String() string {
	if r.Revision == "main" {
		return r.Repo()
	}
	return r.Repo() + "@" + r.Revision
}

func (r Ref) folder() string { return "models--" + r.Owner + "--" + r.Name }

// command is what downloads it.
func (r Ref) command() string {
	if r.Revision == "main" {
		return "captiond model pull " + r.Repo()
	}
	return "captiond model pull " + r.Repo() + " --revision " + r.Revision
}

// find looks a model up in the cache: refs/REVISION holds the commit whose files lie, as
// symlinks into blobs, in snapshots/COMMIT.
func (r Ref) find(cache string) (string, error) {
	repo := filepath.Join(cache, r.folder())
	if _, err := os.Stat(repo); err != nil {
		return "", err
	}
	id := r.Revision
	data, err := os.ReadFile(filepath.Join(repo, "refs", filepath.FromSlash(r.Revision)))
	switch {
	case err == nil:
		id = strings.TrimSpace(string(data))
	case !commit.MatchString(id):
		return "", fmt.Errorf("resolve model %s: %w: its revision is not in the cache %s, which has %s: name one of them after an @, or download it with `%s`",
			r, ErrNotFound, repo, revisions(repo), r.command())
	}
	if !commit.MatchString(id) {
		return "", fmt.Errorf("resolve model %s: the cache's ref %s is damaged: download the model again with `%s`", r, r.Revision, r.command())
	}
	dir := filepath.Join(repo, "snapshots", id)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", fmt.Errorf("resolve model %s: %w: its snapshot %s is not in the cache: download the model again with `%s`",
			r, ErrNotFound, dir, r.command())
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
