package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"
)

// Store keeps files for processes on other hosts; pipeline/jetstream implements it.
type Store interface {
	// Put stores what r gives, to its end.
	Put(ctx context.Context, id string, r io.Reader) error
	// Get writes a file to w, and is an error where not all of it came, as it was. One that is
	// not there is fs.ErrNotExist.
	Get(ctx context.Context, id string, w io.Writer) error
	Has(ctx context.Context, id string) (bool, error)
	// Remove removes a file, if it is there.
	Remove(ctx context.Context, id string) error
}

// Folder is where uploads lie: a file <id> each, and beside it what the door keeps of an
// upload, <id>.info, and what is not whole, <id>.<anything>.part. Names that are no ids, and what is no plain file, are not looked at; links
// are not followed. Its methods are safe for concurrent use.
type Folder struct {
	root  *os.Root
	store Store
	room  func(bytes int64) error
}

// ErrNoRoom is the error for a file that would take the disk that is to stay free.
var ErrNoRoom = errors.New("the disk is full, but for what is to stay free (uploads.reserve)")

// FolderOptions say how a Folder is used. Zero values stand for what each line says.
type FolderOptions struct {
	Store   Store                           // where files go as well, and come from that are not here; none
	Reserve int64                           // bytes of the disk that stay free
	Free    func(dir string) (int64, error) // bytes that are free on a disk; what the system says
}

// OpenFolder opens a folder, which it makes where there is none.
func OpenFolder(dir string, o FolderOptions) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open uploads: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open uploads: %w", err)
	}
	free := o.Free
	if free == nil {
		free = freeBytes
	}
	return &Folder{root: root, store: o.Store, room: func(bytes int64) error {
		left, err := free(dir)
		if err == nil && left-bytes < o.Reserve {
			err = ErrNoRoom
		}
		return err
	}}, nil
}

// freeBytes are those that a process without privileges may still write.
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("ask for free disk: %w", err)
	}
	return int64(s.Bavail) * s.Bsize, nil
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

// Room is ErrNoRoom where so many bytes more would leave less than the reserve.
func (f *Folder) Room(bytes int64) error { return f.room(bytes) }

// Here opens the file of an upload in the folder itself; fs.ErrNotExist is the error for one
// that is not there.
func (f *Folder) Here(id string) (*os.File, error) {
	file, err := f.open(id)
	if err != nil {
		return nil, fmt.Errorf("open upload: %w", err)
	}
	return file, nil
}

func (f *Folder) open(id string) (*os.File, error) {
	if !ValidID(id) {
		return nil, fs.ErrNotExist
	}
	named, err := f.root.Lstat(id)
	if err != nil {
		return nil, err
	}
	if !named.Mode().IsRegular() {
		return nil, fs.ErrNotExist
	}
	file, err := f.root.OpenFile(id, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	opened, err := file.Stat()
	if err == nil && !os.SameFile(named, opened) {
		err = fs.ErrNotExist // it was changed between the two looks
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Open is Here, but for a file that is not there: it is fetched from the store, if there is one.
// Beat is called as that gets on, nil for nothing.
func (f *Folder) Open(ctx context.Context, id string, beat func()) (*os.File, error) {
	file, err := f.Here(id)
	if f.store == nil || !ValidID(id) || !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	if err := f.fetch(ctx, id, beat); err != nil {
		return nil, err
	}
	return f.Here(id)
}

// fetch brings a file from the store. Until all of it is there it has another name, which is
// the fetch's own.
func (f *Folder) fetch(ctx context.Context, id string, beat func()) (err error) {
	part := fmt.Sprintf("%s.%d.%s", id, time.Now().UnixNano(), partSuffix)
	file, err := f.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("fetch upload: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.remove(part))
		}
	}()
	err = f.store.Get(ctx, id, &rationed{file, f, beat, rationBytes})
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err = f.root.Rename(part, id); err != nil {
		return fmt.Errorf("fetch upload: %w", err)
	}
	return nil
}

// rationBytes is how much is written before the disk is looked at again.
const rationBytes = 16 << 20

// rationed is a file that grows no further than the reserve allows.
type rationed struct {
	w       io.Writer
	folder  *Folder
	beat    func()
	written int // since the last look
}

// Write implements io.Writer.
func (r *rationed) Write(b []byte) (int, error) {
	if r.beat != nil {
		r.beat()
	}
	if r.written += len(b); r.written >= rationBytes {
		if err := r.folder.Room(int64(len(b))); err != nil {
			return 0, err
		}
		r.written = 0
	}
	return r.w.Write(b)
}

// Share stores the file of an upload for other hosts, where there is a store.
func (f *Folder) Share(ctx context.Context, id string) (err error) {
	if f.store == nil {
		return nil
	}
	file, err := f.Here(id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return f.store.Put(ctx, id, file)
}

// Has says whether the file of an upload is anywhere.
func (f *Folder) Has(ctx context.Context, id string) (bool, error) {
	file, err := f.Here(id)
	if err == nil {
		return true, file.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) || f.store == nil {
		return false, ignore(err, fs.ErrNotExist)
	}
	return f.store.Has(ctx, id)
}

// Remove removes all there is of an upload, here and in the store.
func (f *Folder) Remove(ctx context.Context, id string) error {
	if !ValidID(id) {
		return nil
	}
	entries, err := f.list()
	for _, e := range entries {
		if name, _, _ := strings.Cut(e.Name(), "."); name == id {
			err = errors.Join(err, f.remove(e.Name()))
		}
	}
	if f.store != nil {
		err = errors.Join(err, f.store.Remove(ctx, id))
	}
	return err
}

func (f *Folder) list() ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("list uploads: %w", err)
	}
	return entries, nil
}

func (f *Folder) remove(name string) error {
	if err := ignore(f.root.Remove(name), fs.ErrNotExist); err != nil {
		return fmt.Errorf("remove upload: %w", err)
	}
	return nil
}

func ignore(err, what error) error {
	if errors.Is(err, what) {
		return nil
	}
	return err
}
