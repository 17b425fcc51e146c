package sandbox_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// build makes the probe, without the race detector: its shadow memory is larger than the
// address space that the sandbox leaves.
func build(t *testing.T) string {
	t.Helper()
	probe := filepath.Join(t.TempDir(), "probe")
	out, err := exec.Command("go", "build", "-o", probe, "./testdata/probe").CombinedOutput()
	if err != nil {
		t.Fatalf("build probe: %v\n%s", err, out)
	}
	return probe
}

// want is the error number of each attempt that is not refused with EPERM.
func want(attempt string) unix.Errno {
	switch attempt {
	case "clone3":
		return unix.ENOSYS
	case "memory":
		return unix.ENOMEM
	case "threads", "time":
		return 0
	}
	return unix.EPERM
}

func TestNothingWorksInside(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(build(t), "probe").Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	level, rest, _ := strings.Cut(string(out), "\n")
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		abi = 0
	}
	if level != "landlock="+strconv.Itoa(min(abi, 11))+" seccomp=true" {
		t.Errorf("level: %s", level)
	}
	lines := strings.Split(strings.TrimSpace(rest), "\n")
	if len(lines) != 30 {
		t.Errorf("%d attempts", len(lines))
	}
	for _, line := range lines {
		name, number, _ := strings.Cut(line, "=")
		if got, _ := strconv.Atoi(number); unix.Errno(got) != want(name) {
			t.Errorf("%s: %v, want %v", name, unix.Errno(got), want(name))
		}
	}
}

func TestEndsByTheSignalThatKillsIt(t *testing.T) {
	t.Parallel()
	probe := build(t)
	for arg, want := range map[string]syscall.Signal{"crash": syscall.SIGSEGV, "spin": syscall.SIGXCPU} {
		t.Run(arg, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(probe, arg, "1")
			var stderr strings.Builder
			cmd.Stderr = &stderr
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) {
				t.Fatalf("ended with %v", err)
			}
			status := exit.Sys().(syscall.WaitStatus)
			if !status.Signaled() || status.Signal() != want {
				t.Errorf("status %v, want %v", exit, want)
			}
			if stderr.Len() > 0 {
				t.Errorf("it wrote %q", stderr.String())
			}
		})
	}
}
