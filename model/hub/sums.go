package hub

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Sum is what a file of a checkpoint was when it was imported.
type Sum struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hex, of the whole file
}

// names are the files that decide what a checkpoint says.
func names() []string {
	return []string{
		"config.json", "generation_config.json", "model.safetensors", "preprocessor_config.json",
		"processor_config.json", "pytorch_model.bin", "special_tokens_map.json",
		"tokenizer.json", "tokenizer_config.json", "vocab.txt",
	}
}

// sums hashes the files of a checkpoint that are there.
func sums(ctx context.Context, folder string) ([]Sum, error) {
	var out []Sum
	for _, name := range names() {
		s, err := sum(ctx, filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("hash %s: %w", name, err)
		}
		s.Name = name
		out = append(out, s)
	}
	return out, nil
}

func sum(ctx context.Context, path string) (Sum, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Sum{}, err
	}
	if !info.Mode().IsRegular() {
		return Sum{}, errors.New("not a regular file")
	}
	h := sha256.New()
	n, err := feed(ctx, h, path)
	return Sum{Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

// feed hashes a whole file and returns its size.
func feed(ctx context.Context, h hash.Hash, path string) (size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for err == nil {
		var n int64
		n, err = io.CopyN(h, f, 8<<20)
		size += n
		err = cmp.Or(ctx.Err(), err)
	}
	if !errors.Is(err, io.EOF) {
		return 0, err
	}
	return size, nil
}

// compare lists what differs between two sets of files, both ordered by name.
func compare(then, now []Sum) error {
	byName := func(s Sum, name string) int { return cmp.Compare(s.Name, name) }
	var errs []error
	for _, old := range then {
		i, ok := slices.BinarySearchFunc(now, old.Name, byName)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("%s is gone", old.Name))
		case now[i].Size != old.Size:
			errs = append(errs, fmt.Errorf("%s has %d bytes, was %d", old.Name, now[i].Size, old.Size))
		case now[i].SHA256 != old.SHA256:
			errs = append(errs, fmt.Errorf("%s has SHA-256 %s, was %s", old.Name, now[i].SHA256, old.SHA256))
		}
	}
	for _, s := range now {
		if _, ok := slices.BinarySearchFunc(then, s.Name, byName); !ok {
			errs = append(errs, fmt.Errorf("%s was not there", s.Name))
		}
	}
	return errors.Join(errs...)
}
