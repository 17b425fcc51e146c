package feed

import (
	"context"
	"errors"
	"sync"
	"time"
)

// client is who follows. What waits for it is in the ring.
type client struct {
	want Want
	has  uint64        // up to here it needs nothing; guarded by the feed
	wake chan struct{} // something came

	mu      sync.Mutex
	waiting ring
	lost    Gap // dropped from waiting and not told yet
}

// offer gives an item to a client that wants it, and counts what it loses by that.
func (c *client) offer(i *Item) (dropped int64) {
	if i.Seq <= c.has || !c.want.takes(i) {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.waiting.push(i); old != nil {
		if c.lost.Lost == 0 {
			c.lost.From = old.Seq
		}
		c.lost.To, dropped = old.Seq, 1
		c.lost.Lost++
	}
	select {
	case c.wake <- struct{}{}:
	default: // it will look anyway
	}
	return dropped
}

// next is what was lost, then what waits.
func (c *client) next() (Item, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if gap := c.lost; gap.Lost > 0 {
		c.lost = Gap{}
		return Item{Gap: &gap}, true
	}
	if i := c.waiting.pop(); i != nil {
		return *i, true
	}
	return Item{}, false
}

// errLeft is a client that takes no more.
var errLeft = errors.New("the client has left")

// follower is a client at its reading.
type follower struct {
	*client
	f    *Feed
	take func(Item) bool
}

// Follow gives take what caller wants until take says no more, which is no error. The
// first item is nothing, and says that the caller is let in; another such comes whenever
// there was nothing for Options.Quiet. take may block: the caller then loses what there is
// no room for. Follow ends with ErrEnded, ErrSlow, an error of ctx or the stream's; before
// the first item it ends with an *api.Error where the caller asks for what there is not,
// or there are too many.
func (f *Feed) Follow(ctx context.Context, caller string, w Want, take func(Item) bool) error {
	if err := w.check(); err != nil {
		return err
	}
	if err := f.admit(caller); err != nil {
		return err
	}
	c := &client{want: w, wake: make(chan struct{}, 1), waiting: newRing(f.o.Behind)}
	defer f.leave(caller, c)
	l := follower{c, f, take}
	err := l.enter(ctx)
	if err == nil {
		err = l.live(ctx)
	}
	if errors.Is(err, errLeft) {
		return nil
	}
	return err
}

func (l follower) give(i Item) error {
	if !l.take(i) {
		return errLeft
	}
	return nil
}

// enter brings the client to where new events go to it.
func (l follower) enter(ctx context.Context) error {
	if !l.want.Resume {
		l.f.join(l.client, 0)
		return l.give(Item{})
	}
	if err := l.give(Item{}); err != nil {
		return err
	}
	if err := l.wait(ctx); err != nil {
		return err
	}
	return l.catchUp(ctx)
}

// wait waits for the feed's beginning.
func (l follower) wait(ctx context.Context) error {
	for {
		select {
		case <-l.f.begun:
			return nil
		case <-l.f.ended:
			return ErrEnded
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(l.f.o.Quiet):
			if err := l.give(Item{}); err != nil {
				return err
			}
		}
	}
}

// catchUp replays the stream until the client is so near its end that the feed remembers
// the rest. A slow client may never be: it then gets all of it from the stream.
func (l follower) catchUp(ctx context.Context) error {
	for has := l.want.After; ; {
		extent, err := l.f.stream.Extent(ctx)
		if err != nil {
			return err
		}
		if has > extent.Last { // of a stream that was made anew
			has = 0
		}
		if lost := extent.First; lost > has+1 {
			if err := l.give(Item{Gap: &Gap{From: has + 1, To: lost - 1, Lost: lost - 1 - has}}); err != nil {
				return err
			}
			has = lost - 1
		}
		if near := extent.Last-has <= uint64(l.f.o.Behind); near && l.f.join(l.client, has) {
			return nil
		}
		if has, err = l.replay(ctx, has); err != nil {
			return err
		}
		has = max(has, extent.Last) // the rest is not wanted
	}
}

// replay gives what the stream holds after number has, and says where that ended.
func (l follower) replay(ctx context.Context, has uint64) (uint64, error) {
	for r, err := range l.f.stream.Replay(ctx, has+1, l.want.subjects(l.f.o.Prefix)...) {
		if err != nil && r.Seq == 0 {
			return has, err
		}
		select {
		case <-l.f.ended:
			return has, ErrEnded
		default:
		}
		has = r.Seq
		if i := itemOf(r); i != nil && l.want.takes(i) {
			if err := l.give(*i); err != nil {
				return has, err
			}
		}
	}
	return has, ctx.Err()
}

// live gives what comes.
func (l follower) live(ctx context.Context) error {
	quiet := time.NewTimer(l.f.o.Quiet)
	defer quiet.Stop()
	for gaps := 0; ; quiet.Reset(l.f.o.Quiet) {
		for i, ok := l.next(); ok; i, ok = l.next() {
			if err := l.give(i); err != nil {
				return err
			}
			if i.Gap == nil {
				continue
			}
			if gaps++; gaps == l.f.o.Overflows {
				l.f.cut()
				return ErrSlow
			}
		}
		select {
		case <-l.wake:
		case <-quiet.C:
			if err := l.give(Item{}); err != nil {
				return err
			}
		case <-l.f.ended:
			return ErrEnded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *Feed) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Cut++
}
