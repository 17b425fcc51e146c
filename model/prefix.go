package model

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Prefix is what the text decoder keeps of a window: keys and values of the image
// tokens, native memory (44 MB for six frames at git-base's shape) until Close. Any
// number of texts may be generated from it, at the same time too.
type Prefix struct {
	of     *Model
	mu     sync.RWMutex // held for reading by whoever reads images
	images []Value      // for each layer keys and values; nil when closed
}

// Begin takes the frames of a window in the order of time, at least one. A video
// checkpoint tells their places by its temporal embeddings and takes no more frames
// than it has of these; an image checkpoint takes one.
func (m *Model) Begin(ctx context.Context, fs []*Features) (*Prefix, error) {
	if len(fs) > m.Frames() {
		return nil, fmt.Errorf("begin window: %d frames are given, %s takes %d at most", len(fs), m.name, m.Frames())
	}
	return m.begin(ctx, fs, m.temporal)
}

// BeginPicture takes a single picture: no temporal embedding is added, as in the
// reference.
func (m *Model) BeginPicture(ctx context.Context, f *Features) (*Prefix, error) {
	return m.begin(ctx, []*Features{f}, nil)
}

func (m *Model) begin(ctx context.Context, fs []*Features, temporal []float32) (*Prefix, error) {
	data, err := m.join(fs)
	if err != nil {
		return nil, fmt.Errorf("begin window: %w", err)
	}
	n, width := len(fs), m.width()
	if len(temporal) == 0 {
		temporal = make([]float32, n*width)
	}
	images, err := m.run(ctx, m.prefix, []tensor{
		{floats: data, shape: []int64{int64(n), int64(fs[0].tokens), int64(width)}},
		{floats: temporal[:n*width], shape: []int64{int64(n), int64(width)}},
	})
	if err != nil {
		return nil, fmt.Errorf("begin window: %w", err)
	}
	return &Prefix{of: m, images: images}, nil
}

// join lays features one after the other.
func (m *Model) join(fs []*Features) ([]float32, error) {
	if len(fs) == 0 {
		return nil, errors.New("no frames are given")
	}
	var data []float32
	for i, f := range fs {
		if f == nil || f.of != m {
			return nil, fmt.Errorf("frame %d was not encoded by this model", i)
		}
		if f.tokens != fs[0].tokens {
			return nil, fmt.Errorf("frame %d has %d image tokens, the first has %d: frames of a window have one size", i, f.tokens, fs[0].tokens)
		}
		data = append(data, f.data...)
	}
	return data, nil
}

// Bytes is the native memory that the prefix holds, 0 when it is closed.
func (p *Prefix) Bytes() (bytes int64) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, v := range p.images {
		elements := int64(1)
		for _, n := range v.Shape() {
			elements *= n
		}
		bytes += 4 * elements
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
