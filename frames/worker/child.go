package worker

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/captiond/captiond/frames/wire"
)

// A child is a running decode process. All but kill is for one goroutine at a time.
type child struct {
	cmd     *exec.Cmd
	stall   time.Duration
	cpu     time.Duration
	further func()
	ready   Ready
	out     *wire.Writer
	in      *wire.Reader
	pipes   []*os.File // the parent's ends
	request *os.File
	report  *os.File
	output  *output
	done    wire.Progress // the furthest that it has reported
	granted time.Time     // when processor time was last granted

	gone   chan struct{} // closed when the process has been reaped
	status error         // how it ended; read after gone

	mu     sync.Mutex
	reaped bool // its number may belong to another process
}

// start runs the executable with the input, and pipes for requests, reports and errors.
func start(d Decoder, input *os.File) (*child, error) {
	ours, theirs, err := pipes()
	defer closeAll(theirs)
	if err != nil {
		closeAll(ours)
		return nil, err
	}
	c := &child{
		stall: d.Stall, cpu: d.CPU, further: d.Progress, gone: make(chan struct{}),
		pipes: ours, request: ours[0], report: ours[1],
		out: wire.NewWriter(ours[0]), in: wire.NewReader(ours[1], d.MaxPixels),
	}
	c.cmd = exec.Command(d.Executable, d.Args...)
	c.cmd.Env = []string{} // nil would be the parent's
	c.cmd.ExtraFiles = []*os.File{input, theirs[0], theirs[1]}
	c.cmd.Stderr = theirs[2]
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := c.launch(); err != nil {
		closeAll(ours)
		return nil, err
	}
	c.output = listen(ours[2], d.Log)
	return c, nil
}

// pipes returns the two ends of three: to the child requests, from it reports and errors.
// What it returns is to be closed even after an error.
func pipes() (ours, theirs []*os.File, err error) {
	for range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			return ours, theirs, err
		}
		ours, theirs = append(ours, r), append(theirs, w)
	}
	ours[0], theirs[0] = theirs[0], ours[0]
	return ours, theirs, nil
}

// launch starts the process from a thread that lives until the process has ended: a parent
// death signal is sent when the thread that forked dies, not the process.
func (c *child) launch() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.wait()
		}
	}()
	return <-started
}

// wait reaps the process, after whatever else is in its group has been killed while its
// number was still its own.
func (c *child) wait() {
	defer close(c.gone)
	for {
		err := unix.Waitid(unix.P_PID, c.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	c.kill()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reaped = true
	c.status = c.cmd.Wait()
}

// kill ends the process and its group. It may be called at any time, by anybody, again.
func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reaped {
		_ = unix.Kill(-c.cmd.Process.Pid, unix.SIGKILL) // gone already: that was the aim
	}
}

// end kills the child and waits until nothing of it is left.
func (c *child) end() {
	c.kill()
	<-c.gone
	c.output.wait()
	closeAll(c.pipes)
}

// send makes a request. The child may be busy, but not for longer than a stall.
func (c *child) send(m wire.Message) error {
	if err := c.request.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
		return c.failed(err)
	}
	if err := c.out.Write(m); err != nil {
		return c.failed(err)
	}
	return nil
}

// receive returns the next message that is not Progress. The child must get on while it is
// waited for: a message, or Progress that is further than before, within each stall.
func (c *child) receive() (wire.Message, error) {
	for further := true; ; {
		if further {
			if err := c.report.SetReadDeadline(time.Now().Add(c.stall)); err != nil {
				return nil, c.failed(err)
			}
		}
		m, err := c.in.Read()
		if err != nil {
			return nil, c.failed(err)
		}
		p, ok := m.(wire.Progress)
		further = !ok || p.Packets > c.done.Packets || p.Frames > c.done.Frames
		if further {
			c.further()
			c.grant()
		}
		if !ok {
			return m, nil
		}
		c.done.Packets, c.done.Frames = max(c.done.Packets, p.Packets), max(c.done.Frames, p.Frames)
	}
}

// grantEvery is how often processor time is granted at most.
const grantEvery = 100 * time.Millisecond

// grant lets the child go on for a while: its limit of processor time is what it has used
// and the allowance. So a long film passes, and what spins without progress is ended by the
// kernel even where this process does not look.
func (c *child) grant() {
	if time.Since(c.granted) < grantEvery {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reaped {
		return
	}
	c.granted = time.Now()
	pid := c.cmd.Process.Pid
	var used unix.Timespec
	var limit unix.Rlimit
	// The clock of another process' processor time; see clock_getcpuclockid(3).
	if unix.ClockGettime(int32(^pid<<3|2), &used) != nil ||
		unix.Prlimit(pid, unix.RLIMIT_CPU, nil, &limit) != nil || limit.Cur == limit.Max {
		return
	}
	allowance := uint64(max((c.cpu+time.Second-1)/time.Second, 1))
	limit.Cur = min(uint64(used.Sec)+1+allowance, limit.Max)
	_ = unix.Prlimit(pid, unix.RLIMIT_CPU, &limit, nil) // it has died meanwhile: receive says so
}

// patience is how long a child that has closed its pipe may take to die.
const patience = 2 * time.Second

// Errors that the file may not be to blame for.
var (
	// ErrStart says that there is no child: too many processes, perhaps.
	ErrStart = errors.New("start decoder")
	// ErrKilled says that somebody else ended the child: the system, for want of memory, perhaps.
	ErrKilled = errors.New("decoder was killed by signal killed")
)

// fate says how a child ended that closed its pipe.
func (c *child) fate(err error) error {
	if !closed(err) && !errors.Is(err, unix.EPIPE) {
		return fmt.Errorf("talk to decoder: %w", err)
	}
	select {
	case <-c.gone:
	case <-time.After(patience):
		return errors.New("decoder stopped talking")
	}
	status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled() && status.Signal() == unix.SIGXCPU:
		return errors.New("decoder used up its processor time without progress")
	case ok && status.Signal() == unix.SIGKILL:
		return ErrKilled
	case ok && status.Signaled():
		return fmt.Errorf("decoder was killed by signal %v", status.Signal())
	case c.output.reason() != "":
		return fmt.Errorf("decoder broke down: %s", c.output.reason())
	}
	return fmt.Errorf("decoder ended early: %v", c.cmd.ProcessState)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
