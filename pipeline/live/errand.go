package live

import (
	"context"
	"slices"
	"sync"

	"github.com/captiond/captiond/pipeline"
)

// errand is a talk that waits for a turn at the model, or has one.
type errand struct {
	pipeline.Talk
	gone <-chan struct{} // closed when nobody waits for it any more
	said pipeline.Said
	done chan struct{} // closed when it was said
}

// speak has a talk held when there is a turn, side by side with others that have come to wait
// for the same model meanwhile: nobody waits for company. Where ctx ends the talk is given up,
// and those beside it go on.
func (l *Load) speak(ctx context.Context, t pipeline.Talk) pipeline.Said {
	e := &errand{Talk: t, gone: ctx.Done(), done: make(chan struct{})}
	l.mu.Lock()
	l.waiting = append(l.waiting, e)
	l.mu.Unlock()
	select {
	case <-e.done:
		return e.said
	case l.turns <- struct{}{}:
		l.turn(func() { hold(ctx, l.company(e)) })
	case <-ctx.Done():
	}
	select {
	case <-e.done:
		return e.said
	case <-ctx.Done():
		l.withdraw(e)
		return pipeline.Said{Err: context.Cause(ctx)}
	}
}

// company takes an errand and those that go with it from the queue, the ones that came first
// among them; none, where somebody else has taken it.
func (l *Load) company(e *errand) (all []*errand) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.waiting, e) {
		return nil
	}
	room := max(e.Together, 1) - 1
	l.waiting = slices.DeleteFunc(l.waiting, func(o *errand) bool {
		switch {
		case o == e:
		case room > 0 && o.Captioner == e.Captioner:
			room--
		default:
			return false
		}
		all = append(all, o)
		return true
	})
	return all
}

func (l *Load) withdraw(e *errand) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = slices.DeleteFunc(l.waiting, func(o *errand) bool { return o == e })
}

// hold holds the talks of errands side by side, while anybody waits for one of them.
func hold(ctx context.Context, errands []*errand) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() {
		for _, e := range errands {
			select {
			case <-e.gone:
			case <-ctx.Done():
				return
			}
		}
		cancel()
	})
	talks := make([]pipeline.Talk, len(errands))
	for i, e := range errands {
		talks[i] = e.Talk
	}
	for i, said := range pipeline.Discuss(ctx, talks) {
		errands[i].said = said
		close(errands[i].done)
	}
}
