// Package synthetic writes GIT checkpoints with random weights, in Hugging Face's
// layout and at the sizes of the public ones, to measure what a machine can do when
// no real checkpoint is at hand. What such a model says means nothing.
//
// The weights are a function of the seed alone, so two machines measure the same work.
package synthetic

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// Shape is the size of a checkpoint.
type Shape struct {
	Name          string
	Hidden, MLP   int64 // of the vision tower
	Layers, Heads int64 // of the vision tower
	Patch, Image  int64
	Frames        int64 // temporal embeddings; 0 for an image checkpoint
	TextHidden    int64
	TextMLP       int64
	TextLayers    int64
	TextHeads     int64
	Vocabulary    int64
	TextPositions int64
}

// Base is the shape of git-base, or with 6 frames of git-base-vatex.
func Base(frames int64) Shape {
	return Shape{"base", 768, 3072, 12, 12, 16, 224, frames, 768, 3072, 6, 12, 30522, 1024}
}

// BaseVQA is the shape of git-base-vqav2, which sees 480 pixels.
func BaseVQA() Shape {
	s := Base(0)
	s.Image = 480
	return s
}

// Large is the shape of git-large, or with 6 frames of git-large-vatex.
func Large(frames int64) Shape {
	return Shape{"large", 1024, 4096, 24, 16, 14, 224, frames, 768, 3072, 6, 12, 30522, 1024}
}

// Provide returns a folder that holds a checkpoint of the shape, and how to clean up: the
// folder given, where it is written unless it is there already, or a temporary one where
// none is given. Before it is written writing is told where.
func Provide(folder string, s Shape, writing func(folder string)) (_ string, remove func() error, err error) {
	remove = func() error { return nil }
	if folder == "" {
		if folder, err = os.MkdirTemp("", "captiond-weights-"); err != nil {
			return "", nil, fmt.Errorf("make weights: %w", err)
		}
		remove = func() error { return os.RemoveAll(folder) }
	}
	if _, err := os.Stat(filepath.Join(folder, "model.safetensors")); err == nil {
		return folder, remove, nil
	}
	writing(folder)
	if err := errors.Join(os.MkdirAll(folder, 0o755), Write(folder, s, 1)); err != nil {
		return "", nil, errors.Join(err, remove())
	}
	return folder, remove, nil
}

// Write makes a checkpoint in folder, which exists: config.json, model.safetensors,
// preprocessor_config.json, generation_config.json and vocab.txt.
func Write(folder string, s Shape, seed uint64) error {
	for name, content := range s.documents() {
		data, err := json.MarshalIndent(content, "", "  ")
		if err != nil {
			return fmt.Errorf("write checkpoint: %w", err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			return fmt.Errorf("write checkpoint: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "vocab.txt"), s.vocabulary(), 0o600); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	if err := s.writeWeights(filepath.Join(folder, "model.safetensors"), seed); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	return nil
}

// vocabulary has BERT's special tokens at their usual ids and made-up words.
func (s Shape) vocabulary() []byte {
	special := map[int64]string{0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
	var b strings.Builder
	for id := range s.Vocabulary {
		word, ok := special[id]
		if !ok {
			word = fmt.Sprintf("w%d", id)
		}
		b.WriteString(word + "\n")
	}
	return []byte(b.String())
}

// tensor is one parameter. Weights of layer norms are drawn round 1, all else round 0.
type tensor struct {
	name string
	dims []int64
	mean float32
}

func (t tensor) elements() int64 {
	n := int64(1)
	for _, d := range t.dims {
		n *= d
	}
	return n
}

// deviation of the weights; BERT's initializer_range.
const deviation = 0.02

func (s Shape) writeWeights(path string, seed uint64) (err error) {
	tensors := s.tensors()
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	header, err := safetensorsHeader(tensors)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for _, t := range tensors {
		if err := writeTensor(w, t, random); err != nil {
			return err
		}
	}
	return w.Flush()
}

func safetensorsHeader(tensors []tensor) ([]byte, error) {
	type entry struct {
		Type    string   `json:"dtype"`
		Shape   []int64  `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	entries := map[string]entry{}
	offset := int64(0)
	for _, t := range tensors {
		end := offset + 4*t.elements()
		entries[t.name] = entry{"F32", t.dims, [2]int64{offset, end}}
		offset = end
	}
	header, err := json.Marshal(entries)
	if err != nil {
		return nil, err
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), nil
}

// writeTensor draws from a uniform distribution with the deviation wanted, which
// is several times faster than a normal one and measures the same.
func writeTensor(w io.Writer, t tensor, random *rand.Rand) error {
	width := float32(deviation * math.Sqrt(12))
	buffer := make([]byte, 0, 4<<12)
	for n := t.elements(); n > 0; {
		buffer = buffer[:0]
		for ; n > 0 && len(buffer) < cap(buffer); n-- {
			v := t.mean + width*(random.Float32()-0.5)
			buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(v))
		}
		if _, err := w.Write(buffer); err != nil {
			return err
		}
	}
	return nil
}
