package worker_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/worker"
)

// scripted is the child that misbehaves on demand. It is built without the race detector,
// whose shadow memory is larger than the address space that the sandbox leaves.
var scripted string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "captiond-worker-")
	if err != nil {
		panic(err)
	}
	scripted = filepath.Join(dir, "child")
	if out, err := exec.Command("go", "build", "-o", scripted, "./testdata/child").CombinedOutput(); err != nil {
		panic(string(out))
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

func decoder(mode string) worker.Decoder {
	return worker.Decoder{Executable: scripted, Args: []string{mode}, Stall: 3 * time.Second, CPU: time.Second}
}

func input(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func seconds(n int) []time.Duration {
	at := make([]time.Duration, n)
	for i := range at {
		at[i] = time.Duration(i) * time.Second
	}
	return at
}

func collect(ctx context.Context, c *worker.Clip, at []time.Duration) (got []frames.Sample, err error) {
	for s, err := range c.Show(ctx, at) {
		if err != nil {
			return got, err
		}
		got = append(got, s)
	}
	return got, nil
}

func TestShow(t *testing.T) {
	t.Parallel()
	err := decoder("good").Run(t.Context(), input(t), func(ctx context.Context, c *worker.Clip) error {
		if i := c.Info(); i.Title != "a title" || i.Width != 2 || i.Duration != time.Minute || i.Damage != "" {
			t.Errorf("info %+v", i)
		}
		if env := c.Ready().Libraries["env"]; env != "" || !c.Ready().Seccomp {
			t.Errorf("ready %+v", c.Ready())
		}
		for range 3 {
			got, err := collect(ctx, c, seconds(5))
			if err != nil {
				return err
			}
			if len(got) != 3 || got[1].First != 2 || got[1].Count != 2 || got[2].Count != 1 || got[1].PTS != 2*time.Second {
				t.Errorf("samples %+v", got)
			}
			if want := []byte("abc\xffdef\xffghi\xffjkl\xff"); !bytes.Equal(got[0].Image.Pix, want) {
				t.Errorf("pixels %q", got[0].Image.Pix)
			}
		}
		if d := c.Info().Damage; d != "cut off at 3 s" {
			t.Errorf("damage %q", d)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestShowAgainAfterLeaving(t *testing.T) {
	t.Parallel()
	err := decoder("good").Run(t.Context(), input(t), func(ctx context.Context, c *worker.Clip) error {
		for _, err := range c.Show(ctx, seconds(100)) {
			if err != nil {
				return err
			}
			break
		}
		got, err := collect(ctx, c, seconds(2))
		if len(got) != 1 || got[0].Count != 2 {
			t.Errorf("samples %+v", got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMisbehaviour is checks 6 and 7 of the scorecard in short: whatever a child does, its
// caller gets one error, soon.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]string{
		"mute":      "no progress for 3s",
		"refuse":    "no video track",
		"crash":     `decoder was killed by signal segmentation fault (last message: "[h264] error while decoding MB 3 4")`,
		"panic":     `decoder broke down: panic: index out of range: secret (last message: "[mov] a message")`,
		"hang":      `no progress for 3s (last message: "[mpegts] waiting")`,
		"stubborn":  "no progress for 3s",
		"still":     "no progress for 3s",
		"exit":      "decoder ended early: exit status 3",
		"garbage":   "decoder does not keep to its protocol",
		"length":    "decoder does not keep to its protocol",
		"long":      "decoder does not keep to its protocol",
		"cut":       "decoder ended early: exit status 0",
		"outside":   "decoder does not keep to its protocol",
		"backwards": "decoder does not keep to its protocol",
		"few":       "decoder does not keep to its protocol",
		"memory":    "decoder broke down: ",
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			d := decoder(mode)
			if !strings.Contains(want, "no progress") {
				d.Stall, d.CPU = 30*time.Second, time.Minute // a slow machine is not what is tested
			}
			begun := time.Now()
			err := d.Run(t.Context(), input(t), show)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %s", err, want)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error is more than a line: %q", err)
			}
			if took := time.Since(begun); took > 25*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func show(ctx context.Context, c *worker.Clip) error {
	_, err := collect(ctx, c, seconds(4))
	return err
}

// TestProcessorTime shows that work that gets on may take more processor time than the
// limit, and work that does not may not, even while nobody looks.
func TestProcessorTime(t *testing.T) {
	t.Parallel()
	d := decoder("slow")
	told := 0
	d.Progress = func() { told++ }
	if err := d.Run(t.Context(), input(t), show); err != nil || told < 30 {
		t.Errorf("a long film: %v, and progress was told %d times", err, told)
	}
	d = decoder("spin")
	d.Stall = time.Minute
	err := d.Run(t.Context(), input(t), show)
	if err == nil || !strings.Contains(err.Error(), "used up its processor time") {
		t.Errorf("a spinning child: %v", err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"mute", "hang"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("enough")
		timer := time.AfterFunc(200*time.Millisecond, func() { cancel(why) })
		d := decoder(mode)
		d.Stall = time.Minute
		begun := time.Now()
		if err := d.Run(ctx, input(t), show); !errors.Is(err, why) {
			t.Errorf("%s: %v", mode, err)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("%s: took %v", mode, took)
		}
		timer.Stop()
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	r, err := decoder("good").Probe(t.Context())
	if err != nil || !r.Seccomp {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := (worker.Decoder{Executable: "/nonexistent"}).Probe(t.Context()); err == nil {
		t.Error("a missing program was started")
	}
}

func TestNoiseIsBounded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	d := decoder("noise")
	d.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if err := d.Run(t.Context(), input(t), show); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(log.Bytes(), []byte("\n")); n != 201 {
		t.Errorf("%d lines were logged", n)
	}
}

// TestNothingIsLeft runs alone: it counts what the whole process holds.
func TestNothingIsLeft(t *testing.T) {
	in := input(t)
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	_ = decoder("good").Run(t.Context(), in, show) // what is opened once
	before := count()
	for _, mode := range []string{"good", "crash", "refuse", "garbage", "fork", "good"} {
		_ = decoder(mode).Run(t.Context(), in, show)
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	children, err := os.ReadFile("/proc/thread-self/children")
	if err == nil && len(children) > 0 {
		t.Errorf("children are left: %s", children)
	}
}
