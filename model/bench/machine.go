package bench

import (
	"bufio"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Machine is where, when and with what program a measurement was made.
type Machine struct {
	Date   time.Time `json:"date"`
	Commit string    `json:"commit"` // of the program; "+" behind it where files were changed since
	CPU    string    `json:"cpu"`    // the model's name
	Cores  int       `json:"cores"`
	Flags  []string  `json:"cpu_flags"` // of those that decide how fast matrices are multiplied
}

// ThisMachine describes the machine, its time now and the running program.
func ThisMachine() Machine {
	m := Machine{Date: time.Now().UTC().Truncate(time.Second), Commit: commit(), CPU: runtime.GOARCH, Cores: runtime.NumCPU()}
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		m.readCPU(f)
	}
	return m
}

// matter are the flags worth telling, as the kernel names them (x86-64, then ARM 64).
func matter() []string {
	return []string{"avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve"}
}

// readCPU takes the first processor of /proc/cpuinfo.
func (m *Machine) readCPU(cpuinfo io.Reader) {
	for lines := bufio.NewScanner(cpuinfo); lines.Scan() && lines.Text() != ""; {
		key, value, _ := strings.Cut(lines.Text(), ":")
		switch strings.TrimSpace(key) {
		case "model name":
			m.CPU = strings.TrimSpace(value)
		case "flags", "Features":
			has := strings.Fields(value)
			m.Flags = slices.DeleteFunc(matter(), func(flag string) bool { return !slices.Contains(has, flag) })
		}
	}
}

// commit is what the Go tool stamped into the program, shortened; "" where it did not.
func commit() (commit string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	commit = settings["vcs.revision"]
	commit = commit[:min(12, len(commit))]
	if settings["vcs.modified"] == "true" {
		commit += "+"
	}
	return commit
}
