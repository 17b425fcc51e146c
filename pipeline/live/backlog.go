package live

import (
	"context"
	"sync"

	"github.com/captiond/captiond/frames"
)

// The bounds of a backlog: some seconds of a camera.
const (
	backlogUnits = 256
	backlogBytes = 32 << 20
)

// backlog holds units for the decoder. Where it cannot keep up all that waits is dropped, up
// to the next key unit, and the unit after says that something was lost.
type backlog struct {
	mu      sync.Mutex
	units   []frames.Unit
	bytes   int
	dropped int64 // in all
	skip    bool  // until a key unit
	err     error // why no more come
	more    chan struct{}
}

func newBacklog() *backlog { return &backlog{more: make(chan struct{}, 1)} }

// put never blocks.
func (b *backlog) put(u frames.Unit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.units) >= backlogUnits || b.bytes+len(u.Data) > backlogBytes {
		b.dropped += int64(len(b.units))
		b.units, b.bytes, b.skip = nil, 0, true
	}
	if b.skip && !u.Key {
		b.dropped++
		return
	}
	b.skip = false
	b.units, b.bytes = append(b.units, u), b.bytes+len(u.Data)
	b.signal()
}

// end says that no more units come, and why.
func (b *backlog) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
	b.signal()
}

func (b *backlog) signal() {
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// take waits for the next unit. After the last one the error is why no more come.
func (b *backlog) take(ctx context.Context) (frames.Unit, error) {
	for {
		if u, ok, err := b.next(); ok || err != nil {
			return u, err
		}
		select {
		case <-b.more:
		case <-ctx.Done():
			return frames.Unit{}, context.Cause(ctx)
		}
	}
}

func (b *backlog) next() (u frames.Unit, ok bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.units) == 0 {
		return u, false, b.err
	}
	u = b.units[0]
	b.units, b.bytes = b.units[1:], b.bytes-len(u.Data)
	return u, true, nil
}

// lost is how many units have been dropped.
func (b *backlog) lost() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}
