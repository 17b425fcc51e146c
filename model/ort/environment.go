package ort

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	native "github.com/yalue/onnxruntime_go"
)

// environment mirrors the one environment that the library has in a process: who
// uses it, and from which file it came.
//
//nolint:gochecknoglobals // the library's own state is global, and not guarded by itself
var environment struct {
	sync.Mutex
	path  string
	users int
	api   api
}

// acquire loads the library for the first user, counts the others and returns its functions.
func acquire(path string) (api, error) {
	environment.Lock()
	defer environment.Unlock()
	if environment.users > 0 && environment.path != path {
		return api{}, fmt.Errorf("load onnx runtime from %s: this process has loaded %s already", path, environment.path)
	}
	if environment.users == 0 {
		if err := load(path); err != nil {
			return api{}, err
		}
		environment.path = path
	}
	environment.users++
	return environment.api, nil
}

func load(path string) error {
	native.SetSharedLibraryPath(path)
	err := native.InitializeEnvironment(native.WithLogLevelError())
	if err == nil {
		return lend(path)
	}
	what := "is the file a shared library for this machine? captiond is built for ONNX Runtime 1.27.0"
	if strings.Contains(err.Error(), "API base") {
		what = "it is older than 1.24; install ONNX Runtime 1.27.0"
	}
	return fmt.Errorf("load onnx runtime from %s: %w (%s; `make deps` fetches it)", path, err, what)
}

// lend has the library take memory from the heap of large pages, and tells it of operators.
func lend(path string) (err error) {
	if environment.api, err = apiOf(path); err == nil {
		err = environment.api.lendHeap()
	}
	if err == nil {
		if err = environment.api.announce(); err != nil {
			err = errors.Join(err, environment.api.returnHeap())
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("load onnx runtime from %s: %w", path, err), native.DestroyEnvironment())
	}
	return nil
}

func release() error {
	environment.Lock()
	defer environment.Unlock()
	environment.users--
	if environment.users > 0 {
		return nil
	}
	if err := errors.Join(environment.api.returnHeap(), native.DestroyEnvironment()); err != nil {
		return fmt.Errorf("unload onnx runtime: %w", err)
	}
	return nil
}
