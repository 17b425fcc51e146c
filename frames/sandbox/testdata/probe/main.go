// Command probe enters the sandbox and then tries what must not work there. It prints one
// line for each attempt: its name and the error number, 0 where it succeeded.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/captiond/captiond/frames/sandbox"
)

// attempts are made in this order; each is a system call, so that no library refuses first.
func attempts() []struct {
	name string
	try  func() unix.Errno
} {
	path, _ := unix.BytePtrFromString("/etc/passwd")
	fresh, _ := unix.BytePtrFromString(os.TempDir() + "/captiond-probe")
	name, at := uintptr(unsafe.Pointer(path)), int64(unix.AT_FDCWD)
	none := uintptr(1<<64 - 1)
	call := func(nr uintptr, args ...uintptr) func() unix.Errno {
		var a [6]uintptr
		copy(a[:], args)
		return func() unix.Errno {
			_, _, errno := unix.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
			return errno
		}
	}
	return []struct {
		name string
		try  func() unix.Errno
	}{
		{"open", call(unix.SYS_OPENAT, uintptr(at), name, unix.O_RDONLY)},
		{"create", call(unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(fresh)), unix.O_CREAT|unix.O_WRONLY, 0o600)},
		{"unlink", call(unix.SYS_UNLINKAT, uintptr(at), name, 0)},
		{"socket", call(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 0)},
		{"unix socket", call(unix.SYS_SOCKETPAIR, unix.AF_UNIX, unix.SOCK_STREAM, 0, name)},
		{"connect", call(unix.SYS_CONNECT, none, name, 16)},
		{"listen", call(unix.SYS_LISTEN, none, 1)},
		{"accept", call(unix.SYS_ACCEPT4, none, 0, 0, 0)},
		{"exec", call(unix.SYS_EXECVE, name, 0, 0)},
		{"execveat", call(unix.SYS_EXECVEAT, uintptr(at), name, 0, 0, 0)},
		{"fork", call(unix.SYS_CLONE, uintptr(unix.SIGCHLD))},
		{"namespace", call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER)},
		{"ptrace", call(unix.SYS_PTRACE, unix.PTRACE_ATTACH, uintptr(os.Getppid()))},
		{"read parent", call(unix.SYS_PROCESS_VM_READV, uintptr(os.Getppid()))},
		{"signal parent", call(unix.SYS_KILL, uintptr(os.Getppid()), 0)},
		{"signal thread", call(unix.SYS_TGKILL, uintptr(os.Getppid()), uintptr(os.Getppid()), 0)},
		{"raise own limit", call(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_CPU, name)},
		{"memfd", call(unix.SYS_MEMFD_CREATE, name, 0)},
		{"io_uring", call(unix.SYS_IO_URING_SETUP, 1, name)},
		{"bpf", call(unix.SYS_BPF, 0, 0, 0)},
		{"userfaultfd", call(unix.SYS_USERFAULTFD, 0)},
		{"perf", call(unix.SYS_PERF_EVENT_OPEN, 0)},
		{"keyctl", call(unix.SYS_KEYCTL, 0)},
		{"mount", call(unix.SYS_MOUNT, name, name, name, 0, 0)},
		{"duplicate", call(unix.SYS_FCNTL, 1, unix.F_DUPFD, 0)},
		{"code", call(unix.SYS_MMAP, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON, none, 0)},
		{"clone3", call(unix.SYS_CLONE3, 0, 0)},
		{"memory", call(unix.SYS_MMAP, 0, 1<<32, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON, none, 0)},
		{"threads", threads},
		{"time", func() unix.Errno { <-time.After(time.Millisecond); return 0 }},
	}
}

// threads starts more threads than there are processors: that must work.
func threads() unix.Errno {
	var running, done sync.WaitGroup
	release := make(chan struct{})
	for range 8 {
		running.Add(1)
		done.Go(func() {
			runtime.LockOSThread()
			running.Done()
			<-release
		})
	}
	running.Wait()
	close(release)
	done.Wait()
	return 0
}

func main() {
	signal.Ignore(unix.SIGPIPE)
	tries := attempts() // while names of files can be found out
	limits := sandbox.DefaultLimits()
	if len(os.Args) > 2 {
		seconds, _ := strconv.Atoi(os.Args[2])
		limits.CPU = time.Duration(seconds) * time.Second
	}
	level, err := sandbox.Enter(limits)
	if err != nil {
		fmt.Println("enter:", err)
		os.Exit(1)
	}
	switch os.Args[1] {
	case "crash":
		*(*int)(unsafe.Pointer(uintptr(8))) = 1 //nolint:govet // a crash is what is wanted
	case "spin":
		for {
		}
	}
	fmt.Printf("landlock=%d seccomp=%t\n", level.Landlock, level.Seccomp)
	for _, a := range tries {
		fmt.Printf("%s=%d\n", a.name, int(a.try()))
	}
}
