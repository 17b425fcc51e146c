package ort

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/onnx"
)

// TestOutputsStayOnTheDevice runs as on a GPU, with the host's memory in the place of its:
// outputs go into the next run as they are, and only what Float32 asks for is copied, once.
func TestOutputsStayOnTheDevice(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	copies := 0
	r.memory.download = func(to []float32, from unsafe.Pointer) error {
		copies++
		copy(to, unsafe.Slice((*float32)(from), len(to)))
		return nil
	}
	s := newSession(t, r, product(1, 2))
	x := wrap(t, r, []float32{1, 1, 0, 2}, 2, 2)
	squared, err := s.Run(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Run(t.Context(), squared[0])
	if err != nil {
		t.Fatal(err)
	}
	squared[0].Close() // what was computed from it stays
	defer out[0].Close()
	if copies != 0 {
		t.Errorf("%d copies were made that nobody asked for", copies)
	}
	for range 2 {
		if got := out[0].Float32(); got[1] != 15 || got[3] != 16 {
			t.Errorf("the fourth power is %v, want 15 and 16 on the right", got)
		}
	}
	if got := x.Float32(); got[3] != 2 || copies != 1 {
		t.Errorf("an input reads %v, and %d copies were made, want 1", got, copies)
	}
	copied, err := newSessionRead(t, r, product(1, 2), 1).Run(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	defer copied[0].Close()
	if got := copied[0].Float32(); got[1] != 3 || copies != 1 {
		t.Errorf("an output for the host reads %v, and %d copies were made, want 1", got, copies)
	}
	r.memory.download = func([]float32, unsafe.Pointer) error { return errors.New("cuda error 700") }
	lost, err := s.Run(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	defer lost[0].Close()
	defer func() {
		if got := recover(); got == nil || !strings.Contains(got.(string), "cuda error 700") {
			t.Errorf("Float32 of what a broken gpu holds: %v", got)
		}
	}()
	lost[0].Float32()
}

// TestOtherTypes hands on what Go has no type for.
func TestOtherTypes(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	down := onnx.New("down", 17)
	down.Output(down.Op("Cast", []string{down.Input("x", onnx.Float32, 3)}, onnx.Int("to", int64(onnx.Float16))), onnx.Float16, 3)
	up := onnx.New("up", 17)
	up.Output(up.Op("Cast", []string{up.Input("x", onnx.Float16, 3)}, onnx.Int("to", int64(onnx.Float32))), onnx.Float32, 3)
	half, err := newSession(t, r, down.Bytes()).Run(t.Context(), wrap(t, r, []float32{1, 0.5, 1e-3}, 3))
	if err != nil {
		t.Fatal(err)
	}
	defer half[0].Close()
	out, err := newSession(t, r, up.Bytes()).Run(t.Context(), half[0])
	if err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	if got := out[0].Float32(); got[0] != 1 || got[1] != 0.5 || got[2] < 0.99e-3 || got[2] > 1.01e-3 {
		t.Errorf("float16 gave %v, want 1, 0.5 and 0.001", got)
	}
	if got := half[0].Half(); !slices.Equal(got[:2], []uint16{0x3c00, 0x3800}) {
		t.Errorf("the bits are %#x, want those of 1 and 0.5 first", got)
	}
	if out, err = newSession(t, r, up.Bytes()).Run(t.Context(), wrap(t, r, []uint16{0x4000, 0xc000, 0}, 3)); err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	if got := out[0].Float32(); !slices.Equal(got, []float32{2, -2, 0}) {
		t.Errorf("wrapped bits are %v, want 2, -2 and 0", got)
	}
	if v, err := r.Wrap([]string{"2"}, 1); err == nil {
		v.Close()
		t.Error("a tensor was made of text")
	}
}

// TestNew fills a tensor that lies in the library's memory, which is used again.
func TestNew(t *testing.T) {
	r := open(t, Options{Device: "cpu", Threads: 1})
	s := newSession(t, r, product(1, 2))
	for range 3 {
		x, err := r.New(onnx.Float32, 2, 2)
		if err != nil {
			t.Fatal(err)
		}
		copy(x.Float32(), []float32{1, 1, 0, 2})
		out, err := s.Run(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if got := out[0].Float32(); !slices.Equal(got, []float32{1, 3, 0, 4}) || !slices.Equal(x.Shape(), []int64{2, 2}) {
			t.Errorf("the square of %v is %v", x.Float32(), got)
		}
		out[0].Close()
		x.Close()
	}
	before := held()
	large, err := r.New(onnx.Float16, 200<<20)
	if err != nil {
		t.Fatal(err)
	}
	if held() < before+400<<20 || len(large.Half()) != 200<<20 {
		t.Errorf("%d bytes are held, %d before", held(), before)
	}
	large.Close()
	if _, err := r.New(onnx.Float32, 1<<45); !errors.Is(err, ErrOutOfMemory) {
		t.Errorf("2^47 bytes: error %v", err)
	}
}

// TestNothing has an output without elements.
func TestNothing(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	g := onnx.New("nothing", 17)
	g.Output(g.Op("Neg", []string{g.Input("x", onnx.Float32, 2, -1)}), onnx.Float32, 2, -1)
	out, err := newSession(t, r, g.Bytes()).Run(t.Context(), wrap(t, r, []float32{}, 2, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	if got, shape := out[0].Float32(), out[0].Shape(); got == nil || len(got) != 0 || len(shape) != 2 || shape[1] != 0 {
		t.Errorf("%v of shape %v, want none of [2 0]", got, shape)
	}
}

// TestOutputOutlivesItsSession reads what a session that is closed has computed.
func TestOutputOutlivesItsSession(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu"})
	s, err := r.NewSession(model.Graph{ONNX: product(1, 2)})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Run(t.Context(), wrap(t, r, []float32{1, 1, 0, 2}, 2, 2))
	if err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := out[0].Float32(); got[1] != 3 || got[3] != 4 {
		t.Errorf("%v, want 3 and 4 on the right", got)
	}
}

// TestOutOfMemory asks for 2^46 bytes.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	r := open(t, Options{Device: "cpu", Threads: 1})
	g := onnx.New("vast", 17)
	g.Output(g.Op("Expand", []string{g.Input("x", onnx.Float32, 1), g.Ints(1<<22, 1<<22)}), onnx.Float32, 1<<22, 1<<22)
	s := newSession(t, r, g.Bytes())
	if _, err := s.Run(t.Context(), wrap(t, r, []float32{1}, 1)); !errors.Is(err, ErrOutOfMemory) {
		t.Errorf("error %v, want ErrOutOfMemory", err)
	}
	if _, err := s.Run(t.Context()); errors.Is(err, ErrOutOfMemory) {
		t.Errorf("another error is ErrOutOfMemory, too: %v", err)
	}
	for text, want := range map[string]bool{
		"std::bad_alloc": true,
		"BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 1": true,
		"CUDA failure 2: out of memory":                              true,
		"CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED":               true,
		"CUDA failure 700: an illegal memory access was encountered": false,
	} {
		if got := errors.Is(failure(errors.New(text)), ErrOutOfMemory); got != want {
			t.Errorf("%q is want of memory: %v", text, got)
		}
	}
}
