//go:build cgo

package model_test

import (
	"os"
	"os/exec"
	"testing"
)

// TestWithoutAVX512 runs the tests against the reference once more as if the CPU had no AVX-512, nor VNNI,
// for which graphs have operators of their own.
func TestWithoutAVX512(t *testing.T) {
	t.Parallel()
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^(TestParity|TestPrecisionsAreNearFloat32)$")
	again.Env = append(os.Environ(), "GODEBUG=cpu.avx512bw=off,cpu.avx512vnni=off")
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
