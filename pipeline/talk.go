package pipeline

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/sinks"
)

// A Talk is a window and the prompts of the texts that are wanted about it.
type Talk struct {
	Voice
	Frames  []*model.Features // of the window, in the order of time
	Prompts []string
	Since   time.Time // when what is said could be known: latencies count from there
}

// Said is what came of a Talk: a speech for each prompt, or an error and the speeches before
// it.
type Said struct {
	Speeches []sinks.Speech
	Err      error
}

// Discuss holds talks with one model, side by side where there is room: what each of them
// says, and whether it fails, does not depend on the others, but for the last digits of
// confidences.
func Discuss(ctx context.Context, talks []Talk) (all []Said) {
	for some := range slices.Chunk(talks, fitting(talks)) {
		all = append(all, discuss(ctx, some)...)
	}
	return all
}

// fitting is how many of the talks there is room for side by side: the model computes as many
// rows for every window as for the one with most.
func fitting(talks []Talk) int {
	rows := 1
	for _, t := range talks {
		rows = max(rows, len(t.Prompts)*t.beams())
	}
	return max(abreast/rows, 1)
}

func discuss(ctx context.Context, talks []Talk) []Said {
	if len(talks) > 1 {
		if all, err := together(ctx, talks); err == nil {
			return all
		}
	}
	all := make([]Said, len(talks))
	for i, t := range talks {
		all[i] = t.alone(ctx)
	}
	return all
}

func together(ctx context.Context, talks []Talk) ([]Said, error) {
	var windows [][]*model.Features
	var requests []model.Request
	for i, t := range talks {
		windows = append(windows, t.Frames)
		requests = append(requests, t.requests(t.Prompts, i)...)
	}
	p, err := talks[0].BeginAll(ctx, windows)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	texts, err := talks[0].GenerateAll(ctx, p, requests)
	if err != nil {
		return nil, err
	}
	all := make([]Said, len(talks))
	for i, t := range talks {
		n := len(t.Prompts)
		all[i].Speeches, texts = t.speeches(texts[:n], t.Since), texts[n:]
	}
	return all, nil
}

func (t Talk) alone(ctx context.Context) (said Said) {
	p, err := t.Begin(ctx, t.Frames)
	if err != nil {
		return Said{Err: fmt.Errorf("begin window: %w", err)}
	}
	defer p.Close()
	for s, err := range t.Say(ctx, p, t.Prompts, t.Since) {
		if err != nil {
			said.Err = err
			break
		}
		said.Speeches = append(said.Speeches, s)
	}
	return said
}
