package tus

import (
	"context"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
)

// courtesy is how long a request that writes may go on when another wants its upload. A client
// that was cut off comes again at once: most often the server is about to notice by itself.
const courtesy = 500 * time.Millisecond

// locker gives uploads to one request at a time. The folder is one process's, so locks need not
// outlive it: lock files would, and name a process by a number that the next one has, too.
type locker struct{ *memorylocker.MemoryLocker }

// NewLock implements handler.Locker.
func (l locker) NewLock(id string) (handler.Lock, error) {
	lock, err := l.MemoryLocker.NewLock(id)
	return courteous{lock}, err
}

type courteous struct{ lock handler.Lock }

// Lock implements handler.Lock. Release does nothing once the request has ended.
func (l courteous) Lock(ctx context.Context, release func()) error {
	return l.lock.Lock(ctx, func() { time.AfterFunc(courtesy, release) })
}

// Unlock implements handler.Lock.
func (l courteous) Unlock() error { return l.lock.Unlock() }
