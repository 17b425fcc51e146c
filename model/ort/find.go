package ort

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// LibraryVariable is the environment variable that names the library's file.
const LibraryVariable = "CAPTIOND_MODEL_LIBRARY"

// libraryNames are the names that the library has in the packages it comes in.
func libraryNames() []string {
	return []string{"libonnxruntime.so", "libonnxruntime.so.1", "libonnxruntime.so.1.27.0"}
}

// Find looks for ONNX Runtime's library and says how it was found: explicit (a flag or
// a configuration key), else the environment, else beside the program and in lib/
// there, else in the folder above and its lib/, else on the system's path. Where there is
// an NVIDIA driver, the build for GPUs that `make deps-gpu` puts in cuda/ below one of
// these folders comes before the one there. A file that is named and missing is an error:
// no other is taken in its place.
func Find(explicit string) (path, how string, err error) {
	program, err := os.Executable()
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		program = ""
	}
	return search{explicit, os.Getenv(LibraryVariable), program, systemPath(), hasDriver()}.find()
}

// hasDriver tells whether an NVIDIA driver is loaded: by its device, or by the one that
// stands for it in WSL.
func hasDriver() bool {
	for _, device := range []string{"/dev/nvidiactl", "/dev/dxg"} {
		if _, err := os.Stat(device); err == nil {
			return true
		}
	}
	return false
}

// search is what Find goes by.
type search struct {
	explicit, environment string
	program               string // the program's real path, "" where unknown
	system                []string
	gpu                   bool // a build for GPUs is of use
}

func (s search) find() (path, how string, err error) {
	if s.explicit != "" {
		return named(s.explicit, "the model.library setting")
	}
	if s.environment != "" {
		return named(s.environment, LibraryVariable)
	}
	var tried []string
	for _, place := range s.places() {
		for _, name := range libraryNames() {
			path := filepath.Join(place.folder, name)
			if isFile(path) {
				return path, place.how, nil
			}
		}
		tried = append(tried, place.folder)
	}
	return "", "", fmt.Errorf("find onnx runtime: no %s in %s; `make deps` fetches it, or name the file with --model-library or %s",
		strings.Join(libraryNames(), ", "), strings.Join(tried, ", "), LibraryVariable)
}

type place struct{ folder, how string }

func (s search) places() []place {
	var places []place
	add := func(folder, how string) {
		if s.gpu {
			places = append(places, place{filepath.Join(folder, "cuda"), how})
		}
		places = append(places, place{folder, how})
	}
	if s.program != "" {
		beside := filepath.Dir(s.program)
		above := filepath.Dir(beside)
		add(beside, "beside the program")
		add(filepath.Join(beside, "lib"), "beside the program")
		add(above, "the folder above the program's")
		add(filepath.Join(above, "lib"), "the folder above the program's")
	}
	for _, folder := range s.system {
		add(folder, "the system's path")
	}
	return places
}

func named(path, how string) (string, string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", "", fmt.Errorf("find onnx runtime: %w", err)
	}
	if !isFile(absolute) {
		return "", "", fmt.Errorf("find onnx runtime: %s names %s, which is not a file", how, absolute)
	}
	return absolute, how, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// systemPath is LD_LIBRARY_PATH and the folders that the loaders of Debian and Red Hat
// search.
func systemPath() []string {
	var folders []string
	for _, folder := range filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")) {
		if folder != "" {
			folders = append(folders, folder)
		}
	}
	return append(folders, "/usr/local/lib", "/usr/local/lib64",
		"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
		"/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")
}
