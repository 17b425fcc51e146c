package index

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/captiond/captiond/sinks"
)

const (
	batch    = 1000             // most records of a transaction
	retry    = time.Second      // after an error,
	retryMax = 30 * time.Second // and after many
)

// errAnew is a sound index that must be made anew all the same.
var errAnew = errors.New("it does not go with the stream")

// Run follows the stream until ctx ends. What goes wrong is logged and tried again: the
// index is a cache, and no reason for a daemon to end.
func (x *Index) Run(ctx context.Context) {
	went, err := false, x.verify(ctx)
	for wait := retry; ; wait = min(2*wait, retryMax) {
		if err == nil {
			went, err = x.follow(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if went {
			wait = retry
		}
		if err = x.mend(err); err == nil && went {
			continue
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		err = nil
	}
}

// mend makes the file anew where that helps, and else leaves the error, and says so.
func (x *Index) mend(err error) error {
	if errors.Is(err, errAnew) || damaged(err) {
		x.log.Warn("search index is made anew from the stream", "reason", err)
		err = x.remake()
	}
	if err != nil {
		x.log.Warn("search index does not follow the stream: it will try again", "err", err)
	}
	return err
}

// follow takes what comes, until something goes wrong, and says whether anything came.
func (x *Index) follow(ctx context.Context) (went bool, err error) {
	k := &keeper{x: x}
	if err := k.keep(ctx); err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancel(ctx)
	records := make(chan sinks.Record, batch)
	var reading sync.WaitGroup
	reading.Go(func() { x.read(ctx, k.last+1, records) })
	defer reading.Wait()
	defer cancel()
	look := time.NewTicker(x.every)
	defer look.Stop()
	for err == nil {
		select {
		case r, ok := <-records:
			if !ok {
				return went, ctx.Err()
			}
			went, err = true, k.take(ctx, drain(r, records))
		case <-look.C:
			err = k.keep(ctx)
		case <-x.anew:
			err = fmt.Errorf("%w: it was asked for", errAnew)
		}
	}
	return went, err
}

// read hands records on. What cannot be decoded has nothing to find.
func (x *Index) read(ctx context.Context, from uint64, records chan<- sinks.Record) {
	defer close(records)
	for r, err := range x.stream.Read(ctx, sinks.From{Seq: from}) {
		if err != nil {
			continue
		}
		select {
		case records <- r:
		case <-ctx.Done():
			return
		}
	}
}

// drain is r and what has come beside it: many records while the index is behind, one
// while it is not.
func drain(r sinks.Record, more <-chan sinks.Record) []sinks.Record {
	rs := []sinks.Record{r}
	for len(rs) < batch {
		select {
		case r, ok := <-more:
			if !ok {
				return rs
			}
			rs = append(rs, r)
		default:
			return rs
		}
	}
	return rs
}
