package ort

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	native "github.com/yalue/onnxruntime_go"

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
		"use_tf32":                     "0", // float32 means float32
	})
	if err != nil {
		return err
	}
	return o.AppendExecutionProviderCUDA(cuda)
}

// cudaProvider is the file that a build of the library for NVIDIA GPUs has beside it.
const cudaProvider = "libonnxruntime_providers_cuda.so"

// try runs the smallest graph on the GPU.
func (r *Runtime) try(ctx context.Context) error {
	if !isFile(filepath.Join(filepath.Dir(r.path), cudaProvider)) {
		return fmt.Errorf("this ONNX Runtime is built for the cpu alone: no %s is beside it", cudaProvider)
	}
	g := onnx.New("try", 17)
	x := g.Input("x", onnx.Float32, 1)
	g.Output(g.Op("Add", []string{x, x}), onnx.Float32, 1)
	s, err := r.NewSession(g.Bytes(), "")
	if err != nil {
		return err
	}
	defer s.Close()
	one, err := r.Floats([]float32{1}, 1)
	if err != nil {
		return err
	}
	defer one.Close()
	out, err := s.Run(ctx, one)
	if err != nil {
		return err
	}
	defer out[0].Close()
	if got := out[0].Float32()[0]; got != 2 {
		return errors.New("the gpu computes 1 + 1 wrongly")
	}
	return nil
}
