// Package weights finds the tensors of a model.safetensors or pytorch_model.bin file
// without copying them: it reads the header or the pickle and returns, for each tensor,
// its type, its shape and the place of its bytes in the file.
//
// Files are taken as hostile: sizes and offsets are checked before anything is allocated,
// and a pickle may name nothing but what torch.save writes for tensors (nothing in it is
// ever executed). It does not own which tensors a model needs: see model/checkpoint.
//
// All functions may be called concurrently; a File does not change once returned.
package weights

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// DType is the element type of a tensor, spelt as in safetensors. All are little-endian.
type DType string

// The element types that both formats have.
const (
	F64  DType = "F64"
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	I64  DType = "I64"
	I32  DType = "I32"
	I16  DType = "I16"
	I8   DType = "I8"
	U8   DType = "U8"
	Bool DType = "BOOL"
)

// Size is the number of bytes of one element, 0 for an unknown type.
func (d DType) Size() int64 {
	switch d {
	case F64, I64, "U64":
		return 8
	case F32, I32, "U32":
		return 4
	case F16, BF16, I16, "U16":
		return 2
	case I8, U8, Bool, "F8_E4M3", "F8_E5M2":
		return 1
	}
	return 0
}

// Tensor is one named array, row by row. Its bytes are Data where that is not nil, else
// Length bytes from Offset, counted from the beginning of the file.
type Tensor struct {
	Name   string
	DType  DType
	Shape  []int64
	Offset int64
	Length int64
	Data   []byte
}

// File is what Open or Read found. Path has no symlinks in it and is absolute; it is ""
// when the file was read from memory. Size is in bytes.
type File struct {
	Path    string
	Size    int64
	Tensors map[string]Tensor
}

// Limits. GIT-large has 503 tensors, a safetensors header of 60 kB and a pickle of 90 kB.
const (
	maxHeader    = 16 << 20 // bytes of a safetensors header
	maxPickle    = 1 << 20  // bytes of data.pkl
	maxTensors   = 1 << 13
	maxDims      = 8
	maxDimension = 1 << 40
)

// hint says where a file that can be read comes from.
const hint = "take the checkpoint's model.safetensors instead (on the Hub, where main has none, revision refs/pr/1 often does)"

// Open reads the index of a weights file. The format is told by the content, not by the
// name. The file must stay as it is while the result is used.
func Open(path string) (*File, error) {
	file, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("open weights %s: %w", path, err)
	}
	return file, nil
}

func open(path string) (*File, error) {
	target, err := resolve(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(target)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	tensors, err := index(f, info.Size())
	if err != nil {
		return nil, err
	}
	return &File{Path: target, Size: info.Size(), Tensors: tensors}, nil
}

// resolve returns the absolute path without symlinks of a regular file. Opening anything
// else (a named pipe) could wait for ever.
func resolve(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("not a regular file")
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// Read is Open for a file in memory. Data of each tensor points into data, which must not
// change.
func Read(data []byte) (*File, error) {
	size := int64(len(data))
	tensors, err := index(bytes.NewReader(data), size)
	if err != nil {
		return nil, fmt.Errorf("read weights: %w", err)
	}
	for name, t := range tensors {
		if t.Data == nil {
			end := t.Offset + t.Length
			t.Data = data[t.Offset:end:end]
			tensors[name] = t
		}
	}
	return &File{Size: size, Tensors: tensors}, nil
}

// Bytes returns the bytes of a tensor of f: Data itself, or what it reads from the file.
func (f *File) Bytes(t Tensor) ([]byte, error) {
	if t.Data != nil {
		return t.Data, nil
	}
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, fmt.Errorf("read tensor %s: %w", t.Name, err)
	}
	defer file.Close()
	data := make([]byte, t.Length)
	if _, err := file.ReadAt(data, t.Offset); err != nil {
		return nil, fmt.Errorf("read tensor %s from %s: %w", t.Name, f.Path, err)
	}
	return data, nil
}

// index tells the formats apart and reads the one it finds.
func index(r io.ReaderAt, size int64) (map[string]Tensor, error) {
	start := make([]byte, min(size, 512))
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), start); err != nil {
		return nil, err
	}
	switch {
	case size == 0:
		return nil, errors.New("the file is empty: download or copy it again")
	case bytes.HasPrefix(start, []byte("PK\x03\x04")):
		return readTorch(r, size)
	case bytes.HasPrefix(start, []byte("version https://git-lfs")):
		return nil, errors.New("the file is only a Git LFS pointer: run `git lfs pull` in its repository")
	case bytes.HasPrefix(start, []byte{0x80}) && len(start) > 1 && start[1] <= 5, isTar(start):
		return nil, fmt.Errorf("the file is in torch's format of before 1.6, which cannot be read in place: save it again with a newer torch, or %s", hint)
	}
	return readSafetensors(r, size)
}

func isTar(start []byte) bool {
	return len(start) >= 262 && string(start[257:262]) == "ustar"
}

// product is the number of elements of a shape; ok is false where a dimension is negative
// or absurd, or the number of elements does not fit.
func product(shape []int64) (n int64, ok bool) {
	if len(shape) > maxDims {
		return 0, false
	}
	n = 1
	for _, d := range shape {
		if d < 0 || d > maxDimension {
			return 0, false
		}
		if d != 0 && n > math.MaxInt64/8/d {
			return 0, false
		}
		n *= d
	}
	return n, true
}

// extent is the number of bytes that a shape and a type take.
func extent(d DType, shape []int64) (int64, error) {
	if d.Size() == 0 {
		return 0, fmt.Errorf("unknown type %q", clip(string(d)))
	}
	n, ok := product(shape)
	if !ok {
		return 0, fmt.Errorf("impossible shape of %d dimensions: %v", len(shape), shape[:min(len(shape), maxDims)])
	}
	return n * d.Size(), nil
}

// clip shortens a name from a hostile file for a message.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// rowMajor are the strides, in elements, of a contiguous tensor.
func rowMajor(shape []int64) []int64 {
	strides := make([]int64, len(shape))
	step := int64(1)
	for i, d := range slices.Backward(shape) {
		strides[i] = step
		step *= max(d, 1)
	}
	return strides
}
