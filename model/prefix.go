package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/captiond/captiond/model/graph"
)

// Prefix is what the text decoder keeps of a window, or of several that were begun
// together: keys and values of the image tokens, native memory (44 MB for six frames at
// git-base's shape) until Close. Any number of texts may be generated from it, at the
// same time too.
type Prefix struct {
	of      *Model
	windows int
	mu      sync.RWMutex // held for reading by whoever reads images
	images  []Value      // for each layer keys and values; nil when closed
}

// Begin takes the frames of a window in the order of time, at least one. A video
// checkpoint tells their places by its temporal embeddings and takes no more frames
// than it has of these; an image checkpoint takes one.
func (m *Model) Begin(ctx context.Context, fs []*Features) (*Prefix, error) {
	return m.BeginAll(ctx, [][]*Features{fs})
}

// BeginAll takes several windows, at least one, with as many frames each: GenerateAll
// then goes on with all of them in the same runs.
func (m *Model) BeginAll(ctx context.Context, windows [][]*Features) (*Prefix, error) {
	for _, fs := range windows {
		if len(fs) > m.Frames() {
			return nil, fmt.Errorf("begin window: %d frames are given, %s takes %d at most", len(fs), m.name, m.Frames())
		}
	}
	return m.begin(ctx, windows, m.temporal)
}

// BeginPicture takes a single picture: no temporal embedding is added, as in the
// reference.
func (m *Model) BeginPicture(ctx context.Context, f *Features) (*Prefix, error) {
	return m.begin(ctx, [][]*Features{{f}}, nil)
}

func (m *Model) begin(ctx context.Context, windows [][]*Features, temporal []float32) (*Prefix, error) {
	if err := m.fit(windows); err != nil {
		return nil, fmt.Errorf("begin window: %w", err)
	}
	n, width := len(windows[0]), m.width()
	if len(temporal) == 0 {
		temporal = make([]float32, n*width)
	}
	images, err := m.look(ctx, windows, temporal[:n*width])
	if err != nil {
		return nil, fmt.Errorf("begin window: %w", err)
	}
	return &Prefix{of: m, windows: len(windows), images: images}, nil
}

// look runs the prefix graph. In 8 bits a run has one scale for all its rows: windows run
// alone, so that none depends on another.
func (m *Model) look(ctx context.Context, windows [][]*Features, temporal []float32) ([]Value, error) {
	if m.precision != graph.Int8 || len(windows) == 1 {
		return m.lookTogether(ctx, windows, temporal)
	}
	var alone [][]Value
	defer func() {
		for _, images := range alone {
			closeAll(images)
		}
	}()
	for i := range windows {
		images, err := m.lookTogether(ctx, windows[i:i+1], temporal)
		if err != nil {
			return nil, err
		}
		alone = append(alone, images)
	}
	return m.stack(alone)
}

func (m *Model) lookTogether(ctx context.Context, windows [][]*Features, temporal []float32) ([]Value, error) {
	n, frames, width := int64(len(windows)), int64(len(windows[0])), int64(m.width())
	fs := slices.Concat(windows...)
	features, err := m.assemble(assembly{
		parts:  len(fs),
		shape:  []int64{n, frames, int64(fs[0].tokens), width},
		floats: func(part []float32, i int) { copy(part, fs[i].floats) },
		halves: func(part []uint16, i int) { copy(part, fs[i].halves) },
	})
	if err != nil {
		return nil, err
	}
	return m.run(ctx, m.prefix, []tensor{features, {data: temporal, shape: []int64{frames, width}}})
}

// stack copies tensors [1, ...] of several windows into tensors [W, ...].
func (m *Model) stack(windows [][]Value) (stacked []Value, err error) {
	for i, first := range windows[0] {
		data := make([]float32, 0, len(windows)*len(first.Float32()))
		for _, images := range windows {
			data = append(data, images[i].Float32()...)
		}
		shape := append([]int64{int64(len(windows))}, first.Shape()[1:]...)
		v, err := m.runtime.Wrap(data, shape...)
		if err != nil {
			closeAll(stacked)
			return nil, err
		}
		stacked = append(stacked, v)
	}
	return stacked, nil
}

// fit says whether windows can be begun together.
func (m *Model) fit(windows [][]*Features) error {
	if len(windows) == 0 || len(windows[0]) == 0 {
		return errors.New("no frames are given")
	}
	first := windows[0]
	for w, fs := range windows {
		if len(fs) != len(first) {
			return fmt.Errorf("window %d has %d frames, the first has %d", w, len(fs), len(first))
		}
		for i, f := range fs {
			if f == nil || f.of != m {
				return fmt.Errorf("frame %d was not encoded by this model", i)
			}
			if f.tokens != first[0].tokens {
				return fmt.Errorf("frame %d has %d image tokens, the first has %d: frames have one size", i, f.tokens, first[0].tokens)
			}
		}
	}
	return nil
}

// Bytes is the native memory that the prefix holds, 0 when it is closed.
func (p *Prefix) Bytes() (bytes int64) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	width := int64(4)
	if p.of != nil && p.of.precision == graph.Float16 {
		width = 2
	}
	for _, v := range p.images {
		elements := int64(1)
		for _, n := range v.Shape() {
			elements *= n
		}
		bytes += width * elements
	}
	return bytes
}

// Close frees the memory when no text is being generated any more. It may be called
// twice.
func (p *Prefix) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	closeAll(p.images)
	p.images = nil
}

// hold keeps the prefix open until the returned function is called.
func (p *Prefix) hold(m *Model) (release func(), err error) {
	if p == nil || p.of != m {
		return nil, errors.New("the window was not begun by this model")
	}
	p.mu.RLock()
	if p.images == nil {
		p.mu.RUnlock()
		return nil, errors.New("the window is closed")
	}
	return p.mu.RUnlock, nil
}
