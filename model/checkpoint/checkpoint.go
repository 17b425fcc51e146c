// Package checkpoint reads a GIT checkpoint in Hugging Face's layout: config.json,
// model.safetensors or pytorch_model.bin, preprocessor_config.json or
// processor_config.json, generation_config.json and the tokenizer files, with every
// default that transformers 4.56.2 fills in. It checks that they fit one another and
// reports all that does not at once.
//
// It does not own the bytes of the weights (model/weights), the tokenizer
// (model/wordpiece) or where checkpoints lie (model/hub).
//
// A Checkpoint does not change once loaded and may be read concurrently.
package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/captiond/captiond/model/weights"
)

// Checkpoint is a checkpoint whose parts were found to fit.
type Checkpoint struct {
	Dir        string // "" when it was read from memory
	Config     Config
	Weights    *weights.File
	Preprocess Preprocess
	Generation Generation
	Tokenizer  Tokenizer

	// Digest names the content: 12 hex digits, the same for the same tensors and
	// settings in either weights format, on disk or in memory. See digest for what
	// goes into it.
	Digest string

	tensors map[string]weights.Tensor // by canonical name
}

// Limits in bytes of the JSON and vocabulary files.
const (
	maxJSON       = 1 << 20
	maxVocabulary = 64 << 20
)

// The weights files in order of preference.
const (
	safetensors = "model.safetensors"
	torch       = "pytorch_model.bin"
)

// Load reads the checkpoint in a folder. The weights stay on disk: their file must not
// change while the Checkpoint is used.
func Load(dir string) (*Checkpoint, error) {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = errors.New("not a folder: name the folder that config.json lies in")
	}
	if err != nil {
		return nil, fmt.Errorf("load checkpoint %s: %w", dir, err)
	}
	c, err := load(os.DirFS(dir), func(name string) (*weights.File, error) {
		return weights.Open(filepath.Join(dir, name))
	})
	if err != nil {
		return nil, fmt.Errorf("load checkpoint %s: %w", dir, err)
	}
	c.Dir = dir
	return c, nil
}

// LoadFS reads a checkpoint into memory, weights and all: it is for small ones, such as
// the demo's, that are embedded in the program.
func LoadFS(fsys fs.FS) (*Checkpoint, error) {
	c, err := load(fsys, func(name string) (*weights.File, error) {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		return weights.Read(data)
	})
	if err != nil {
		return nil, fmt.Errorf("load checkpoint: %w", err)
	}
	return c, nil
}

// Tensor returns a tensor by its canonical name: the name in transformers 4.56.2, so the
// Hub's git.img_temperal_embedding.N, which the later spelling also finds. A head that the
// file does not hold, or that is tied, is the word embedding. It panics for a name that
// the configuration does not have.
func (c *Checkpoint) Tensor(name string) weights.Tensor {
	t, ok := c.tensors[canon(name)]
	if !ok {
		panic(fmt.Sprintf("checkpoint: no tensor %s", name))
	}
	return t
}

// load reads all parts, and reports what is wrong with any.
func load(fsys fs.FS, open func(name string) (*weights.File, error)) (*Checkpoint, error) {
	c := &Checkpoint{}
	raw, err := readFile(fsys, "config.json", maxJSON)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("no config.json in it: a checkpoint is a folder in Hugging Face's layout, with config.json, model.safetensors, preprocessor_config.json and vocab.txt")
	}
	if err != nil {
		return nil, err
	}
	if c.Config, err = parseConfig(raw); err != nil {
		return nil, err
	}
	err = errors.Join(
		c.loadPreprocess(fsys),
		c.loadGeneration(fsys, raw),
		c.loadTokenizer(fsys),
		c.loadWeights(fsys, open),
	)
	if err != nil {
		return nil, err
	}
	c.Digest, err = c.digest()
	return c, err
}

func (c *Checkpoint) loadGeneration(fsys fs.FS, config []byte) error {
	name := "generation_config.json"
	data, err := readFile(fsys, name, maxJSON)
	if errors.Is(err, fs.ErrNotExist) {
		name, data, err = "config.json", config, nil
	}
	if err == nil {
		c.Generation, err = parseGeneration(name, data, c.Config)
	}
	return err
}

func (c *Checkpoint) loadTokenizer(fsys fs.FS) (err error) {
	if c.Tokenizer, err = readTokenizer(fsys); err != nil {
		return err
	}
	return c.Tokenizer.fits(c.Config)
}

func (c *Checkpoint) loadWeights(fsys fs.FS, open func(name string) (*weights.File, error)) error {
	name, err := choose(fsys)
	if err != nil {
		return err
	}
	if c.Weights, err = open(name); err != nil {
		return err
	}
	c.tensors, err = fit(c.Config, c.Weights)
	return err
}

// choose names the weights file.
func choose(fsys fs.FS) (string, error) {
	for _, name := range []string{safetensors, torch} {
		if _, err := fs.Stat(fsys, name); err == nil {
			return name, nil
		}
	}
	for _, name := range []string{safetensors, torch} {
		name := name + ".index.json"
		if _, err := fs.Stat(fsys, name); err == nil {
			return "", fmt.Errorf("the weights are split into several files (%s): save them again as one %s", name, safetensors)
		}
	}
	return "", fmt.Errorf("no weights: neither %s nor %s is in it: download one of them", safetensors, torch)
}

// readFile reads a small regular file.
func readFile(fsys fs.FS, name string, most int64) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: not a regular file", name)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("more than %d bytes", most)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}
