// Package orttest runs a package's tests with ONNX Runtime.
package orttest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/captiond/captiond/model/ort"
)

// Run opens the runtime on the CPU with one thread, gives it to use, runs the tests, and
// asserts that they freed all that is native and ended all goroutines. It is what TestMain
// exits with.
func Run(m *testing.M, use func(*ort.Runtime)) int {
	runtime, err := ort.Open(context.Background(), library(), ort.Options{Device: "cpu", Threads: 1})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	use(runtime)
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
