//go:build cgo

package model_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/captiond/captiond/model/graph"
)

// TestElsewhere runs the tests against the reference once more as if the CPU had less than it has,
// where graphs have other operators: no AVX-512, nor VNNI, and no AMX.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	settings := map[string]string{"AVX-512": "cpu.avx512bw=off,cpu.avx512vnni=off"}
	if graph.AMX() { // else that is how they run anyway
		settings["AMX"] = "cpu.amxint8=off"
	}
	for name, without := range settings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^(TestParity|TestPrecisionsAreNearFloat32)$")
			again.Env = append(os.Environ(), "GODEBUG="+without)
			if out, err := again.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
