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
	"syscall"
	"testing"
	"time"
)

// childVariable makes the test binary a child that publishes: its value is the folder and the
// number of the first event.
const childVariable = "OUTBOX_TEST_CHILD"

// child publishes until it is killed, and prints the number of each event that is accepted.
// Where its files may not grow, it prints "full" once, and goes on when they may again.
func child() int {
	dir, first, limited := parse(os.Getenv(childVariable))
	signal.Ignore(syscall.SIGXFSZ)
	if limited {
		limit(64 << 10)
	}
	box, err := Open(Options{Dir: dir, Segment: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for n := first; ; n++ {
		err := box.Publish(context.Background(), caption("s", n))
		switch {
		case err == nil:
			fmt.Println(n)
		case limited:
			fmt.Println("full")
			limit(1 << 30)
			limited = false
		default:
			fmt.Println(err)
			return 1
		}
	}
}

func parse(value string) (dir string, first int, limited bool) {
	parts := strings.Split(value, "|")
	first, _ = strconv.Atoi(parts[1])
	return parts[0], first, parts[2] == "true"
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

// runChild lets a child publish so many events, and kills it. It returns what it printed.
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
			_ = cmd.Process.Kill() // what it says until it dies counts as well
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

// What was accepted before a kill -9 is there once.
//
//nolint:paralleltest // a child that is being started holds the locks of other tests' outboxes
func TestKill(t *testing.T) {
	dir := t.TempDir()
	first := 0
	accepted := map[int64]bool{}
	for range 20 {
		for _, line := range runChild(t, dir, first, 1+rand.IntN(40), false) {
			n, err := strconv.Atoi(line)
			if err != nil {
				t.Fatal(line)
			}
			accepted[int64(n)] = true
			first = n + 2 // the one after may be there or not
		}
	}
	checkAccepted(t, dir, accepted)
}

// checkAccepted drains a folder, twice over.
func checkAccepted(t *testing.T, dir string, accepted map[int64]bool) {
	t.Helper()
	box := open(t, Options{Dir: dir})
	defer shut(t, box)
	b := new(broker)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if ok, err := box.round(ctx, b); err != nil || !ok {
			break
		}
	}
	last := int64(-1)
	for _, e := range b.events {
		if e.Head().Seq <= last {
			t.Errorf("event %d after %d", e.Head().Seq, last)
		}
		last = e.Head().Seq
		delete(accepted, last)
	}
	if len(accepted) > 0 {
		t.Errorf("%d accepted events are lost", len(accepted))
	}
}

// A full disk refuses events; when there is room it accepts them again, and none is lost.
//
//nolint:paralleltest // see TestKill
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	accepted := map[int64]bool{}
	full := false
	for _, line := range runChild(t, dir, 0, 600, true) {
		n, err := strconv.Atoi(line)
		if err != nil {
			full = full || line == "full"
			continue
		}
		accepted[int64(n)] = true
	}
	if !full {
		t.Fatal("the disk was never full")
	}
	checkAccepted(t, dir, accepted)
}
