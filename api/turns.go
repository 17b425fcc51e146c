package api

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// comeAgain is when who was refused may try again: an answer takes some seconds at most.
const comeAgain = 2 * time.Second

// turns lets so many work at once and so many more wait.
type turns struct {
	running chan struct{}
	places  chan struct{} // of those who work and those who wait
	refused *atomic.Int64
}

func newTurns(running, waiting int) turns {
	return turns{make(chan struct{}, running), make(chan struct{}, running+waiting), new(atomic.Int64)}
}

// take waits for a turn and takes it. It never waits where too many do already.
func (t turns) take(ctx context.Context, work func() error) error {
	select {
	case t.places <- struct{}{}:
	default:
		t.refused.Add(1)
		return Later(http.StatusServiceUnavailable, comeAgain, "the daemon is busy: it answers as many as it can; ask again in some seconds")
	}
	defer func() { <-t.places }()
	select {
	case t.running <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-t.running }()
	return work()
}
