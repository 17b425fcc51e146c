package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/pipeline/files"
	"github.com/captiond/captiond/pipeline/live"
	"github.com/captiond/captiond/pipeline/recall"
	"github.com/captiond/captiond/sinks"
)

// AskerOptions are what an Asker asks with. All functions may be called by any number of
// goroutines.
type AskerOptions struct {
	// Open decodes a file for the time of use: a clip or a picture. It neither closes the file
	// nor needs its offset. An *Error of it is told as it is; any other that comes before use is
	// why the file cannot be decoded.
	Open func(ctx context.Context, f *os.File, use func(context.Context, pipeline.Footage) error) error
	// Voice is the model of a name, opened where it is not: "" is the daemon's own for captions
	// (sinks.KindCaption) or answers (sinks.KindAnswer). A name that this daemon does not have
	// is an *Error; any other means that there is no such model now, and is logged.
	Voice func(name string, kind sinks.Kind) (pipeline.Voice, error)
	// Media opens an upload that the caller may see; all others are not found.
	Media func(ctx context.Context, c Caller, id string) (*os.File, files.Video, error)
	// Camera is a camera that is attended to. Of it the settings and voices are used alone.
	Camera func(name string) (live.Camera, bool)
	// Ring is what is remembered of the cameras.
	Ring *live.Ring
	// Scenes keeps what was looked at. Its subjects are sources: job-<id> of an upload, the name
	// of a camera, file- and the SHA-256 of what was sent. Its owner closes it.
	Scenes *recall.Memory[*pipeline.Scene]
	// Running is how many may be answered at once, 2 where it is 0, and Waiting how many more
	// may wait. Whoever comes then is told to come again.
	Running, Waiting int
	Log              *slog.Logger
}

// Asker answers questions about uploads, files and cameras, captions them and chooses among
// labels. What was looked at once is remembered, whoever asks and by whatever door: further
// questions cost their tokens alone. What cameras showed is recalled from what their models
// made of it; video is never read again. It may be used by any number of goroutines.
//
// Texts are the model's own, each with its confidence: nothing is put in its place where it
// is not sure.
type Asker struct {
	o      AskerOptions
	turns  turns
	labels *recall.Memory[list]
}

// NewAsker is an Asker with these options.
func NewAsker(o AskerOptions) *Asker {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	return &Asker{o: o, turns: newTurns(cmp.Or(o.Running, 2), o.Waiting), labels: recall.New[list](labelBytes)}
}

// Refused is how many have been told to come again because the Asker was busy.
func (a *Asker) Refused() int64 { return a.turns.refused.Load() }

// request is what all that can be asked has in common.
type request struct {
	Caller
	Subject
	Stretch
	Search
	kind sinks.Kind // of the text: which model is asked
}

// Ask answers questions about one stretch of a subject, in their order.
func (a *Asker) Ask(ctx context.Context, c Caller, s Subject, q Ask) (answers []*sinks.Answer, err error) {
	asked := time.Now()
	if err := checkQuestions(q.Questions); err != nil {
		return nil, err
	}
	r := request{c, s, q.Stretch, q.Search, sinks.KindAnswer}
	err = a.look(ctx, r, func(j pipeline.Job, seen *pipeline.Scene) error {
		j.Emit = func(e sinks.Event) error {
			if answer, ok := e.(*sinks.Answer); ok {
				answers = append(answers, answer)
			}
			return nil
		}
		return j.Answer(ctx, seen, asked, q.Questions)
	})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

// Caption captions a subject: all of a clip as one window, a picture, or the last window of
// a camera.
func (a *Asker) Caption(ctx context.Context, c Caller, s Subject, how Search) (captions []*sinks.Caption, err error) {
	asked := time.Now()
	r := request{c, s, Stretch{}, how, sinks.KindCaption}
	err = a.look(ctx, r, func(j pipeline.Job, seen *pipeline.Scene) error {
		j.Emit = func(e sinks.Event) error {
			if caption, ok := e.(*sinks.Caption); ok {
				captions = append(captions, caption)
			}
			return nil
		}
		return j.Describe(ctx, seen, asked)
	})
	if err != nil {
		return nil, err
	}
	return captions, nil
}

// look waits for its turn and says something about what a request is about.
func (a *Asker) look(ctx context.Context, r request, say func(pipeline.Job, *pipeline.Scene) error) error {
	if err := r.check(); err != nil {
		return err
	}
	return a.turns.take(ctx, func() error {
		t, err := a.find(ctx, r)
		if err != nil {
			return err
		}
		defer t.close()
		return a.o.Scenes.Use(ctx, t.key, t.begin, func(s *pipeline.Scene) error {
			j := pipeline.Job{Input: t.Input, Voice: t.Voice}
			j.Created = s.Origin
			if t.span != nil {
				seen := *s
				seen.Span, s = *t.span, &seen
			}
			return say(j, s)
		})
	})
}

// A target is what a request is about, found.
type target struct {
	pipeline.Input
	pipeline.Voice
	key  recall.Key
	span *sinks.Span // in place of the scene's, which others look at by other stretches; or nil
	see  func(context.Context, *os.File) (*pipeline.Scene, error)
	file *os.File // that see reads; nil where it needs none
}

// begin hands the file over to the making, which may go on when the request has ended.
func (t *target) begin() recall.Maker[*pipeline.Scene] {
	f := t.file
	t.file = nil
	return func(ctx context.Context) (*pipeline.Scene, error) {
		if f != nil {
			defer f.Close()
		}
		return t.see(ctx, f)
	}
}

// close closes the file where nobody needed it.
func (t *target) close() {
	if t.file != nil {
		_ = t.file.Close() // it was only read
	}
}

// find finds what a request is about.
func (a *Asker) find(ctx context.Context, r request) (*target, error) {
	switch {
	case r.Subject.Camera != "":
		return a.findCamera(r)
	case r.Video != "":
		return a.findVideo(ctx, r)
	}
	return a.findFile(ctx, r)
}

// voice is a model that searches as it is asked to.
func (a *Asker) voice(r request) (pipeline.Voice, error) {
	v, err := a.model(r)
	if err != nil {
		return v, err
	}
	return r.Search.apply(v)
}

// model is the one that a request means.
func (a *Asker) model(r request) (pipeline.Voice, error) {
	v, err := a.o.Voice(r.Model, r.kind)
	if _, told := errors.AsType[*Error](err); told || err == nil {
		return v, err
	}
	a.o.Log.Error("model cannot be opened", "kind", r.kind, "err", err)
	key := "model." + string(r.kind)
	return v, Errorf(http.StatusServiceUnavailable,
		"there is no model for this: set %s to one that `captiond model list` shows, and see the daemon's log for why the present one cannot be opened", key)
}
