package bench

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// resetPeak starts a new count of the process's peak memory (proc(5), clear_refs). Where
// the kernel refuses, the peak is that of the whole process, which is never less.
func resetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// peak is the largest resident set since resetPeak, in bytes (proc(5), VmHWM).
func peak() (int64, error) { return memoryOf("VmHWM") }

// resident is the resident set now, in bytes (proc(5), VmRSS).
func resident() (int64, error) { return memoryOf("VmRSS") }

// memoryOf reads a figure of the process's memory.
func memoryOf(name string) (int64, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), name+":"); ok {
			var kib int64
			if _, err := fmt.Sscanf(rest, "%d kB", &kib); err != nil {
				return 0, fmt.Errorf("read memory: %w", err)
			}
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("read memory: the kernel states no %s", name)
}
