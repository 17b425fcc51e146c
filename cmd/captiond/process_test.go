package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// A process is a daemon of its own, with an embedded NATS server.
type process struct {
	cmd  *exec.Cmd
	log  *lockedBuffer
	nats string
	http string
}

// startProcess runs a daemon on a state folder and a configuration, and waits until it serves.
func startProcess(t testing.TB, state, config string, more ...string) *process {
	t.Helper()
	args := append([]string{"serve", "--state", state, "--nats-listen", "127.0.0.1:0", "--http", "127.0.0.1:0"}, more...)
	if config != "" {
		args = append(args, "-c", config)
	}
	p := &process{cmd: exec.CommandContext(t.Context(), decoder, args...), log: new(lockedBuffer)}
	library, err := filepath.Abs(filepath.Join("..", "..", "lib", "libonnxruntime.so.1"))
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Env = []string{"HOME=" + state, "CAPTIOND_MODEL_LIBRARY=" + library}
	out, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.log)
		}
	})
	serving := make(chan bool)
	go func() {
		defer close(serving)
		for s := bufio.NewScanner(out); s.Scan(); {
			fmt.Fprintln(p.log, s.Text())
			if strings.Contains(s.Text(), "captiond serves") {
				serving <- true
			}
		}
	}()
	if !<-serving {
		t.Fatalf("the daemon did not start:\n%s", p.log)
	}
	go func() {
		for range serving { // until the log's end
		}
	}()
	if !slices.Contains(more, "--nats") {
		p.nats = find(t, p.log.String(), `nats://127[^\s"]+`)
	}
	p.http = find(t, p.log.String(), `http://127[^\s"]+`)
	return p
}

func find(t testing.TB, text, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindString(text)
	if found == "" {
		t.Fatalf("%s is not in:\n%s", pattern, text)
	}
	return found
}

// end signals the daemon and waits for it.
func (p *process) end(t testing.TB, s syscall.Signal) int {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Error(err)
	}
	_ = p.cmd.Wait() // killed, it is an error
	return p.cmd.ProcessState.ExitCode()
}

// stop asks the daemon to end.
func (p *process) stop(t testing.TB) int {
	t.Helper()
	return p.end(t, syscall.SIGTERM)
}

// An answer is what came of a request.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends a request and reads the answer to its end.
func send(t testing.TB, r *http.Request) answer {
	t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(b)}
}

// request is one to the daemon.
func (p *process) request(t testing.TB, method, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.http+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (p *process) get(t testing.TB, path string) string {
	t.Helper()
	return send(t, p.request(t, http.MethodGet, path, nil)).body
}

// receive takes events of a daemon until enough says so.
func (p *process) receive(t testing.TB, from nats.From, enough func(sinks.Event) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	client, err := nats.Dial(nats.Options{URL: p.nats})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close(context.Background()) }()
	for e, err := range client.Watch(ctx, from) {
		if err != nil {
			t.Error(err)
		}
		if enough(e) {
			return
		}
	}
	t.Fatalf("not enough events within two minutes:\n%s", p.log)
}

// configFile writes a configuration with a camera.
func configFile(t testing.TB, cameras ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "captiond.yaml")
	if err := os.WriteFile(name, []byte("cameras:\n"+strings.Join(cameras, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func shapesCamera(name, url, more string) string {
	return fmt.Sprintf("  - {name: %s, url: %q, window: 3s, every: 500ms, gate: {enabled: false}%s}\n", name, url, more)
}

// waitCaptions waits until a daemon has made so many captions safe.
func waitCaptions(t testing.TB, p *process, n int) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < time.Minute; <-time.After(100 * time.Millisecond) {
		m := regexp.MustCompile(`captiond_events_total{kind="caption",source="door"} (\d+)`).FindStringSubmatch(p.get(t, "/metrics"))
		if m != nil {
			if have, err := strconv.Atoi(m[1]); err == nil && have >= n {
				return
			}
		}
	}
	t.Fatalf("no %d captions within a minute:\n%s", n, p.log)
}

// killChild kills one decode child of a process.
func killChild(t testing.TB, parent int) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		for _, child := range bytes.Fields(b) {
			pid, err := strconv.Atoi(string(child))
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("no child is there")
}
