package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/captiond/captiond/demo/camera"
	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/sinks"
	"github.com/captiond/captiond/sinks/nats"
)

// The programs of docs/clients.md are run as they stand there.
var programBlock = regexp.MustCompile("(?ms)^```\\w+ (\\S+)\n(.*?)^```$")

// programs writes the programs of the document to a folder.
func programs(t *testing.T) (folder string) {
	t.Helper()
	b, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	for _, m := range programBlock.FindAllSubmatch(b, -1) {
		if err := os.WriteFile(filepath.Join(folder, string(m[1])), m[2], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// example is how one is run. Those in Go are built within this module, for what they import.
func example(t *testing.T, path string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	with := map[string]string{".sh": "sh", ".py": "python3", ".mjs": "node"}[filepath.Ext(path)]
	if filepath.Ext(path) == ".go" {
		binary := strings.TrimSuffix(path, ".go")
		if out, err := exec.CommandContext(ctx, "go", "build", "-race=false", "-o", binary, path).CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", filepath.Base(path), err, out)
		}
		return exec.CommandContext(ctx, binary, args...)
	}
	tool, err := exec.LookPath(with)
	if err != nil {
		t.Fatalf("%v: make deps installs it", err)
	}
	return exec.CommandContext(ctx, tool, append([]string{path}, args...)...)
}

// Every program that watches prints what is published, all of it and in order, also where its
// connection is cut.
func TestClientsWatch(t *testing.T) {
	t.Parallel()
	folder := programs(t)
	c := startCamera(t, camera.Options{Scenes: scenes(71)})
	p := startProcess(t, t.TempDir(), configFile(t, shapesCamera("front-door", c.URL(), "")))
	address := strings.TrimPrefix(p.http, "http://")
	t.Cleanup(func() { _ = p.cmd.Wait() }) // the end of the test's context has killed it
	for _, name := range []string{"watch.sh", "captions.py", "captions.mjs", "watch.go"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, cuts := p.http, new(atomic.Int64)
			args := []string{"front-door"}
			if strings.HasPrefix(name, "captions") {
				url, cuts = cutting(t, address, 1<<20, 3<<10)
				args = []string{"watch", "front-door"}
			}
			cmd := example(t, filepath.Join(folder, name), args...)
			cmd.Env = append(os.Environ(), "CAPTIOND_URL="+url, "NATS_URL="+p.nats)
			said := saidLines(t, cmd, 10)
			if url != p.http && cuts.Load() == 0 {
				t.Error("no connection was cut")
			}
			p.checkSaid(t, said)
		})
	}
}

// saidLines are the first captions that a program prints: their times and texts.
func saidLines(t *testing.T, cmd *exec.Cmd, n int) (said []string) {
	t.Helper()
	errs := new(lockedBuffer)
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(out); len(said) < n && s.Scan(); {
		line := s.Text()
		if data, ok := strings.CutPrefix(line, "data: "); ok { // curl's, as they come
			line = saidOf(t, []byte(data))
		}
		if strings.HasPrefix(line, "20") { // a time
			said = append(said, line)
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // killed, it is an error
	if len(said) < n {
		t.Fatalf("%d captions within a minute:\n%s\n%s", len(said), strings.Join(said, "\n"), errs)
	}
	return said
}

// saidOf is what the programs print of an event.
func saidOf(t *testing.T, event []byte) string {
	t.Helper()
	var e struct {
		Start string `json:"start_time"`
		Text  string
	}
	if err := json.Unmarshal(event, &e); err != nil {
		t.Fatalf("%v: %s", err, event)
	}
	return e.Start + " " + e.Text
}

// checkSaid looks for lines, one behind the other, in what was published.
func (p *process) checkSaid(t *testing.T, said []string) {
	t.Helper()
	var all []string
	p.receive(t, nats.From{All: true}, func(e sinks.Event) bool {
		if e.Kind() == sinks.KindCaption {
			b, err := sinks.Encode(e)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, saidOf(t, b))
		}
		if len(all) < len(said) || all[len(all)-1] != said[len(said)-1] {
			return false
		}
		return slices.Equal(all[len(all)-len(said):], said)
	})
}

// cutting passes connections on to an address. It cuts each after so many bytes in a direction,
// and counts those that it cut.
func cutting(t *testing.T, address string, up, down int64) (url string, cuts *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cuts = new(atomic.Int64)
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	pass := func(to, from net.Conn, most int64) {
		n, _ := io.CopyN(to, from, most)
		if n == most {
			cuts.Add(1)
		}
		_, _ = to.Close(), from.Close()
	}
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", address)
			if err != nil {
				_ = client.Close()
				continue
			}
			all.Go(func() { pass(server, client, up) })
			all.Go(func() { pass(client, server, down) })
		}
	})
	return "http://" + l.Addr().String(), cuts
}

// Every program that uploads prints the captions of the clip and the answer to a question, with
// a token. That which sends by tus goes on where its connection was cut.
func TestClientsAsk(t *testing.T) {
	t.Parallel()
	folder, state, c := programs(t), t.TempDir(), newClip(t, 72, 1)
	token := captiond(t, "token", "add", "client", "--scopes", "read,ask,upload", "--state", state)
	token.want(t, exitDone, "")
	p := startProcess(t, state, "", "--http-require-token")
	t.Cleanup(func() { _ = p.cmd.Wait() }) // the end of the test's context has killed it
	film, err := os.Stat(c.path)
	if err != nil {
		t.Fatal(err)
	}
	truth := c.truth(0)
	for _, name := range []string{"ask.sh", "captions.py", "captions.mjs", "ask.go"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, cuts := p.http, new(atomic.Int64)
			if name == "captions.py" {
				url, cuts = cutting(t, strings.TrimPrefix(p.http, "http://"), film.Size()*2/3, 1<<20)
			}
			ask := func(token string) (string, error) {
				cmd := example(t, filepath.Join(folder, name), askArgs(name, c.path, truth.Questions[0].Text)...)
				cmd.Env = append(os.Environ(), "CAPTIOND_URL="+url, "CAPTIOND_TOKEN="+token)
				out, err := cmd.CombinedOutput()
				return string(out), err
			}
			if out, err := ask(""); err == nil || !strings.Contains(out, "this needs a token") {
				t.Errorf("without a token: %v\n%s", err, out)
			}
			out, err := ask(strings.TrimSpace(token.out))
			if err != nil || !strings.Contains(out, truth.Caption) || !strings.Contains(out, answerOf(name, truth.Questions[0])) {
				t.Errorf("%v; want %q and %+v in:\n%s", err, truth.Caption, truth.Questions[0], out)
			}
			if name == "captions.py" && cuts.Load() == 0 {
				t.Error("no connection was cut")
			}
		})
	}
}

func askArgs(name string, args ...string) []string {
	if strings.HasPrefix(name, "captions") {
		return append([]string{"ask"}, args...)
	}
	return args
}

// answerOf is how a program prints an answer.
func answerOf(name string, q world.Question) string {
	if name == "ask.sh" {
		return `"text":"` + q.Answer + `"`
	}
	return q.Text + " " + q.Answer + " ("
}
