package outbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// childVariable makes the test binary a child that publishes: its value is the folder, the
// number of the first event, and whether its files are limited.
const childVariable = "OUTBOX_TEST_CHILD"

// childSources publish at the same time.
const childSources = 4

// child publishes until it is killed, and prints each event that is accepted.
func child() int {
	parts := strings.Split(os.Getenv(childVariable), "|")
	first, err := strconv.Atoi(parts[1])
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if parts[2] == "true" {
		signal.Ignore(syscall.SIGXFSZ)
		limit(64 << 10)
	}
	box, err := Open(Options{Dir: parts[0], Segment: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	var publishing sync.WaitGroup
	for s := range childSources {
		publishing.Go(func() { speak(box, fmt.Sprint("s", s), first) })
	}
	publishing.Wait()
	return 1
}

// speak publishes the events of a source. Where its files may not grow, it prints so, and goes
// on with the same event when they may again.
func speak(box *Outbox, source string, n int) {
	for {
		err := box.Publish(context.Background(), caption(source, n))
		switch {
		case err == nil:
			fmt.Println(source, n)
			n++
		case errors.Is(err, syscall.EFBIG):
			fmt.Println("full")
			limit(1 << 30)
		default:
			fmt.Println(err)
			return
		}
	}
}

func limit(bytes uint64) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		panic(err)
	}
	l.Cur = min(bytes, l.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		panic(err)
	}
}

// runChild lets a child publish so many events, and kills it a moment later. It returns what
// it printed.
func runChild(t *testing.T, dir string, first, lines int, limited bool) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%d|%t", childVariable, dir, first, limited))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var printed []string
	for s := bufio.NewScanner(out); s.Scan(); {
		if printed = append(printed, s.Text()); len(printed) == lines {
			// What it says until it dies counts as well.
			time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); !killed(err) {
		t.Fatalf("child: %v after %q", err, printed[max(0, len(printed)-3):])
	}
	return printed
}

func killed(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}

// spoken is what children said that they had accepted.
type spoken struct {
	last [childSources]int // numbers, from 0 on without a hole
	full bool
}

func (s *spoken) hear(t *testing.T, lines []string) {
	t.Helper()
	for _, line := range lines {
		var source, n int
		if line == "full" {
			s.full = true
		} else if _, err := fmt.Sscanf(line, "s%d %d", &source, &n); err != nil {
			t.Fatal(line)
		} else {
			s.last[source] = max(s.last[source], n)
		}
	}
}

// What was accepted before a kill -9 is there, once: children that say again what was said
// before them change nothing.
//
//nolint:paralleltest // a child that is being started holds the locks of other tests' outboxes
func TestKill(t *testing.T) {
	dir := t.TempDir()
	var said spoken
	for range 20 {
		first := max(0, min(said.last[0], said.last[1], said.last[2], said.last[3])-2)
		said.hear(t, runChild(t, dir, first, 1+rand.IntN(60), false))
	}
	checkSpoken(t, dir, said)
}

// checkSpoken drains a folder.
func checkSpoken(t *testing.T, dir string, said spoken) {
	t.Helper()
	box := open(t, Options{Dir: dir})
	defer shut(t, box)
	b := new(broker)
	drainAll(t, box, b)
	next := map[string]int64{}
	for _, e := range b.events {
		h := e.Head()
		if h.Seq != next[h.Source] {
			t.Errorf("%s: event %d after %d", h.Source, h.Seq, next[h.Source]-1)
		}
		next[h.Source] = h.Seq + 1
	}
	for s, last := range said.last {
		if n := next[fmt.Sprint("s", s)]; n <= int64(last) {
			t.Errorf("s%d: %d events, though %d was accepted", s, n, last)
		}
	}
	if s := box.Stats(); b.again != 0 || s.Corrupt != 0 || s.Waiting != 0 {
		t.Errorf("%d events were there twice; %+v", b.again, s)
	}
}

// A full disk refuses events; when there is room it accepts them again, and none is lost.
//
//nolint:paralleltest // see TestKill
func TestFileLimit(t *testing.T) {
	dir := t.TempDir()
	var said spoken
	said.hear(t, runChild(t, dir, 0, 600, true))
	if !said.full {
		t.Fatal("the disk was never full")
	}
	checkSpoken(t, dir, said)
}
