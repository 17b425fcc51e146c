package ort

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/onnx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// library is the file that `make deps` fetches, unless the environment names another.
func library(t testing.TB) string {
	t.Helper()
	if path := os.Getenv(LibraryVariable); path != "" {
		return path
	}
	path, err := filepath.Abs(filepath.Join("..", "..", "lib", "libonnxruntime.so.1"))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// open opens a Runtime that must have nothing alive when the test ends.
func open(t *testing.T, o Options) *Runtime {
	t.Helper()
	r, err := Open(t.Context(), library(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// product multiplies a matrix by itself n times.
func product(n int, size int64) []byte {
	g := onnx.New("product", 17)
	x := g.Input("x", onnx.Float32, size, size)
	y := x
	for range n {
		y = g.Op("MatMul", []string{y, x})
	}
	g.Output(y, onnx.Float32, size, size)
	return g.Bytes()
}

func newSession(t *testing.T, r *Runtime, graph []byte) model.Session {
	t.Helper()
	return newSessionRead(t, r, graph, 0)
}

// newSessionRead is a session of whose outputs the host reads some.
func newSessionRead(t *testing.T, r *Runtime, graph []byte, read int) model.Session {
	t.Helper()
	s, err := r.NewSession(model.Graph{ONNX: graph, Read: read})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// wrap is a tensor of a slice until the test ends.
func wrap(t *testing.T, r *Runtime, data any, shape ...int64) model.Value {
	t.Helper()
	v, err := r.Wrap(data, shape...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func TestRun(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	s := newSession(t, r, product(2, 2))
	out, err := s.Run(t.Context(), wrap(t, r, []float32{1, 1, 0, 2}, 2, 2))
	if err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	want := []float32{1, 7, 0, 8}
	for i, got := range out[0].Float32() {
		if got != want[i] {
			t.Errorf("element %d is %v, want %v", i, got, want[i])
		}
	}
	if shape := out[0].Shape(); len(shape) != 2 || shape[0] != 2 || shape[1] != 2 {
		t.Errorf("shape is %v", shape)
	}
}

func TestRunIsConcurrent(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu", Threads: 1})
	s := newSession(t, r, product(8, 32))
	x := wrap(t, r, make([]float32, 32*32), 32, 32)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				out, err := s.Run(t.Context(), x)
				if err != nil {
					t.Error(err)
					return
				}
				out[0].Close()
			}
		})
	}
	wg.Wait()
	if live := r.Live(); live != 2 { // the session and x
		t.Errorf("%d native objects are alive, want 2", live)
	}
}

func TestWeightsFromFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	// Three odd bytes before 1.0 and 2.0: no alignment is needed.
	data := []byte{9, 9, 9, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40}
	if err := os.WriteFile(filepath.Join(folder, "weights"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	g := onnx.New("add", 17)
	x := g.Input("x", onnx.Float32, 2)
	g.External("w", onnx.Float32, []int64{2}, onnx.Location{File: "weights", Offset: 3, Length: 8})
	g.Output(g.Op("Add", []string{x, "w"}), onnx.Float32, 2)
	for _, low := range []bool{false, true} {
		r := open(t, Options{Device: "cpu", LowMemory: low})
		s, err := r.NewSession(model.Graph{ONNX: g.Bytes(), Folder: folder})
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Run(t.Context(), wrap(t, r, []float32{10, 20}, 2))
		if err != nil {
			t.Fatal(err)
		}
		if got := out[0].Float32(); got[0] != 11 || got[1] != 22 {
			t.Errorf("low memory %v: %v, want 11 and 22", low, got)
		}
		out[0].Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestCancelledRunEnds(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu", Threads: 1})
	s := newSession(t, r, product(2000, 512))
	x := wrap(t, r, make([]float32, 512*512), 512, 512)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	started := time.Now()
	_, err := s.Run(ctx, x)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v, want the deadline's", err)
	}
	if late := time.Since(started) - 50*time.Millisecond; late > 300*time.Millisecond {
		t.Errorf("the run ended %v after it was cancelled", late)
	}
	if _, err := s.Run(ctx, x); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("run with a cancelled context: %v", err)
	}
}

func TestBadUse(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	s := newSession(t, r, product(1, 2))
	x := wrap(t, r, make([]float32, 4), 2, 2)
	closed, err := r.NewSession(model.Graph{ONNX: product(1, 2)})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(closed.Close(), closed.Close()); err != nil {
		t.Error(err)
	}
	gone, err := r.Wrap([]float32{1, 2, 3, 4}, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	gone.Close()
	run := func(s model.Session, in ...model.Value) error {
		_, err := s.Run(t.Context(), in...)
		return err
	}
	_, short := r.Wrap([]float32{1}, 2, 2)
	_, graph := r.NewSession(model.Graph{ONNX: []byte("not a graph")})
	_, missing := r.NewSession(model.Graph{ONNX: missingWeights(), Folder: t.TempDir()})
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no input":        {run(s), "0 inputs given, the graph has 1"},
		"closed input":    {run(s, gone), "input 0 is closed"},
		"wrong shape":     {run(s, wrap(t, r, make([]float32, 2), 1, 2)), "invalid dimensions"},
		"closed session":  {run(closed, x), "it is closed"},
		"too few numbers": {short, "has 4 elements, 1 are given"},
		"no graph":        {graph, "read onnx model"},
		"no weights":      {missing, "load graph"},
		"still open":      {r.Close(), "still open"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, c.err, c.want)
		}
	}
}

func missingWeights() []byte {
	g := onnx.New("missing", 17)
	x := g.Input("x", onnx.Float32, 2)
	g.External("w", onnx.Float32, []int64{2}, onnx.Location{File: "weights", Length: 8})
	g.Output(g.Op("Add", []string{x, "w"}), onnx.Float32, 2)
	return g.Bytes()
}

func TestFloat32PanicsOnOtherTypes(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	v, err := r.Wrap([]int64{1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	defer func() {
		if recover() == nil {
			t.Error("Float32 of int64 did not panic")
		}
	}()
	v.Float32()
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "libonnxruntime.so")
	if err := os.WriteFile(text, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	holder := open(t, Options{Device: "cpu"}) // the environment is taken
	for name, c := range map[string]struct {
		path    string
		options Options
		want    string
	}{
		"another library": {text, Options{}, "has loaded " + holder.Path()},
		"device":          {library(t), Options{Device: "tpu"}, "use auto, cpu or cuda"},
		"threads":         {library(t), Options{Threads: -1}, "-1 threads"},
	} {
		if _, err := Open(t.Context(), c.path, c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestFallsBackToCPU(t *testing.T) {
	t.Parallel()
	for _, device := range []string{"", "auto", "cuda"} {
		var log bytes.Buffer
		r := open(t, Options{Device: device, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		lines := strings.Count(log.String(), "\n")
		switch {
		case r.Device() == "cuda" && lines == 0: // this machine has a GPU
		case r.Device() == "cpu" && lines == 1 && strings.Contains(log.String(), "reason="):
		default:
			t.Errorf("device %q became %q with %d log lines: %s", device, r.Device(), lines, &log)
		}
	}
	if v := open(t, Options{Device: "cpu"}).Version(); !strings.HasPrefix(v, "1.") {
		t.Errorf("version is %q", v)
	}
}
