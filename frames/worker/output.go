package worker

import (
	"bufio"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync"

	"github.com/captiond/captiond/frames/wire"
)

const (
	maxLine   = 2 << 10 // bytes of a line that are looked at
	maxLogged = 200     // lines of a child that are logged
)

// An output is what a child prints: FFmpeg's messages, and the dump of a Go program that
// breaks down, of which only the reason is kept.
type output struct {
	log     *slog.Logger
	over    sync.WaitGroup
	address *regexp.Regexp // of an object, in a message of FFmpeg's

	mu      sync.Mutex
	message string // FFmpeg's last
	dump    string // the first line of a dump
	lines   int
}

// listen reads until the child's standard error is closed.
func listen(r io.Reader, log *slog.Logger) *output {
	o := &output{log: log, address: regexp.MustCompile(` @ 0x[0-9a-f]+\]`)}
	o.over.Go(func() { o.read(r) })
	return o
}

// wait returns when all has been read: soon after the child's death.
func (o *output) wait() { o.over.Wait() }

func (o *output) read(r io.Reader) {
	lines := bufio.NewReaderSize(r, maxLine)
	for {
		line, whole, err := lines.ReadLine()
		if err != nil {
			break
		}
		o.add(string(line))
		for whole && err == nil { // the rest of a line that is too long
			_, whole, err = lines.ReadLine()
		}
	}
	if o.lines > maxLogged {
		o.log.Debug("decoder said more than is logged", "lines", o.lines-maxLogged)
	}
}

func (o *output) add(line string) {
	// "[h264 @ 0x55d0c8]": the address says nothing to a person and is another each time.
	line = wire.Clean(o.address.ReplaceAllString(line, "]"), maxLine)
	o.mu.Lock()
	defer o.mu.Unlock()
	if line == "" || o.dump != "" {
		return
	}
	if isDump(line) {
		o.dump = line
		return
	}
	o.message = line
	if o.lines++; o.lines <= maxLogged {
		o.log.Debug("decoder says", "message", line)
	}
}

// last returns FFmpeg's last message.
func (o *output) last() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.message
}

// reason returns why the child's Go code broke down, "" if it did not.
func (o *output) reason() string {
	o.over.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dump
}

// isDump knows the first line of what the Go runtime prints on its way out.
func isDump(line string) bool {
	for _, begin := range []string{"panic: ", "fatal error: ", "runtime: ", "fatal: ", "SIG"} {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return false
}
