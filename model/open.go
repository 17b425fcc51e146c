package model

import (
	"fmt"
	"path/filepath"

	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/pixels"
	"github.com/captiond/captiond/model/wordpiece"
)

// Options of a Model. The zero value is the checkpoint as it is.
type Options struct {
	// Name is what the model is called; "" takes the name of the checkpoint's folder.
	Name string
	// Microsoft puts pictures through Microsoft's own transform instead of the one that
	// the checkpoint's files state.
	Microsoft bool
	// VQA, with Microsoft, takes its transform of the VQAv2 and TextVQA checkpoints:
	// nothing is cropped, and the longer edge has 4/3 of the shorter's pixels at most.
	VQA bool
	// Precision of the arithmetic; the zero value is float32, the reference's.
	Precision graph.Precision
	// LowMemory leaves weights mapped from their file where they lie, as the Runtime is to do.
	LowMemory bool
}

// defaultLength is the length of a text in tokens where nobody states one.
const defaultLength = 50

// Open loads a checkpoint. Its weights stay in their file, which must not change while
// the Model lives, unless it was read from memory. The Model takes nothing else of c
// along.
func Open(rt Runtime, c *checkpoint.Checkpoint, o Options) (*Model, error) {
	name := o.Name
	if name == "" {
		name = filepath.Base(c.Dir)
	}
	p, err := newParts(c, o)
	if err != nil {
		return nil, fmt.Errorf("open model %s: %w", name, err)
	}
	p.name = name
	m, err := load(rt, p)
	if err != nil {
		return nil, fmt.Errorf("open model %s: %w", name, err)
	}
	return m, nil
}

func newParts(c *checkpoint.Checkpoint, o Options) (p parts, err error) {
	p = parts{
		digest:       c.Digest,
		sizes:        sizes(c.Config),
		weights:      tensors{c},
		precision:    o.Precision,
		mapped:       o.LowMemory,
		grid:         int(c.Config.ImageSize / c.Config.PatchSize),
		bos:          c.Generation.BOS,
		ends:         c.Generation.EOS,
		maxLength:    length(c),
		maxNewTokens: c.Generation.MaxNewTokens,
	}
	if c.Weights.Path != "" {
		p.folder = filepath.Dir(c.Weights.Path)
	}
	if p.vocab, err = wordpiece.New(wordpiece.Files(c.Tokenizer)); err != nil {
		return parts{}, err
	}
	if p.transform, err = pixels.New(transform(c, o)); err != nil {
		return parts{}, err
	}
	if p.positions, err = (tensors{c}).Floats(graph.Positions); err != nil {
		return parts{}, err
	}
	for i := range c.Config.Frames {
		place, err := (tensors{c}).Floats(fmt.Sprint(graph.Temporal, i))
		if err != nil {
			return parts{}, err
		}
		p.temporal = append(p.temporal, place...)
	}
	return p, nil
}

// length of a text where a request states none.
func length(c *checkpoint.Checkpoint) int {
	if c.Generation.MaxLength == 0 {
		return defaultLength
	}
	return c.Generation.MaxLength
}

func sizes(c checkpoint.Config) graph.Sizes {
	tower := func(t checkpoint.Tower) graph.Tower {
		return graph.Tower{
			Hidden: t.Hidden, MLP: t.MLP, Layers: t.Layers, Heads: t.Heads,
			Activation: t.Activation, Epsilon: float32(t.Epsilon),
		}
	}
	return graph.Sizes{
		Vision: tower(c.Vision), Text: tower(c.Text),
		Channels: c.Channels, Patch: c.PatchSize,
		Vocabulary: c.VocabSize, TextPositions: c.TextPositions,
	}
}

// transform is what pictures go through.
func transform(c *checkpoint.Checkpoint, o Options) pixels.Transform {
	size := int(c.Config.ImageSize)
	switch {
	case o.Microsoft && o.VQA:
		return pixels.MicrosoftVQA(size, size*4/3)
	case o.Microsoft:
		return pixels.Microsoft(size)
	}
	p := c.Preprocess
	t := pixels.Transform{
		CropWidth: p.CropWidth, CropHeight: p.CropHeight,
		Scale: p.Scale, Normalize: p.Normalize, Mean: p.Mean, Std: p.Std,
	}
	switch {
	case p.ShortestEdge != 0:
		t.Resize, t.Edge = pixels.ShortestEdge, p.ShortestEdge
	case p.Width != 0:
		t.Resize, t.Width, t.Height = pixels.Exact, p.Width, p.Height
	}
	if p.Filter == checkpoint.Bilinear {
		t.Filter = pixels.Bilinear
	}
	return t
}
