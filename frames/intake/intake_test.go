package intake_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/captiond/captiond/frames/intake"
	"github.com/captiond/captiond/frames/magic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clip begins like an mp4 file.
func clip(size int) []byte {
	b := make([]byte, size)
	copy(b, "\x00\x00\x00\x20ftypisom")
	for i := 32; i < size; i++ {
		b[i] = byte(i * i >> 3)
	}
	return b
}

func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func checkContent(t *testing.T, in *intake.Input, want []byte) {
	t.Helper()
	got, err := io.ReadAll(in.Reader())
	if err != nil || !bytes.Equal(got, want) || in.Size != int64(len(want)) || in.Kind != magic.Video {
		t.Errorf("read %d bytes of %d, kind %s, %v", len(got), len(want), in.Kind, err)
	}
	sum := sha256.Sum256(want)
	if s, err := in.Sum(t.Context()); err != nil || s != hex.EncodeToString(sum[:]) {
		t.Errorf("sum %s, %v", s, err)
	}
	if at, err := in.File.Seek(0, io.SeekCurrent); err != nil || at != 0 {
		t.Errorf("the offset is at %d, %v", at, err)
	}
	if _, err := in.File.Write([]byte("x")); err == nil {
		t.Error("the file can be written to")
	}
}

func TestFileInPlace(t *testing.T) {
	t.Parallel()
	want := clip(9 << 20)
	in, err := intake.Open(t.Context(), file(t, "a.mp4", want), nil, intake.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	checkContent(t, in, want)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := in.Sum(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("sum after the end: %v", err)
	}
}

// pipe returns the reading end of a pipe that write is writing to.
func pipe(t *testing.T, write func(*os.File)) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer w.Close()
		write(w)
	}()
	t.Cleanup(func() { r.Close(); <-done })
	return r
}

func TestStandardInput(t *testing.T) {
	t.Parallel()
	want := clip(3<<20 + 17)
	dir := t.TempDir()
	in, err := intake.Open(t.Context(), "-", pipe(t, func(w *os.File) { _, _ = w.Write(want) }), intake.Limits{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	checkContent(t, in, want)
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v is left in the folder", left)
	}
}

func TestStandardInputFromFile(t *testing.T) {
	t.Parallel()
	want := clip(100_000)
	f, err := os.Open(file(t, "a.mp4", want))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := intake.Open(t.Context(), "-", f, intake.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	checkContent(t, in, want)
	in.Close()
	if _, err := f.Stat(); err != nil {
		t.Errorf("the caller's descriptor: %v", err)
	}
}

func TestNamedPipe(t *testing.T) {
	t.Parallel()
	path := fifo(t)
	want := clip(200_000)
	done := make(chan error)
	go func() { done <- os.WriteFile(path, want, 0) }()
	in, err := intake.Open(t.Context(), path, nil, intake.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	checkContent(t, in, want)
}

func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for name, c := range map[string]struct{ path, want string }{
		"missing":   {filepath.Join(dir, "none.mp4"), "there is no such file"},
		"folder":    {dir, "this is a folder: name the files in it"},
		"empty":     {file(t, "a.mp4", nil), "the file is empty"},
		"noise":     {file(t, "a.mp4", bytes.Repeat([]byte{0, 1, 2, 200}, 5000)), "this is no video or picture"},
		"playlist":  {file(t, "a.mp4", []byte("#EXTM3U\nfile:///etc/passwd\n")), "this is text, not a video"},
		"socket":    {socket, "this is a socket"},
		"zeros":     {"/dev/zero", "this is a device"},
		"stalled":   {fifo(t), "nothing came for 300ms"},
		"too short": {file(t, "a.mp4", []byte("\x00\x00\x00")), "this is no video or picture"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, err := intake.Open(t.Context(), c.path, nil, intake.Limits{Stall: 300 * time.Millisecond})
			if in != nil || err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
				t.Errorf("%v, want %s", err, c.want)
			}
			if strings.Count(err.Error(), c.path) != 1 {
				t.Errorf("the name is not said once: %v", err)
			}
		})
	}
}

func TestPermission(t *testing.T) {
	path := file(t, "a.mp4", clip(100))
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 { // who may read everything: this thread opens files as somebody else
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		const nobody = 65534
		if err := unix.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := unix.Setfsuid(0); err != nil {
				t.Error(err)
			}
		}()
	}
	if _, err := intake.Open(t.Context(), path, nil, intake.Limits{}); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Error(err)
	}
}

// endless writes the same bytes until nobody reads them.
func endless(head, more []byte) func(*os.File) {
	return func(w *os.File) {
		for _, err := w.Write(head); err == nil; {
			_, err = w.Write(more)
		}
	}
}

// TestStreamsEnd: an endless stream ends soon, by what it is or by how much it is.
func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	zeros := make([]byte, 64<<10)
	for name, c := range map[string]struct {
		write func(*os.File)
		want  string
	}{
		"zeros":   {endless(nil, zeros), "this is no video"},
		"text":    {endless(nil, []byte("yes\n")), "this is text"},
		"clip":    {endless(clip(100), zeros), "there is no end after 5000000 bytes"},
		"slow":    {slow(clip(20_000)), "it has not ended after 2s"},
		"nothing": {func(*os.File) {}, "the file is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			r := pipe(t, c.write)
			_, err := intake.Open(t.Context(), "-", r, intake.Limits{Spool: 5_000_000, Time: 2 * time.Second})
			if err == nil || !strings.Contains(err.Error(), "open standard input: "+c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// slow writes a few bytes at a time for as long as anybody reads.
func slow(head []byte) func(*os.File) {
	return func(w *os.File) {
		if _, err := w.Write(head); err != nil {
			return
		}
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := w.WriteString("more"); err != nil {
				return
			}
		}
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	timer := time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	defer timer.Stop()
	begun := time.Now()
	if _, err := intake.Open(ctx, fifo(t), nil, intake.Limits{}); !errors.Is(err, why) {
		t.Error(err)
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestNoRoomForSpool(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "none")
	_, err := intake.Open(t.Context(), "-", pipe(t, endless(clip(10), clip(10))), intake.Limits{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "set TMPDIR") {
		t.Error(err)
	}
}
