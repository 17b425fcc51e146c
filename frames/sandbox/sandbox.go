// Package sandbox is what a decode child does to itself before it looks at the first byte
// of a stranger's file: resource limits, Landlock without one allowed path where the kernel
// has it, and always a seccomp filter that leaves only what computing on the descriptors at
// hand takes: no open, no socket, no exec, no new process, no signal to anybody else, no
// executable memory. It is one-way and for the whole process.
//
// It also gives the fatal signals back to the kernel: a crash in native code is then a
// death by that signal, which the parent sees, and not a dump of Go's on standard error.
package sandbox

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// ErrUnsupported says that the kernel has no seccomp filters or that they are forbidden
// here; Limits.Weak goes on without them.
var ErrUnsupported = errors.New("this kernel does not let a process confine itself (seccomp)")

// Limits is what a child may use.
type Limits struct {
	// CPU is the processor time it may use before its parent must have granted more
	// (worker does so as work gets on).
	CPU time.Duration
	// Memory is its address space in bytes. Go and the stacks of threads reserve much of
	// it without use: below 2 GiB decoders cannot start their threads.
	Memory uint64
	// Weak accepts a kernel without seccomp: rlimits, and Landlock where there is one, are
	// then all there is. It is for a person to choose, never a default.
	Weak bool
}

// DefaultLimits is right for video files.
func DefaultLimits() Limits {
	return Limits{CPU: time.Minute, Memory: 3 << 30}
}

// Level is what holds.
type Level struct {
	Landlock int  // the ABI in force, 0 where the kernel has none
	Seccomp  bool // false only with Limits.Weak
}

// Enter confines the process for the rest of its life. After an error it must not go on.
// It is called once, from the main goroutine, before there is anything else.
func Enter(l Limits) (Level, error) {
	if err := restoreSignals(); err != nil {
		return Level{}, err
	}
	if err := limit(l); err != nil {
		return Level{}, err
	}
	abi, err := forbidPaths()
	if err != nil {
		return Level{}, err
	}
	err = forbidCalls()
	if errors.Is(err, ErrUnsupported) && l.Weak {
		return Level{Landlock: abi}, nil
	}
	if err != nil {
		return Level{}, err
	}
	return Level{Landlock: abi, Seccomp: true}, nil
}

// maxFiles is more than the descriptors that a child inherits and Go's own.
const maxFiles = 32

func limit(l Limits) error {
	var errs []error
	for _, r := range []struct {
		name      string
		which     int
		soft, max uint64
	}{
		// The hard limit stays: the parent raises the soft one, and needs no privilege.
		{"CPU", unix.RLIMIT_CPU, uint64(max(l.CPU/time.Second, 1)), unix.RLIM_INFINITY},
		{"AS", unix.RLIMIT_AS, l.Memory, l.Memory},
		{"NOFILE", unix.RLIMIT_NOFILE, maxFiles, maxFiles},
		{"FSIZE", unix.RLIMIT_FSIZE, 0, 0},
		{"CORE", unix.RLIMIT_CORE, 0, 0},
	} {
		if err := lower(r.which, r.soft, r.max); err != nil {
			errs = append(errs, fmt.Errorf("limit %s to %d: %w", r.name, r.soft, err))
		}
	}
	// Go collects before the address space is full of its garbage.
	debug.SetMemoryLimit(int64(l.Memory / 4))
	return errors.Join(errs...)
}

// lower sets a limit, or leaves a stricter one that is in force already.
func lower(which int, soft, hard uint64) error {
	var now unix.Rlimit
	if err := unix.Getrlimit(which, &now); err != nil {
		return err
	}
	hard = min(hard, now.Max)
	return unix.Setrlimit(which, &unix.Rlimit{Cur: min(soft, hard), Max: hard})
}
