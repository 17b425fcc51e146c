package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// shelf is a store in memory. It gives half of what is cut.
type shelf struct {
	mu    sync.Mutex
	files map[string][]byte
	cut   bool
	gets  int
}

func (s *shelf) Put(_ context.Context, id string, r io.Reader) error {
	b, err := io.ReadAll(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[id] = b
	return err
}

func (s *shelf) Get(_ context.Context, id string, w io.Writer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.files[id]
	if s.gets++; !ok {
		return fs.ErrNotExist
	}
	if s.cut {
		_, err := w.Write(b[:len(b)/2])
		return errors.Join(err, errAway)
	}
	_, err := w.Write(b)
	return err
}

func (s *shelf) Has(_ context.Context, id string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.files[id]
	return ok, nil
}

func (s *shelf) Remove(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, id)
	return nil
}

func folder(t *testing.T, o FolderOptions) (*Folder, string) {
	t.Helper()
	dir := t.TempDir()
	f, err := OpenFolder(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, dir
}

func write(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func content(t *testing.T, f *os.File, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFolderOpens(t *testing.T) {
	t.Parallel()
	f, dir := folder(t, FolderOptions{})
	write(t, dir, testID, []byte("a video"))
	file, err := f.Open(t.Context(), testID, nil)
	if got := content(t, file, err); string(got) != "a video" {
		t.Errorf("it holds %q", got)
	}
}

// What is no upload is not there, and nothing beyond the folder ever is.
func TestFolderRefuses(t *testing.T) {
	t.Parallel()
	f, dir := folder(t, FolderOptions{})
	outside := filepath.Join(t.TempDir(), "secret")
	write(t, filepath.Dir(outside), "secret", []byte("secret"))
	write(t, dir, "passwords", []byte("secret"))
	link, inner, sub, pipe := strings.Repeat("1", 32), strings.Repeat("2", 32), strings.Repeat("3", 32), strings.Repeat("4", 32)
	for _, err := range []error{os.Symlink(outside, filepath.Join(dir, link)), os.Symlink("passwords", filepath.Join(dir, inner)),
		os.Mkdir(filepath.Join(dir, sub), 0o700), makePipe(filepath.Join(dir, pipe))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"", ".", "..", "passwords", "../" + filepath.Base(dir) + "/passwords", outside, link, inner, sub, pipe,
		testID, strings.ToUpper(testID), testID[:31] + "/", testID[:31] + "\x00", testID + "0"} {
		if file, err := f.Open(t.Context(), id, nil); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v, %v", id, file, err)
		}
		if there, err := f.Has(t.Context(), id); err != nil || there {
			t.Errorf("%q is there: %v, %v", id, there, err)
		}
	}
	for _, id := range []string{"passwords", "..", link} {
		if err := f.Remove(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(outside); err != nil || !slices.Contains(names(t, dir), "passwords") || slices.Contains(names(t, dir), link) {
		t.Errorf("left are %q and %v", names(t, dir), err)
	}
}

func TestRemoveTakesAll(t *testing.T) {
	t.Parallel()
	store := &shelf{files: map[string][]byte{testID: nil}}
	f, dir := folder(t, FolderOptions{Store: store})
	other := strings.Repeat("f", 32)
	for _, name := range []string{testID, testID + ".info", testID + ".lock", testID + ".1.part", other} {
		write(t, dir, name, nil)
	}
	if err := errors.Join(f.Remove(t.Context(), testID), f.Remove(t.Context(), testID)); err != nil {
		t.Error(err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{other}) || len(store.files) != 0 {
		t.Errorf("left are %q, and in the store %d", got, len(store.files))
	}
}

func TestSharedFolder(t *testing.T) {
	t.Parallel()
	store := &shelf{files: map[string][]byte{}}
	here, dir := folder(t, FolderOptions{Store: store})
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	write(t, dir, testID, want)
	if err := here.Share(t.Context(), testID); err != nil {
		t.Fatal(err)
	}
	there, dir := folder(t, FolderOptions{Store: store})
	if has, err := there.Has(t.Context(), testID); err != nil || !has {
		t.Errorf("it is there: %v, %v", has, err)
	}
	store.cut = true
	if _, err := there.Open(t.Context(), testID, nil); !errors.Is(err, errAway) || len(names(t, dir)) != 0 {
		t.Errorf("a fetch that was cut: %v, and left are %q", err, names(t, dir))
	}
	store.cut = false
	beats := 0
	for range 2 {
		file, err := there.Open(t.Context(), testID, func() { beats++ })
		if got := content(t, file, err); !bytes.Equal(got, want) {
			t.Errorf("%d bytes of %d came", len(got), len(want))
		}
	}
	if store.gets != 2 || beats == 0 || !slices.Equal(names(t, dir), []string{testID}) {
		t.Errorf("%d fetches with %d beats, there are %q", store.gets, beats, names(t, dir))
	}
	if _, err := there.Open(t.Context(), strings.Repeat("e", 32), nil); !errors.Is(err, fs.ErrNotExist) || len(names(t, dir)) != 1 {
		t.Errorf("what is nowhere: %v, and there are %q", err, names(t, dir))
	}
}

// A fetch keeps to the reserve, as uploads do.
func TestFetchKeepsToTheReserve(t *testing.T) {
	t.Parallel()
	store := &shelf{files: map[string][]byte{testID: make([]byte, 100)}}
	f, dir := folder(t, FolderOptions{Store: store, Reserve: 1000, Free: func(string) (int64, error) { return 1050, nil }})
	if _, err := f.Open(t.Context(), testID, nil); !errors.Is(err, ErrNoRoom) || len(names(t, dir)) != 0 {
		t.Errorf("%v, and left are %q", err, names(t, dir))
	}
}

func TestRoom(t *testing.T) {
	t.Parallel()
	f, _ := folder(t, FolderOptions{Reserve: 1000, Free: func(string) (int64, error) { return 1500, nil }})
	for bytes, want := range map[int64]error{0: nil, 500: nil, 501: ErrNoRoom} {
		if err := f.Room(bytes); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", bytes, err, want)
		}
	}
	f, _ = folder(t, FolderOptions{Reserve: 1 << 62})
	if err := f.Room(0); !errors.Is(err, ErrNoRoom) {
		t.Errorf("on this disk: %v", err)
	}
}

func TestTraces(t *testing.T) {
	t.Parallel()
	f, dir := folder(t, FolderOptions{})
	id := func(n int) string { return fmt.Sprintf("%032x", n) }
	write(t, dir, id(1), make([]byte, 30))
	write(t, dir, id(1)+".info", []byte(`{"ID":"x","Size":100,"Offset":0}`))
	write(t, dir, id(2), make([]byte, 100))
	write(t, dir, id(2)+".info", []byte(`{"Size":100}`))
	write(t, dir, id(3), make([]byte, 7))
	write(t, dir, id(4)+".in.part", make([]byte, 9))
	write(t, dir, id(5)+".info", []byte(`nonsense`))
	write(t, dir, "other.info", []byte(`{"Size":100}`))
	got, err := f.Traces()
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int][3]int64{1: {100, 70, 0}, 2: {100, 0, 0}, 3: {0, 0, 0}, 4: {0, 0, 9}, 5: {0, 0, 0}} {
		if tr := got[id(n)]; tr == nil || [3]int64{tr.Announced, tr.Missing, tr.Growing} != want || time.Since(tr.Modified) > time.Hour {
			t.Errorf("of upload %d there is %+v, want %v", n, tr, want)
		}
	}
	if len(got) != 5 {
		t.Errorf("there are %d", len(got))
	}
}

func TestTidy(t *testing.T) {
	t.Parallel()
	f, dir := folder(t, FolderOptions{})
	old := time.Now().Add(-25 * time.Hour)
	id := func(n int) string { return fmt.Sprintf("%032x", n) }
	for _, name := range []string{id(1), id(1) + ".info", id(2), id(2) + ".1.part", id(3) + ".in.part", id(4), id(4) + ".info", "other"} {
		write(t, dir, name, nil)
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, id(4), []byte("it grows")) // after its .info
	if err := f.Tidy(t.Context(), func(s string) bool { return s == id(2) }, 24*time.Hour); err != nil {
		t.Error(err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{id(2), id(4), id(4) + ".info", "other"}) {
		t.Errorf("left are %q", got)
	}
}

// makePipe makes a named pipe: opening one would block.
func makePipe(name string) error { return syscall.Mkfifo(name, 0o600) }
