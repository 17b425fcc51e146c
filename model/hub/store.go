package hub

import (
	"context"
	"crypto/sha1" // git's own: it finds damage and is no proof against malice
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	shared    = syscall.LOCK_SH
	exclusive = syscall.LOCK_EX

	// wholeRepo is the lock that downloads share and a removal has alone. The other locks
	// are those of blobs, as huggingface_hub takes them.
	wholeRepo = "captiond"
)

// errBusy is that another process, or another goroutine of this one, has the lock.
var errBusy = errors.New("another program is at work on it")

// lockFile is where huggingface_hub puts a repository's locks.
func lockFile(cache, repo, name string) string {
	return filepath.Join(cache, ".locks", filepath.Base(repo), name+".lock")
}

// lock takes a lock of the repository, and waits for it as long as the context lasts.
func (p *pull) lock(ctx context.Context, name string, how int) (unlock func(), err error) {
	path := lockFile(p.Cache, p.repo, name)
	for waited := false; ; waited = true {
		unlock, err := tryLock(path, how)
		if !errors.Is(err, errBusy) {
			return unlock, err
		}
		if !waited {
			p.log().Info("waiting for another program that downloads the same", "model", p.ref.String())
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// tryLock takes a lock or says errBusy. The file stays: who removed it would let two
// others hold locks of two files of the same name. Should another program do so (some
// versions of Python's filelock), what was locked is not the file that is there.
func tryLock(path string, how int) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || err == nil && !still(f) {
		err = errBusy
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

func still(f *os.File) bool {
	locked, err1 := f.Stat()
	there, err2 := os.Stat(f.Name())
	return err1 == nil && err2 == nil && os.SameFile(locked, there)
}

// have sees to it that the blob of a file is in the cache, whole.
func (p *pull) have(ctx context.Context, f *file) error {
	if err := os.MkdirAll(filepath.Join(p.repo, "blobs"), 0o777); err != nil {
		return err
	}
	unlock, err := p.lock(ctx, f.etag, exclusive)
	if err != nil {
		return err
	}
	defer unlock()
	for _, path := range []string{filepath.Join(p.dir(), f.name), p.blob(f)} {
		if ok, err := intact(ctx, path, f); ok || err != nil {
			p.advance(f, f.size)
			return err
		}
	}
	return p.download(ctx, f)
}

func (p *pull) blob(f *file) string { return filepath.Join(p.repo, "blobs", f.etag) }

// intact says whether a file is what the hub says it is, and learns its size where the hub
// said nothing.
func intact(ctx context.Context, path string, f *file) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	h := hasher(f.etag, info.Size())
	if !info.Mode().IsRegular() || info.Size() > limit(f.name) || f.size >= 0 && info.Size() != f.size || f.size < 0 && h == nil {
		return false, nil
	}
	if h != nil {
		if _, err := feed(ctx, h, path); err != nil {
			return false, err
		}
		if !strings.EqualFold(hex.EncodeToString(h.Sum(nil)), f.etag) {
			return false, nil
		}
	}
	f.size = info.Size()
	return true, nil
}

// hasher computes what the etag is of: SHA-256 of large files, the SHA-1 of git's blob of
// others; nil for what is neither.
func hasher(etag string, size int64) hash.Hash {
	if _, err := hex.DecodeString(etag); err != nil {
		return nil
	}
	switch len(etag) {
	case 2 * sha256.Size:
		return sha256.New()
	case 2 * sha1.Size:
		h := sha1.New()
		fmt.Fprintf(h, "blob %d\x00", size)
		return h
	}
	return nil
}

// publish makes the snapshot of the blobs, and then the ref: who finds the ref finds all.
func (p *pull) publish() error {
	if err := os.MkdirAll(p.dir(), 0o777); err != nil {
		return err
	}
	for _, f := range p.files {
		if err := p.link(f); err != nil {
			return err
		}
	}
	if p.ref.Revision == p.commit {
		return nil
	}
	path := filepath.Join(p.repo, "refs", filepath.FromSlash(p.ref.Revision))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return writeFile(path, p.repo, []byte(p.commit), 0o644)
}

// link points the snapshot's name at the blob. A file that was found whole without a blob,
// as in a cache that was copied, stays as it is.
func (p *pull) link(f *file) error {
	path, target := filepath.Join(p.dir(), f.name), filepath.Join("..", "..", "blobs", f.etag)
	if had, err := os.Readlink(path); err == nil && had == target {
		return nil
	}
	if _, err := os.Stat(p.blob(f)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	temporary, err := os.MkdirTemp(p.repo, ".link-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	made := filepath.Join(temporary, f.name)
	if err := os.Symlink(target, made); err != nil {
		return err
	}
	return os.Rename(made, path)
}

// explain adds what to do to what the disk refuses.
func (c *Client) explain(err error) error {
	_, path := errors.AsType[*fs.PathError](err)
	_, link := errors.AsType[*os.LinkError](err)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: make room, or set HF_HUB_CACHE to a folder of another disk; what was downloaded is kept", err)
	case path || link:
		return fmt.Errorf("%w: the cache is %s: make it yours to write, or set HF_HUB_CACHE to a folder that is", err, c.Cache)
	}
	return err
}

// room is an error where a disk has no room for so many bytes more.
func room(folder string, need int64) error {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return nil //nolint:nilerr // a disk that does not tell is tried
	}
	if free := disk.Bavail * uint64(disk.Bsize); need > 0 && uint64(need) > free {
		return fmt.Errorf("%w: %d bytes are needed and %d are free in %s", syscall.ENOSPC, need, free, folder)
	}
	return nil
}
