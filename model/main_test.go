//go:build cgo

package model_test

import (
	"os"
	"testing"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/ort"
	"github.com/captiond/captiond/model/ort/orttest"
)

// runtime is shared by all tests of the package; TestMain opens it.
var runtime *ort.Runtime

func TestMain(m *testing.M) {
	os.Exit(orttest.Run(m, func(r *ort.Runtime) { runtime = r }))
}

// openModel loads a checkpoint of testdata until the test ends.
func openModel(t testing.TB, folder string, o model.Options) *model.Model {
	t.Helper()
	c, err := checkpoint.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Open(runtime, c, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}
