package sandbox

import (
	"errors"
	"fmt"
	"os"
	"slices"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// allowed are the system calls that are left: what the Go runtime, glibc's threads and
// memory, and FFmpeg on descriptors that are open already make. Some exist on one
// architecture only. All others fail with EPERM, those of foreign architectures too.
func allowed() []string {
	return []string{
		// descriptors at hand
		"read", "readv", "pread64", "preadv", "write", "writev", "lseek", "close", "fstat", "fcntl",
		"poll", "ppoll", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "eventfd2", "pipe2",
		// memory
		"brk", "mmap", "mremap", "munmap", "mprotect", "madvise", "mincore",
		// threads of this process
		"clone", "futex", "set_robust_list", "get_robust_list", "rseq", "membarrier", "set_tid_address",
		"sched_yield", "sched_getaffinity", "exit", "exit_group", "restart_syscall",
		"getpid", "gettid", "tgkill",
		// signals of this process
		"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "sigaltstack",
		// time and chance
		"clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "getrandom",
		"getcpu", "getrusage", "uname", "sysinfo", "getuid", "geteuid", "getgid", "getegid",
	}
}

// A rule forbids an allowed call with certain arguments.
type rule struct {
	call       string
	conditions seccomp.ArgumentConditions // all must hold
}

func rules(pid int) []rule {
	only := func(arg uint32, values ...uint64) (cs seccomp.ArgumentConditions) {
		for _, v := range values {
			cs = append(cs, seccomp.Condition{Argument: arg, Operation: seccomp.NotEqual, Value: v})
		}
		return cs
	}
	has := func(arg uint32, bits uint64) seccomp.ArgumentConditions {
		return seccomp.ArgumentConditions{{Argument: arg, Operation: seccomp.BitsSet, Value: bits}}
	}
	lacks := func(arg uint32, bits uint64) seccomp.ArgumentConditions {
		return seccomp.ArgumentConditions{{Argument: arg, Operation: seccomp.BitsNotSet, Value: bits}}
	}
	return []rule{
		{"clone", lacks(0, unix.CLONE_THREAD)}, // threads, no processes
		{"mmap", has(2, unix.PROT_EXEC)},
		{"mprotect", has(2, unix.PROT_EXEC)},
		{"tgkill", only(0, uint64(pid))},
		{"fcntl", only(1, unix.F_GETFL, unix.F_SETFL, unix.F_GETFD, unix.F_SETFD)},
	}
}

// forbidCalls installs the filters on all threads. Each rule is a filter of its own: the
// kernel asks all filters and the strictest answer counts (and the library compares the
// next call's number with an argument where a filter with conditions goes on).
func forbidCalls() error {
	if !seccomp.Supported() {
		return ErrUnsupported
	}
	for _, r := range rules(os.Getpid()) {
		group := seccomp.SyscallGroup{
			NamesWithCondtions: []seccomp.NameWithConditions{{Name: r.call, Conditions: r.conditions}},
			Action:             seccomp.ActionErrno,
		}
		if err := load(seccomp.ActionAllow, group); err != nil {
			return fmt.Errorf("forbid %s: %w", r.call, err)
		}
	}
	names, err := known(allowed())
	if err != nil {
		return err
	}
	return load(seccomp.ActionErrno,
		// glibc starts a thread by clone where clone3 does not exist, and not at all
		// where it is forbidden.
		seccomp.SyscallGroup{Names: []string{"clone3"}, Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)},
		seccomp.SyscallGroup{Names: names, Action: seccomp.ActionAllow})
}

// known are the names that this architecture has.
func known(names []string) ([]string, error) {
	a, err := arch.GetInfo("")
	if err != nil {
		return nil, errors.Join(ErrUnsupported, err)
	}
	return slices.DeleteFunc(names, func(name string) bool {
		_, found := a.SyscallNames[name]
		return !found
	}), nil
}

func load(otherwise seccomp.Action, groups ...seccomp.SyscallGroup) error {
	err := seccomp.LoadFilter(seccomp.Filter{
		NoNewPrivs: true,
		Flag:       seccomp.FilterFlagTSync,
		Policy:     seccomp.Policy{DefaultAction: otherwise, Syscalls: groups},
	})
	if errors.Is(err, unix.ENOSYS) {
		return errors.Join(ErrUnsupported, err)
	}
	if err != nil {
		return fmt.Errorf("enter seccomp: %w", err)
	}
	return nil
}
