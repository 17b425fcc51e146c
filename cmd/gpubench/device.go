package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"strings"
	"time"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/onnx"
)

// card is a GPU as nvidia-smi shows it.
type card struct {
	name string
	used int64 // bytes of its memory
}

// look asks for the first card; what is not told stays empty.
func look(ctx context.Context, device string) card {
	c := card{name: device}
	if device != "cuda" {
		return c
	}
	out, err := exec.CommandContext(ctx, "nvidia-smi", "--id=0", "--query-gpu=name,memory.used", "--format=csv,noheader,nounits").Output()
	if err != nil {
		return c
	}
	return c.read(string(out))
}

// read takes a line such as "NVIDIA H200, 1024".
func (c card) read(line string) card {
	name, used, found := strings.Cut(strings.TrimSpace(line), ", ")
	var mib int64
	if _, err := fmt.Sscan(used, &mib); found && err == nil {
		return card{name: name, used: mib << 20}
	}
	return c
}

// products is how often a matrix is multiplied in one run.
const products = 8

// square multiplies large square matrices, which lie on the device all the time.
type square struct {
	side    int
	session model.Session
	matrix  model.Value
	fastest float64 // seconds of the fastest run
}

// newSquare puts a matrix of random numbers on the device in the precision of the model;
// 8 bits are measured against float32. Side 0 makes none.
func newSquare(ctx context.Context, rt model.Runtime, side int, p graph.Precision) (_ *square, err error) {
	if side == 0 {
		return nil, nil
	}
	s := &square{side: side, fastest: math.Inf(1)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("multiply matrices: %w", err), s.close())
		}
	}()
	kind := onnx.Float32
	if p == graph.Float16 {
		kind = onnx.Float16
	}
	if s.matrix, err = onDevice(ctx, rt, random(side), kind); err != nil {
		return nil, err
	}
	n := int64(side)
	g := onnx.New("products", 17)
	x := g.Input("x", kind, n, n)
	y := x
	for range products {
		y = g.Op("MatMul", []string{y, x})
	}
	g.Output(y, kind, n, n)
	if s.session, err = rt.NewSession(model.Graph{ONNX: g.Bytes()}); err != nil {
		return nil, err
	}
	return s, s.round(ctx) // the first run is slow
}

// random are numbers that neither vanish nor overflow however often they are multiplied.
func random(side int) []float32 {
	source := rand.New(rand.NewPCG(3, 4))
	data := make([]float32, side*side)
	width := float32(math.Sqrt(12 / float64(side)))
	for i := range data {
		data[i] = width * (source.Float32() - 0.5)
	}
	return data
}

// onDevice casts a square matrix there; the result of a run stays where it is computed.
func onDevice(ctx context.Context, rt model.Runtime, data []float32, kind onnx.Type) (model.Value, error) {
	n := int64(math.Sqrt(float64(len(data))))
	g := onnx.New("cast", 17)
	x := g.Input("x", onnx.Float32, n, n)
	g.Output(g.Op("Cast", []string{x}, onnx.Int("to", int64(kind))), kind, n, n)
	s, err := rt.NewSession(model.Graph{ONNX: g.Bytes()})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	host, err := rt.Wrap(data, n, n)
	if err != nil {
		return nil, err
	}
	defer host.Close()
	out, err := s.Run(ctx, host)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// round times one run.
func (s *square) round(ctx context.Context) error {
	if s == nil {
		return nil
	}
	begun := time.Now()
	out, err := s.session.Run(ctx, s.matrix)
	if err != nil {
		return fmt.Errorf("multiply matrices: %w", err)
	}
	s.fastest = min(s.fastest, time.Since(begun).Seconds())
	out[0].Close()
	return nil
}

// rate is that of the fastest run in FLOP/s, which flatters no share of it.
func (s *square) rate() float64 {
	if s == nil {
		return 0
	}
	return products * 2 * math.Pow(float64(s.side), 3) / s.fastest
}

func (s *square) close() error {
	if s == nil {
		return nil
	}
	if s.matrix != nil {
		s.matrix.Close()
	}
	if s.session != nil {
		return s.session.Close()
	}
	return nil
}
