package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/pipeline/recall"
	"github.com/captiond/captiond/sinks"
)

const (
	labelBytes = 256 << 20 // of all lists that are kept
	labelCost  = 100       // bytes that one of a list takes when it is ready, about
)

// list is labels that are ready for a model.
type list struct {
	*pipeline.Choice
	bytes int64
}

// Bytes implements recall.Scene.
func (l list) Bytes() int64 { return l.bytes }

// Close implements recall.Scene.
func (list) Close() {}

// Classify says which of the labels one stretch of a subject shows, by the model for captions.
func (a *Asker) Classify(ctx context.Context, c Caller, s Subject, q Classify) (classes *pipeline.Classes, err error) {
	asked := time.Now()
	if err := q.check(); err != nil {
		return nil, err
	}
	r := request{c, s, q.Stretch, q.Search, sinks.KindCaption}
	err = a.look(ctx, r, func(j pipeline.Job, seen *pipeline.Scene) error {
		return a.labels.Use(ctx, q.key(j.Voice), q.prepare(j.Voice), func(l list) (err error) {
			choice := *l.Choice
			choice.Prompt, choice.Top = q.Prompt, cmp.Or(q.Top, pipeline.DefaultTop)
			classes, err = j.Classify(ctx, seen, asked, &choice)
			if errors.Is(err, model.ErrNoRoom) {
				return unprocessable("%v: use shorter ones", err)
			}
			return err
		})
	})
	return classes, err
}

func (q Classify) check() error {
	if q.Top < 0 {
		return unprocessable("top is %d: ask for the likeliest 1 or more", q.Top)
	}
	if q.Prompt == "" {
		return nil
	}
	return checkQuestion("prompt", q.Prompt)
}

// key tells lists apart: the same list is made ready once for each model.
func (q Classify) key(v pipeline.Voice) recall.Key {
	h := sha256.New()
	for _, l := range q.Labels {
		fmt.Fprintf(h, "%d:%s,", len(l), l)
	}
	return recall.Key{Subject: eye(v), Detail: hex.EncodeToString(h.Sum(nil))}
}

// prepare has a model make labels ready.
func (q Classify) prepare(v pipeline.Voice) func() recall.Maker[list] {
	return func() recall.Maker[list] {
		return func(context.Context) (list, error) {
			choice, err := v.Choice(q.Labels)
			if err != nil {
				return list{}, unprocessable("%s", strings.TrimSpace(err.Error()))
			}
			size := int64(0)
			for _, l := range q.Labels {
				size += int64(len(l))
			}
			return list{choice, labelCost * size}, nil
		}
	}
}
