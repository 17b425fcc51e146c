package live

import (
	"context"
	"fmt"
	"image"
	"slices"
	"sync"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
)

// picture is a frame that a model is to look at.
type picture struct {
	pipeline.Voice
	image *image.RGBA
}

// sight is what it made of it.
type sight struct {
	features *model.Features
	err      error
}

// speak has a talk held when there is a turn. Where ctx ends the talk is given up.
func (l *Load) speak(ctx context.Context, t pipeline.Talk) pipeline.Said {
	said, err := l.talks.ask(ctx, t)
	if err != nil {
		return pipeline.Said{Err: err}
	}
	return said
}

// look has a picture encoded when there is a turn. Where ctx ends the picture is given up.
func (l *Load) look(ctx context.Context, p picture) (*model.Features, error) {
	seen, err := l.pictures.ask(ctx, p)
	if err == nil {
		err = seen.err
	}
	if err != nil {
		return nil, fmt.Errorf("encode frame: %w", err)
	}
	return seen.features, nil
}

// sights encodes pictures of one model and view together; where that fails each is tried alone.
func sights(ctx context.Context, all []picture) []sight {
	imgs, seen := make([]*image.RGBA, len(all)), make([]sight, len(all))
	for i, p := range all {
		imgs[i] = p.image
	}
	features, err := all[0].EncodeAll(ctx, imgs, all[0].View)
	for i := range seen {
		switch {
		case err == nil:
			seen[i].features = features[i]
		case len(all) == 1:
			seen[i].err = err
		default:
			seen[i] = sights(ctx, all[i:i+1])[0]
		}
	}
	return seen
}

// queue is what waits for a turn at the model. Who gets one does, side by side, all that has
// come to wait meanwhile and goes together: nobody waits for company. Of those that are done
// together each may be given up, and the others go on.
type queue[Ask, Answer any] struct {
	load    *Load
	room    func(Ask) int // how many go together, at least one
	alike   func(a, b Ask) bool
	do      func(ctx context.Context, all []Ask) []Answer
	waiting []*errand[Ask, Answer] // guarded by load.mu
}

// errand is what one waits for.
type errand[Ask, Answer any] struct {
	ask    Ask
	gone   <-chan struct{} // closed when nobody waits for it any more
	answer Answer
	done   chan struct{} // closed when there is the answer
}

// ask fails only where ctx ends.
func (q *queue[Ask, Answer]) ask(ctx context.Context, a Ask) (answer Answer, err error) {
	e := &errand[Ask, Answer]{ask: a, gone: ctx.Done(), done: make(chan struct{})}
	l := q.load
	l.mu.Lock()
	q.waiting = append(q.waiting, e)
	l.mu.Unlock()
	select {
	case <-e.done:
		return e.answer, nil
	case l.turns <- struct{}{}:
		l.turn(func() { q.hold(ctx, q.company(e)) })
	case <-ctx.Done():
	}
	select {
	case <-e.done:
		return e.answer, nil
	case <-ctx.Done():
		q.withdraw(e)
		return answer, context.Cause(ctx)
	}
}

// company takes an errand and those that go with it from the queue, the ones that came first
// among them; none, where somebody else has taken it.
func (q *queue[Ask, Answer]) company(e *errand[Ask, Answer]) (all []*errand[Ask, Answer]) {
	q.load.mu.Lock()
	defer q.load.mu.Unlock()
	if !slices.Contains(q.waiting, e) {
		return nil
	}
	room := q.room(e.ask) - 1
	q.waiting = slices.DeleteFunc(q.waiting, func(o *errand[Ask, Answer]) bool {
		switch {
		case o == e:
		case room > 0 && q.alike(o.ask, e.ask):
			room--
		default:
			return false
		}
		all = append(all, o)
		return true
	})
	return all
}

func (q *queue[Ask, Answer]) withdraw(e *errand[Ask, Answer]) {
	q.load.mu.Lock()
	defer q.load.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(o *errand[Ask, Answer]) bool { return o == e })
}

// hold does errands side by side, while anybody waits for one of them.
func (q *queue[Ask, Answer]) hold(ctx context.Context, errands []*errand[Ask, Answer]) {
	if len(errands) == 0 {
		return
	}
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
	all := make([]Ask, len(errands))
	for i, e := range errands {
		all[i] = e.ask
	}
	for i, answer := range q.do(ctx, all) {
		errands[i].answer = answer
		close(errands[i].done)
	}
}
