package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/captiond/captiond/sinks/sinktest"
)

// decoder is a build of this program without the race detector: what that reserves of the
// address space is more than a decode child may have.
var decoder string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	folder, err := os.MkdirTemp("", "captiond-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	decoder = filepath.Join(folder, "captiond")
	if out, err := exec.Command("go", "build", "-race=false", "-o", decoder, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the decode child: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	if err := goleak.Find(sinktest.NATSLeaks()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// outcome is what a run of the program left.
type outcome struct {
	status      int
	out, errors string
}

// captiond runs the program in this process, with a state folder of its own.
func captiond(t *testing.T, args ...string) outcome {
	t.Helper()
	return captiondWith(t, t.Context(), nil, args...)
}

func captiondWith(t *testing.T, ctx context.Context, stdin *os.File, args ...string) outcome { //nolint:revive // t comes first in tests
	t.Helper()
	var out, errs bytes.Buffer
	status := captiondTo(t, ctx, stdin, &out, &errs, args...)
	return outcome{status, out.String(), errs.String()}
}

func captiondTo(t *testing.T, ctx context.Context, stdin *os.File, out, errs io.Writer, args ...string) int { //nolint:revive // likewise
	t.Helper()
	env := []string{"HOME=" + t.TempDir()}
	if library, ok := os.LookupEnv("CAPTIOND_MODEL_LIBRARY"); ok {
		env = append(env, "CAPTIOND_MODEL_LIBRARY="+library)
	} else {
		env = append(env, "CAPTIOND_MODEL_LIBRARY="+filepath.Join("..", "..", "lib", "libonnxruntime.so.1"))
	}
	return run(ctx, args, streams{in: stdin, out: out, err: errs, env: env, decoder: decoder})
}

// want fails the test where the run did not end as it should.
func (o outcome) want(t *testing.T, status int, errors string) {
	t.Helper()
	if o.status != status || !strings.Contains(o.errors, errors) {
		t.Errorf("status %d, want %d with %q; standard error:\n%s", o.status, status, errors, o.errors)
	}
}

const shapes = "../../demo/clip/shapes.mp4"
