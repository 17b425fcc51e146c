package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/captiond/captiond/model/checkpoint"
)

// Registry are the models that were imported under a name: one file Dir/NAME.json each.
// The checkpoints stay where they are.
type Registry struct{ Dir string }

// Entry is an imported model.
type Entry struct {
	Name     string    `json:"name"`
	Folder   string    `json:"folder"` // absolute
	Digest   string    `json:"digest"` // as checkpoint.Checkpoint's
	Imported time.Time `json:"imported"`
	Files    []Sum     `json:"files"`
	Golden   []int64   `json:"golden,omitempty"` // what the model said at its import, if it was asked
}

// A Trial runs a model once and returns the tokens that it says of a picture that never
// changes: said again later, they show that all is as it was.
type Trial func(*checkpoint.Checkpoint) ([]int64, error)

// Import checks the checkpoint in dir, hashes its files and records them under name. It
// refuses a name that is taken. It reads the whole checkpoint, which takes seconds; a
// cancelled context ends it. A trial that is not nil is made of it, and recorded.
func (r *Registry) Import(ctx context.Context, name, dir string, trial Trial) (Entry, error) {
	if _, err := r.Get(name); validName(name) && !errors.Is(err, ErrNotFound) {
		return Entry{}, fmt.Errorf("import model %s: the name is taken: choose another, or `captiond model remove %s` first", name, name)
	}
	return r.Replace(ctx, name, dir, trial)
}

// Replace imports as Import does, over what the name stood for before.
func (r *Registry) Replace(ctx context.Context, name, dir string, trial Trial) (Entry, error) {
	entry, err := examine(ctx, name, dir, trial)
	if err == nil {
		err = r.write(entry)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("import model %s: %w", name, err)
	}
	return entry, nil
}

// Free is an error unless a download of OWNER/NAME may have the name: nothing has it, or
// an earlier download of the same repository.
func (r *Registry) Free(name, repo string) error {
	if !validName(name) {
		return fmt.Errorf("name model %q: %w", name, errName)
	}
	e, err := r.Get(name)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if had, ok := RepoOf(e.Folder); !ok || had != repo {
		return fmt.Errorf("name model %s: the name is that of %s: choose another, or `captiond model remove %s` first", name, e.Folder, name)
	}
	return nil
}

// errName is that a name can be none.
var errName = errors.New("a name is made of letters, digits, '_', '-' and single '.', 96 at most")

func examine(ctx context.Context, name, dir string, trial Trial) (Entry, error) {
	if !validName(name) {
		return Entry{}, errName
	}
	folder, err := filepath.Abs(dir)
	if err != nil {
		return Entry{}, err
	}
	c, err := checkpoint.Load(folder)
	if err != nil {
		return Entry{}, err
	}
	files, err := sums(ctx, folder)
	if err != nil {
		return Entry{}, err
	}
	entry := Entry{Name: name, Folder: folder, Digest: c.Digest, Imported: time.Now().UTC().Truncate(time.Second), Files: files}
	if trial != nil {
		entry.Golden, err = trial(c)
	}
	return entry, err
}

func (r *Registry) write(e Entry) error {
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return err
	}
	return writeFile(r.path(e.Name), r.Dir, append(data, '\n'), 0o600)
}

// writeFile puts a file into place whole or not at all, by way of a temporary one in a
// folder of the same disk.
func writeFile(path, folder string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(folder, ".import-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(data)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (r *Registry) path(name string) string { return filepath.Join(r.Dir, name+".json") }

// Get returns an imported model; the error is ErrNotFound when there is none.
func (r *Registry) Get(name string) (Entry, error) {
	if !validName(name) {
		return Entry{}, fmt.Errorf("get model %q: %w", name, ErrNotFound)
	}
	data, err := os.ReadFile(r.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, fmt.Errorf("get model %s: %w: `captiond model list` shows what was imported", name, ErrNotFound)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("get model %s: %w", name, err)
	}
	var e Entry
	if err := json.Unmarshal(data, &e); err != nil || e.Name != name || !filepath.IsAbs(e.Folder) {
		return Entry{}, fmt.Errorf("get model %s: %s is damaged: remove it and import the model again", name, r.path(name))
	}
	return e, nil
}

// List returns all imported models in the order of their names, and an error for those
// that cannot be read.
func (r *Registry) List() ([]Entry, error) {
	files, err := os.ReadDir(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list models: %w", err)
	}
	var entries []Entry
	var errs []error
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".json")
		if !ok || !validName(name) {
			continue
		}
		e, err := r.Get(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		entries = append(entries, e)
	}
	return entries, errors.Join(errs...)
}

// Remove forgets an imported model. The checkpoint's files are left alone.
func (r *Registry) Remove(name string) error {
	if !validName(name) {
		return fmt.Errorf("remove model %q: %w", name, ErrNotFound)
	}
	err := os.Remove(r.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove model %s: %w: `captiond model list` shows what was imported", name, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("remove model %s: %w", name, err)
	}
	return nil
}

// Verify hashes all files of an imported model and compares them with what Import
// recorded. The error lists every file that was changed, removed or added.
func (r *Registry) Verify(ctx context.Context, name string) error {
	e, err := r.Get(name)
	if err != nil {
		return err
	}
	now, err := sums(ctx, e.Folder)
	if err == nil {
		err = compare(e.Files, now)
	}
	if err != nil {
		return fmt.Errorf("verify model %s in %s: %w", name, e.Folder, err)
	}
	return nil
}
