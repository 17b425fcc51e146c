package ort

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"

	native "github.com/yalue/onnxruntime_go"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/onnx"
)

// appendCUDA asks for the first GPU. It fails where the library was built without
// the CUDA provider and where the provider finds no driver or GPU.
func appendCUDA(o *native.SessionOptions) (err error) {
	cuda, err := native.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cuda.Destroy()) }()
	err = cuda.Update(map[string]string{
		"device_id": "0",
		// Blocks as large as asked for: window sizes repeat, and doubling would take
		// memory that nobody uses.
		"arena_extend_strategy":        "kSameAsRequested",
		"cudnn_conv_use_max_workspace": "0",
		// The default tries every algorithm at each new shape; one convolution is all there is.
		"cudnn_conv_algo_search": "HEURISTIC",
		"use_tf32":               "0", // float32 means float32
	})
	if err != nil {
		return err
	}
	return o.AppendExecutionProviderCUDA(cuda)
}

// cudaProvider is the file that a build of the library for NVIDIA GPUs has beside it.
const cudaProvider = "libonnxruntime_providers_cuda.so"

// useCUDA takes the first GPU if the smallest graph runs on it and its result comes back.
func (r *Runtime) useCUDA(ctx context.Context, a api) (err error) {
	folder := filepath.Dir(r.path)
	if !isFile(filepath.Join(folder, cudaProvider)) {
		return fmt.Errorf("this ONNX Runtime is built for the cpu alone: no %s is beside it; `make deps-gpu` fetches a build for gpus", cudaProvider)
	}
	preload(folder)
	if err := compileOperators(); err != nil {
		return err
	}
	if r.memory, err = a.memory("CudaPinned", "Cuda"); err != nil {
		return err
	}
	if r.operators, err = a.operators(true); err != nil {
		r.memory.free()
		return err
	}
	r.device = "cuda"
	if err := r.try(ctx); err != nil {
		r.memory.free()
		r.operators.free()
		return err
	}
	return nil
}

// try computes with 1 on the GPU, hands the sum to a second run and reads what comes out, both
// ways.
func (r *Runtime) try(ctx context.Context) (err error) {
	const n = 8 // columns, as few as the operator takes
	g := onnx.New("try", 17)
	x := g.Input("x", onnx.Float32, n)
	half := g.Op("Cast", []string{x}, onnx.Int("to", int64(onnx.Float16)))
	gelu := g.Op("captiond.BiasQuickGelu", []string{half, half}, onnx.Float("alpha", 1))
	g.Output(g.Op("Cast", []string{gelu}, onnx.Int("to", int64(onnx.Float32))), onnx.Float32, n)
	g.Output(g.Op("Add", []string{x, x}), onnx.Float32, n)
	s, err := r.NewSession(model.Graph{ONNX: g.Bytes(), Read: 1})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			r.room.free()
			err = errors.Join(err, s.Close())
			return
		}
		r.keeper = s
	}()
	if r.room, err = r.memory.pinned(s.(*session).native); err != nil {
		return err
	}
	if r.memory.download, err = cudaDownload(); err != nil {
		return err
	}
	one, err := r.New(onnx.Float32, n)
	if err != nil {
		return err
	}
	defer one.Close()
	copy(one.Float32(), []float32{1, 1, 1, 1, 1, 1, 1, 1})
	first, err := s.Run(ctx, one)
	if err != nil {
		return err
	}
	defer closeAll(first)
	second, err := s.Run(ctx, first[1])
	if err != nil {
		return err
	}
	defer closeAll(second)
	var sum [n]float32
	if err := r.memory.download(sum[:], second[1].(*value).data); err != nil {
		return err
	}
	product, want := float64(second[0].Float32()[n-1]), 4/(1+math.Exp(-4))
	if sum[n-1] != 4 || math.Abs(product-want) > 0.01 {
		return fmt.Errorf("the gpu computes 2 + 2 as %v, and %.3f as %v", sum[n-1], want, product)
	}
	return nil
}

func closeAll(values []model.Value) {
	for _, v := range values {
		v.Close()
	}
}
