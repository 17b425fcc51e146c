package sandbox

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fatal are the signals that Go answers with a dump and exit status 2.
func fatal() []unix.Signal {
	return []unix.Signal{
		unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE,
		unix.SIGSEGV, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGSYS,
	}
}

// defaultAction is the kernel's struct sigaction with SIG_DFL: all zeros; its fields are
// laid out in different ways, within 32 bytes.
type defaultAction [4]uint64

// restoreSignals makes each fatal signal end the process as if Go had never asked for it.
// os/signal cannot: it gives them back to Go.
func restoreSignals() error {
	var action defaultAction
	const maskSize = 8
	for _, s := range fatal() {
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&action)), 0, maskSize, 0, 0)
		if errno != 0 {
			return fmt.Errorf("restore signal %v: %w", s, errno)
		}
	}
	return nil
}
