package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/captiond/captiond/model/weights"
)

// sample is how many bytes of each end of a tensor go into the digest.
const sample = 4 << 10

// digest is the beginning of a SHA-256 over the configuration as parsed, the tokenizer
// files and, for every tensor in the order of its canonical name, type, shape and the
// first and last 4 KiB. It takes samples so that a start does not read gigabytes: two
// trainings differ in nearly every byte. `model verify` hashes whole files.
func (c *Checkpoint) digest() (string, error) {
	h := sha256.New()
	settings, err := json.Marshal([]any{c.Config, c.Preprocess, c.Generation, c.Tokenizer})
	if err != nil {
		return "", fmt.Errorf("digest settings: %w", err)
	}
	h.Write(settings)
	var file io.ReaderAt
	if c.Weights.Path != "" {
		f, err := os.Open(c.Weights.Path)
		if err != nil {
			return "", fmt.Errorf("digest weights: %w", err)
		}
		defer f.Close()
		file = f
	}
	for _, name := range slices.Sorted(maps.Keys(c.tensors)) {
		if err := sampleTensor(h, name, c.tensors[name], file); err != nil {
			return "", fmt.Errorf("digest tensor %s: %w", name, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:6]), nil
}

func sampleTensor(h hash.Hash, name string, t weights.Tensor, file io.ReaderAt) error {
	fmt.Fprintf(h, "\n%s %s %v\n", name, t.DType, t.Shape)
	at := t.Offset
	if t.Data != nil {
		file, at = bytes.NewReader(t.Data), 0
	}
	if t.Length <= 2*sample {
		_, err := io.Copy(h, io.NewSectionReader(file, at, t.Length))
		return err
	}
	for _, from := range []int64{at, at + t.Length - sample} {
		if _, err := io.Copy(h, io.NewSectionReader(file, from, sample)); err != nil {
			return err
		}
	}
	return nil
}
