package weights

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

type want struct {
	DType      DType   `json:"dtype"`
	Shape      []int64 `json:"shape"`
	Hex        string  `json:"hex"`
	Contiguous bool    `json:"contiguous"`
}

func wanted(t *testing.T) map[string]want {
	t.Helper()
	var all map[string]want
	if err := json.Unmarshal(file(t, "want.json"), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What torch wrote is read back, from disk and from memory, in either format.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"good.safetensors", "good.bin", "dict.bin"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onDisk, err := Open(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			inMemory, err := Read(file(t, name))
			if err != nil {
				t.Fatal(err)
			}
			same(t, onDisk, strings.HasSuffix(name, ".bin"))
			same(t, inMemory, false)
		})
	}
}

// same compares with what torch said. views: non-contiguous tensors, and only they, have
// Data of their own.
func same(t *testing.T, f *File, views bool) {
	t.Helper()
	all := wanted(t)
	if len(f.Tensors) != len(all) {
		t.Errorf("%d tensors, want %d", len(f.Tensors), len(all))
	}
	for name, w := range all {
		got := f.Tensors[name]
		data, err := f.Bytes(got)
		if err != nil {
			t.Error(err)
		}
		if got.Name != name || got.DType != w.DType || !slices.Equal(got.Shape, w.Shape) || hex.EncodeToString(data) != w.Hex {
			t.Errorf("%s: got %s %v %x, want %+v", name, got.DType, got.Shape, data, w)
		}
		if int64(len(data)) != got.Length {
			t.Errorf("%s: Length %d of %d bytes", name, got.Length, len(data))
		}
		if f.Path != "" && (got.Data != nil) != (views && !w.Contiguous) {
			t.Errorf("%s: Data %v, contiguous %v", name, got.Data != nil, w.Contiguous)
		}
	}
}

func TestOpenFollowsSymlinks(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	blob := filepath.Join(dir, "blob")
	link := filepath.Join(dir, "model.safetensors")
	if err := errors.Join(os.WriteFile(blob, file(t, "good.safetensors"), 0o600), os.Symlink("blob", link)); err != nil {
		t.Fatal(err)
	}
	f, err := Open(link)
	if err != nil || f.Path != blob || f.Size == 0 {
		t.Errorf("got %+v, %v", f, err)
	}
}

func TestParametersAndModules(t *testing.T) {
	t.Parallel()
	for name, tensor := range map[string]string{"parameter.bin": "p", "module.bin": "weight"} {
		f, err := Read(file(t, name))
		if err != nil || f.Tensors[tensor].DType != F32 {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
}

func TestRefusesOtherFiles(t *testing.T) {
	t.Parallel()
	tar := make([]byte, 512)
	copy(tar[257:], "ustar")
	for name, c := range map[string]struct {
		data    []byte
		message string
	}{
		"empty":     {nil, "empty"},
		"short":     {[]byte("abc"), "neither"},
		"lfs":       {[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "git lfs pull"},
		"html":      {[]byte("<!DOCTYPE html><html></html>"), "neither"},
		"tar":       {tar, "save it again with a newer torch"},
		"legacy":    {file(t, "legacy.bin"), "save it again with a newer torch"},
		"protocol4": {file(t, "protocol4.bin"), "not of protocol 2"},
		"expanded":  {file(t, "expanded.bin"), ".contiguous()"},
		"nested":    {file(t, "nested.bin"), "state_dict() alone"},
		"whole":     {file(t, "whole.bin"), "refused as unsafe"},
	} {
		_, err := Read(c.data)
		if err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: got %v, want %q", name, err, c.message)
		}
	}
}

// A folder or a pipe must not be opened: a pipe without a writer waits for ever.
func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("got %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// Every proper beginning of a file is an error, never a panic or a wrong success.
func TestTruncated(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"good.safetensors", "good.bin"} {
		data := file(t, name)
		for n := range len(data) - 1 {
			if _, err := Read(data[:n:n]); err == nil {
				t.Fatalf("%s: the first %d of %d bytes were accepted", name, n, len(data))
			}
		}
	}
}

func TestMaliciousPickles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/unsafe/*.bin")
	if err != nil || len(files) != 14 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		_, err := Open(path)
		var unsafe *UnsafeError
		if !errors.As(err, &unsafe) {
			t.Errorf("%s: got %v, want an UnsafeError", path, err)
			continue
		}
		for _, part := range []string{unsafe.Name, "nothing was executed", "refs/pr/1", "model.safetensors"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q lacks %q", path, err, part)
			}
		}
		known := []string{"posix.system", "os.system", "nt.system", "builtins.eval", "__builtin__.eval", "builtins.getattr", "__builtin__.getattr"}
		if !slices.Contains(known, unsafe.Name) {
			t.Errorf("%s: names %q", path, unsafe.Name)
		}
	}
	if _, err := os.Stat("PWNED"); err == nil {
		t.Error("a pickle was executed")
	}
}
