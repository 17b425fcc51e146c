// Package framestest gives tests the real decode child: FFmpeg within the sandbox.
package framestest

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Child builds the decode child and returns its path. It is built without the race
// detector, whose shadow memory is larger than the address space that a child has. A test
// package builds it once and shares it: the first time takes long.
func Child(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "child")
	out, err := exec.Command("go", "build", "-o", path, "github.com/captiond/captiond/frames/framestest/child").CombinedOutput()
	if err != nil {
		t.Fatalf("build decode child: %v\n%s", err, out)
	}
	return path
}
