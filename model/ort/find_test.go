package ort

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	put := func(parts ...string) string {
		path := filepath.Join(append([]string{root}, parts...)...)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	flag, variable := put("flag.so"), put("variable.so")
	beside, besideLib := put("a", "bin", "libonnxruntime.so.1"), put("b", "bin", "lib", "libonnxruntime.so.1.27.0")
	above, aboveLib := put("c", "libonnxruntime.so"), put("d", "lib", "libonnxruntime.so.1")
	system := put("system", "libonnxruntime.so.1")
	gpu := put("d", "lib", "cuda", "libonnxruntime.so.1")
	program := func(name string) string { return filepath.Join(root, name, "bin", "captiond") }
	for name, c := range map[string]struct {
		search
		want, how string
	}{
		"flag":      {search{flag, variable, program("a"), nil, false}, flag, "the model.library setting"},
		"variable":  {search{"", variable, program("a"), nil, false}, variable, LibraryVariable},
		"beside":    {search{"", "", program("a"), []string{filepath.Dir(system)}, false}, beside, "beside the program"},
		"lib":       {search{"", "", program("b"), nil, false}, besideLib, "beside the program"},
		"above":     {search{"", "", program("c"), nil, false}, above, "the folder above the program's"},
		"above lib": {search{"", "", program("d"), nil, false}, aboveLib, "the folder above the program's"},
		"gpu":       {search{"", "", program("d"), nil, true}, gpu, "the folder above the program's"},
		"gpu, bare": {search{"", "", program("c"), nil, true}, above, "the folder above the program's"},
		"system":    {search{"", "", program("e"), []string{filepath.Dir(system)}, false}, system, "the system's path"},
	} {
		path, how, err := c.find()
		if err != nil || path != c.want || how != c.how {
			t.Errorf("%s: %q, %q, %v, want %q, %q", name, path, how, err, c.want, c.how)
		}
	}
	failures := map[string]search{
		"the model.library setting names": {filepath.Join(root, "none.so"), variable, program("a"), nil, false},
		LibraryVariable + " names":        {"", root, program("a"), nil, false},
		filepath.Join(root, "e", "lib"):   {"", "", program("e"), nil, false},
		"make deps":                       {"", "", "", nil, false},
	}
	for want, s := range failures {
		if _, _, err := s.find(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestFindTakesTheSetting(t *testing.T) {
	t.Parallel()
	path, how, err := Find(library(t))
	if err != nil || path != library(t) || how == "" {
		t.Errorf("%q, %q, %v", path, how, err)
	}
}
