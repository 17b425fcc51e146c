package jetstream_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/captiond/captiond/pipeline/files"
	jobs "github.com/captiond/captiond/pipeline/jetstream"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// runChild runs a child to its end, or, where lines is not negative, until it has printed so
// many and a moment more. It says whether it was killed.
func runChild(t *testing.T, dir string, deadly, lines int) (killed bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%d", childVariable, dir, deadly))
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
			time.AfterFunc(time.Duration(rand.IntN(4000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	killed = errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	if err != nil && !killed {
		t.Fatalf("child: %v after %q", err, printed[max(0, len(printed)-3):])
	}
	return killed
}

// A daemon that is paused in the middle of a job, and goes on when another one has done it,
// changes nothing.
//
//nolint:paralleltest // see TestKill
func TestPaused(t *testing.T) {
	calm := t.TempDir()
	runChild(t, calm, -1, -1)
	want := outcomeIn(t, calm)
	server := start(t)
	paused := exec.CommandContext(t.Context(), os.Args[0])
	paused.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%d", childVariable, server.URL(), -1))
	out, err := paused.StdoutPipe()
	do(t, "pipe", err)
	do(t, "start", paused.Start())
	lines := bufio.NewScanner(out)
	for range 100 + rand.IntN(100) {
		if !lines.Scan() {
			t.Fatal("the job was done too early")
		}
	}
	do(t, "pause", paused.Process.Signal(syscall.SIGSTOP))
	if runChild(t, server.URL(), -1, -1) {
		t.Fatal("the other child was killed")
	}
	do(t, "go on", paused.Process.Signal(syscall.SIGCONT))
	for lines.Scan() {
	}
	do(t, "wait", paused.Wait())
	got := outcomeAt(t, dial(t, server))
	if !slices.Equal(got.captions, want.captions) || got.video.State != sinks.JobDone || got.video.Attempt < 2 || got.waiting {
		t.Errorf("still in the queue: %v; captions\n%s\nthe record is %+v", got.waiting, strings.Join(got.captions, "\n"), got.video)
	}
	checkTold(t, got.told, sinks.JobDone)
}

// An outcome is what is left of a job.
type outcome struct {
	video    files.Video
	captions []string // in order, without what a machine's speed decides
	told     []*sinks.Job
	waiting  bool
}

// outcomeIn reads what children left in a folder.
func outcomeIn(t *testing.T, dir string) outcome {
	t.Helper()
	s, err := nats.Start(nats.ServerOptions{StoreDir: dir})
	do(t, "start", err)
	defer func() { do(t, "stop", s.Stop()) }()
	c, err := nats.Dial(nats.Options{Server: s})
	do(t, "dial", err)
	defer func() { do(t, "close", c.Close(context.Background())) }()
	return outcomeAt(t, c)
}

func outcomeAt(t *testing.T, c *nats.Client) (o outcome) {
	t.Helper()
	records, err := jobs.NewRecords(c.Conn(), jobs.Options{})
	do(t, "records", err)
	o.video, _, err = records.Get(t.Context(), id(1))
	do(t, "record", err)
	o.waiting, err = queue(t, c, jobs.Options{Waiting: 1}).Full(t.Context())
	do(t, "queue", err)
	for e, err := range c.Told(t.Context(), &sinks.Caption{Header: sinks.Header{Source: files.Source(id(1))}}) {
		do(t, "captions", err)
		caption := e.(*sinks.Caption)
		caption.LatencyMS = 0
		b, err := sinks.Encode(caption)
		do(t, "encode", err)
		o.captions = append(o.captions, string(b))
	}
	for e, err := range c.Told(t.Context(), o.video.Event()) {
		do(t, "events", err)
		o.told = append(o.told, e.(*sinks.Job))
	}
	return o
}

// A daemon that is killed at 20 random points of a job says in the end what one says that is
// not: the same captions, each once, in order.
//
//nolint:paralleltest // it is about time
func TestKill(t *testing.T) {
	calm := t.TempDir()
	if runChild(t, calm, -1, -1) {
		t.Fatal("an undisturbed child was killed")
	}
	want := outcomeIn(t, calm)
	if len(want.captions) != 48 || want.video.State != sinks.JobDone || want.video.Attempt != 1 {
		t.Fatalf("undisturbed: %d captions and %+v", len(want.captions), want.video)
	}
	dir := t.TempDir()
	kills := 0
	for kills < 20 && runChild(t, dir, -1, 1+rand.IntN(24)) {
		kills++
	}
	if kills < 20 {
		t.Fatalf("the job was done after %d kills", kills)
	}
	if runChild(t, dir, -1, -1) {
		t.Fatal("the last child was killed")
	}
	got := outcomeIn(t, dir)
	if !slices.Equal(got.captions, want.captions) {
		t.Errorf("captions\n%s\nwant\n%s", strings.Join(got.captions, "\n"), strings.Join(want.captions, "\n"))
	}
	v := got.video
	if v.State != sinks.JobDone || v.Progress != 1 || v.Captions != 48 || v.Attempt < 2 || got.waiting {
		t.Errorf("still in the queue: %v; the record is %+v", got.waiting, v)
	}
	checkTold(t, got.told, sinks.JobDone)
	t.Logf("%d kills, %d attempts", kills, v.Attempt)
}

// checkTold sees that the events of a job do not go back, and end with its end, once.
func checkTold(t *testing.T, told []*sinks.Job, end sinks.JobState) {
	t.Helper()
	ended := 0
	for i, e := range told {
		if files.Ended(e.State) {
			ended++
		}
		if i > 0 && (e.Progress < told[i-1].Progress || e.Attempt < told[i-1].Attempt) {
			t.Errorf("event %d goes back: %+v after %+v", i, e, told[i-1])
		}
	}
	if len(told) == 0 || ended != 1 || told[len(told)-1].State != end {
		t.Errorf("%d ends were told, the last event of %d is no %s", ended, len(told), end)
	}
}

// A job that kills the daemon is given up at last.
//
//nolint:paralleltest // see TestKill
func TestPoison(t *testing.T) {
	dir := t.TempDir()
	kills := 0
	for runChild(t, dir, 77, -1) {
		if kills++; kills > 2*childAttempts {
			t.Fatal("it is never given up")
		}
	}
	got := outcomeIn(t, dir)
	v := got.video
	if v.State != sinks.JobFailed || got.waiting || len(got.captions) != 7 || !strings.Contains(v.Detail, "the video may be at fault") {
		t.Errorf("%d captions, still in the queue: %v; the record is %+v", len(got.captions), got.waiting, v)
	}
	// The first attempt came further.
	if kills != 1+childAttempts {
		t.Errorf("it killed the daemon %d times, want %d", kills, 1+childAttempts)
	}
	checkTold(t, got.told, sinks.JobFailed)
}
