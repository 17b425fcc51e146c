//go:build cgo

package model_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/ort"
)

// runtime is shared by all tests of the package; TestMain opens it.
var runtime *ort.Runtime

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

// runTests asserts that the tests freed all that is native and ended all goroutines.
func runTests(m *testing.M) int {
	var err error
	if runtime, err = ort.Open(context.Background(), library(), ort.Options{Device: "cpu", Threads: 1}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := runtime.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// library is the file that `make deps` fetches into lib, in the module's root, unless the
// environment names another.
func library() string {
	if path := os.Getenv(ort.LibraryVariable); path != "" {
		return path
	}
	folder, err := os.Getwd()
	for err == nil && folder != filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return filepath.Join(folder, "lib", "libonnxruntime.so.1")
		}
		folder = filepath.Dir(folder)
	}
	return ""
}

// openModel loads a checkpoint of testdata until the test ends.
func openModel(t testing.TB, folder string, o model.Options) *model.Model {
	t.Helper()
	c, err := checkpoint.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Open(runtime, c, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}
