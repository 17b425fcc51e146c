package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tiny is a checkpoint whose weights are in safetensors.
const tiny = "../../model/testdata/image-clip"

// A Hugging Face cache as it lies on disk: snapshots of symbolic links into blobs.
func TestCaptionFromHubCache(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	repo := filepath.Join(home, ".cache", "huggingface", "hub", "models--microsoft--git-tiny")
	commit := strings.Repeat("ab12", 10)
	snapshot := filepath.Join(repo, "snapshots", commit)
	for _, dir := range []string{snapshot, filepath.Join(repo, "blobs"), filepath.Join(repo, "refs")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(tiny)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(tiny, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(repo, "blobs", "blob-of-"+f.Name()), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../../blobs/blob-of-"+f.Name(), filepath.Join(snapshot, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(repo, "refs", "main"), []byte(commit), 0o600); err != nil {
		t.Fatal(err)
	}
	cached := captiond(t, "caption", shapes, "--whole", "--model", "microsoft/git-tiny", "--model-library", library(t), "--state", home)
	cached.want(t, exitFailed, "model not found") // this HOME has no cache
	out := program(t, home, "caption", shapes, "--whole", "-o", "jsonl", "--model", "microsoft/git-tiny")
	plain := captiond(t, "caption", shapes, "--whole", "-o", "jsonl", "--model", tiny)
	if want, got := events(t, plain.out)[0].Head().ID, events(t, out)[0].Head().ID; want != got {
		t.Errorf("from the cache the event is %s, from the folder %s", got, want)
	}
	if !strings.Contains(out, `"model":"git-tiny@`) {
		t.Errorf("the model is not named: %s", out)
	}
}

// program runs the built program in a process of its own and returns its standard output.
func program(t *testing.T, home string, args ...string) string {
	t.Helper()
	cmd := exec.Command(decoder, args...)
	cmd.Env = []string{"HOME=" + home, "CAPTIOND_MODEL_LIBRARY=" + library(t)}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, errs.String())
	}
	return string(out)
}

func library(t testing.TB) string {
	t.Helper()
	path := os.Getenv("CAPTIOND_MODEL_LIBRARY")
	if path == "" {
		path = filepath.Join("..", "..", "lib", "libonnxruntime.so.1")
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return absolute
}

// Checkpoints that do not fit: the message names what is wrong.
func TestBadCheckpoints(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, folder string)
		want  string
	}{
		"no configuration":  {remove("config.json"), "no config.json"},
		"no weights":        {remove("model.safetensors"), "model.safetensors"},
		"truncated weights": {cutFile("model.safetensors", 5000), "model.safetensors"},
		"weights of text":   {replace("model.safetensors", "hello"), "model.safetensors"},
		"more layers than there are": {
			edit("config.json", `"num_hidden_layers": 2`, `"num_hidden_layers": 3`), "missing",
		},
		"small vocabulary": {remove("tokenizer.json"), ""},
		"no vocabulary":    {func(t *testing.T, f string) { t.Helper(); remove("tokenizer.json")(t, f); remove("vocab.txt")(t, f) }, "vocab.txt"},
		"no preprocessing": {remove("preprocessor_config.json"), "preprocessor_config.json"},
		"spoilt vocabulary": {func(t *testing.T, f string) {
			t.Helper()
			remove("tokenizer.json")(t, f)
			replace("vocab.txt", "[PAD]\n")(t, f)
		}, "vocab"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if err := os.CopyFS(folder, os.DirFS(tiny)); err != nil {
				t.Fatal(err)
			}
			tt.spoil(t, folder)
			got := captiond(t, "caption", shapes, "--model", folder)
			if tt.want == "" {
				got.want(t, exitDone, "")
				return
			}
			got.want(t, exitFailed, tt.want)
		})
	}
}

func remove(name string) func(*testing.T, string) {
	return func(t *testing.T, folder string) {
		t.Helper()
		if err := os.Remove(filepath.Join(folder, name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

func cutFile(name string, size int64) func(*testing.T, string) {
	return func(t *testing.T, folder string) {
		t.Helper()
		if err := os.Truncate(filepath.Join(folder, name), size); err != nil {
			t.Fatal(err)
		}
	}
}

func replace(name, content string) func(*testing.T, string) {
	return func(t *testing.T, folder string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func edit(name, from, to string) func(*testing.T, string) {
	return func(t *testing.T, folder string) {
		t.Helper()
		file := filepath.Join(folder, name)
		b, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(b, []byte(from)) {
			t.Fatalf("%v: no %s in %s", err, from, b)
		}
		if err := os.WriteFile(file, bytes.Replace(b, []byte(from), []byte(to), 1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Ctrl-C ends the program soon, with status 130 and whole lines.
func TestInterruptedProgram(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(decoder, "caption", shapes, "-o", "jsonl", "--every", "100ms", "--beam", "16")
	cmd.Env = []string{"HOME=" + t.TempDir(), "CAPTIOND_MODEL_LIBRARY=" + library(t)}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	if _, err := all.ReadFrom(&interrupting{out, cmd.Process}); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("exit status %d, %v", cmd.ProcessState.ExitCode(), err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v to end", took)
	}
	if n := len(events(t, all.String())); n < 1 || n >= 120 {
		t.Errorf("%d captions were written", n)
	}
}

// interrupting sends the process an interrupt with the first bytes that it reads.
type interrupting struct {
	r interface{ Read([]byte) (int, error) }
	p *os.Process
}

func (i *interrupting) Read(b []byte) (int, error) {
	n, err := i.r.Read(b)
	if n > 0 && i.p != nil {
		if err := i.p.Signal(syscall.SIGINT); err != nil {
			return n, err
		}
		i.p = nil
	}
	return n, err
}
