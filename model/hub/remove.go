package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// RepoOf is OWNER/NAME of a folder that is a snapshot in a Hub's cache.
func RepoOf(folder string) (string, bool) {
	repo, ok := repoOf(folder)
	if !ok {
		return "", false
	}
	_, name, _ := strings.Cut(filepath.Base(repo), "--")
	return strings.Replace(name, "--", "/", 1), true
}

// repoOf is the repository's folder of a snapshot's.
func repoOf(folder string) (string, bool) {
	repo := filepath.Dir(filepath.Dir(folder))
	ok := commit.MatchString(filepath.Base(folder)) && filepath.Base(filepath.Dir(folder)) == "snapshots" &&
		strings.HasPrefix(filepath.Base(repo), "models--")
	return repo, ok
}

// RemoveSnapshot deletes a snapshot of the Hub's cache, the refs that name it, and the
// blobs and the left-overs of downloads that no other snapshot of the repository uses. It
// refuses a folder that is no snapshot, and one that is being downloaded. What is gone
// already is no error.
func RemoveSnapshot(folder string) error {
	repo, ok := repoOf(folder)
	if !ok {
		return fmt.Errorf("remove files of %s: they are no download: delete the folder yourself, if it is yours to delete", folder)
	}
	if _, err := os.Stat(repo); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := tryLock(lockFile(filepath.Dir(repo), repo, wholeRepo), exclusive)
	if err == nil {
		err = removeSnapshot(repo, filepath.Base(folder))
		unlock()
	}
	if err != nil {
		return fmt.Errorf("remove files of %s: %w", folder, err)
	}
	return nil
}

// removeSnapshot goes from the outside inwards: what is named last is there to the last.
func removeSnapshot(repo, id string) error {
	if err := removeRefs(filepath.Join(repo, "refs"), id); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(repo, "snapshots", id)); err != nil {
		return err
	}
	used, err := blobsInUse(repo)
	if err != nil {
		return err
	}
	if err := removeBlobs(repo, used); err != nil {
		return err
	}
	others, err := os.ReadDir(filepath.Join(repo, "snapshots"))
	if err != nil || len(others) > 0 {
		return absentIsFine(err)
	}
	return os.RemoveAll(repo)
}

func absentIsFine(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// removeRefs deletes the refs that name a commit.
func removeRefs(refs, id string) error {
	return absentIsFine(filepath.WalkDir(refs, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && strings.TrimSpace(string(data)) == id {
			err = os.Remove(path)
		}
		return err
	}))
}

// blobsInUse are those that the links of snapshots name.
func blobsInUse(repo string) (map[string]bool, error) {
	used := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(repo, "snapshots"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type() != fs.ModeSymlink {
			return err
		}
		target, err := os.Readlink(path)
		used[filepath.Base(target)] = true
		return err
	})
	return used, absentIsFine(err)
}

func removeBlobs(repo string, used map[string]bool) error {
	blobs, err := os.ReadDir(filepath.Join(repo, "blobs"))
	if err != nil {
		return absentIsFine(err)
	}
	for _, b := range blobs {
		etag := strings.TrimSuffix(b.Name(), ".incomplete")
		if used[b.Name()] || b.IsDir() {
			continue
		}
		unlock, err := tryLock(lockFile(filepath.Dir(repo), repo, etag), exclusive)
		if err == nil {
			err = os.Remove(filepath.Join(repo, "blobs", b.Name()))
			unlock()
		}
		if err != nil {
			return err
		}
	}
	return nil
}
