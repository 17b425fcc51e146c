package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

// run captions the video from where its captions end. It is ended by ctx, and when attend finds
// that it has to.
func (a *attempt) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var attending sync.WaitGroup
	attending.Go(func() { a.attend(ctx, cancel) })
	defer attending.Wait()
	defer cancel(nil)
	err := a.show(ctx)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// attend tells the queue that the attempt gets on, while it does, and ends it when it does not,
// when it was cancelled and when another one has begun.
func (a *attempt) attend(ctx context.Context, end context.CancelCauseFunc) {
	tick := time.NewTicker(min(time.Second, a.Patience/6))
	defer tick.Stop()
	var seen int64
	moved, told := time.Now(), time.Now()
	for {
		var now time.Time
		select {
		case now = <-tick.C:
		case <-ctx.Done():
			return
		}
		if n := a.beats.Load(); n != seen {
			seen, moved = n, now
		}
		if now.Sub(moved) >= a.Patience {
			end(fmt.Errorf("no progress for %v", a.Patience))
			return
		}
		if moved.After(told) && now.Sub(told) >= a.Patience/6 {
			told = now
			if err := a.delivery.Beat(); err != nil {
				a.log.Debug("queue could not be told of progress", "err", err)
			}
		}
		if err := a.glance(ctx); err != nil && !isTrouble(err) {
			end(err)
			return
		}
	}
}

// glance is look for attend: it does not wait long for a broker that is away.
func (a *attempt) glance(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, _, err := a.look(limited)
	return err
}

// show opens the model and the file, and captions what it shows.
func (a *attempt) show(ctx context.Context) error {
	voice, err := a.Voice(ctx, a.video.Options.Model)
	if err != nil {
		return fmt.Errorf("open model: %w", err)
	}
	voice.Captioner = counted{voice.Captioner, a.beat}
	f, err := a.Open(ctx, a.video.ID, a.beat)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("the file is not here: upload it again (processes on several hosts need uploads.shared)")
	}
	if err != nil {
		return trouble(err)
	}
	defer f.Close()
	return a.Projector.Show(ctx, Reel{f, a.beat}, func(ctx context.Context, f pipeline.Footage) error {
		job := pipeline.Job{Input: pipeline.Input{Source: a.video.Source, Title: a.video.Title}, Voice: voice,
			Emit: func(e sinks.Event) error { return a.emit(ctx, e) }}
		return a.speak(ctx, job, f)
	})
}

// speak captions footage, from where its captions end.
func (a *attempt) speak(ctx context.Context, job pipeline.Job, f pipeline.Footage) error {
	if f.Clip != nil {
		info := f.Clip.Info()
		a.duration, job.Created = info.Duration, info.Created
	}
	if err := a.resume(ctx, &job); err != nil {
		return err
	}
	if err := a.report(ctx, func(v *Video) { v.Duration, v.Model = sinks.SecondsOf(a.duration), job.Name }); err != nil {
		return err
	}
	a.damage = func() string { return a.video.Damage }
	if f.Clip == nil {
		return job.CaptionPicture(ctx, f.Picture)
	}
	clip := shown{f.Clip, a.beat}
	a.damage = func() string { return cmp.Or(a.video.Damage, clip.Info().Damage) }
	windows, err := a.windows(ctx, clip)
	if err == nil {
		err = job.Caption(ctx, clip, windows)
	}
	if damage := a.damage(); err == nil && damage != "" {
		err = &FileError{errors.New(damage)}
	}
	return err
}

// resume finds the caption that the job goes on behind. Captions of another model, or of other
// settings, go: a video is not told by two.
func (a *attempt) resume(ctx context.Context, job *pipeline.Job) error {
	last, seq, err := a.Journal.Last(ctx, a.caption())
	if err != nil {
		return trouble(err)
	}
	c, _ := last.(*sinks.Caption)
	if c != nil && !job.Made(c) {
		a.log.Warn("captions of another model are removed: the video is begun anew", "was", c.Model, "is", job.Name)
		if err := a.Journal.Clear(ctx, c); err != nil {
			return trouble(err)
		}
		c, seq = nil, 0
	}
	job.After, a.after, a.captions, a.progress = c, seq, 0, 0
	if c != nil {
		a.captions, a.progress = c.Seq+1, a.part(c.End)
	}
	return nil
}

// windows are those that the options ask for.
func (a *attempt) windows(ctx context.Context, clip pipeline.Clip) (iter.Seq[frames.Window], error) {
	all := frames.Window{End: a.duration}
	o := a.video.Options
	switch {
	case o.Whole:
		return slices.Values([]frames.Window{all}), nil
	case o.Scenes:
		scenes, err := pipeline.Scenes(ctx, clip, a.Eye, all)
		return slices.Values(scenes), err
	}
	return frames.Every(all, cmp.Or(o.Every.Duration(), defaultEvery)), nil
}

// part of the video that ends there.
func (a *attempt) part(end sinks.Seconds) sinks.Probability {
	if a.duration <= 0 {
		return 0
	}
	return min(1, sinks.Probability(float64(end.Duration())/float64(a.duration)))
}

// emit stores a caption. It is refused where another attempt has gone on from the same place.
// Damage is written down before it: an attempt that goes on behind it would not see it again.
func (a *attempt) emit(ctx context.Context, e sinks.Event) error {
	if a.damage() != a.video.Damage {
		if err := a.update(ctx, func(v *Video) { v.Damage = a.damage() }); err != nil {
			return err
		}
	}
	seq, err := a.Journal.Append(ctx, e, a.after)
	if _, refused := errors.AsType[*sinks.RefusedError](err); refused {
		return &FileError{err}
	}
	if err != nil {
		return trouble(err)
	}
	a.after = seq
	if c, ok := e.(*sinks.Caption); ok {
		a.captions, a.progress = c.Seq+1, a.part(c.End)
	}
	if a.captions > a.most {
		a.most, a.failures = a.captions, 0
	}
	a.beat()
	if time.Since(a.reported) < time.Second || percent(a.progress) == percent(a.video.Progress) {
		return nil
	}
	return a.report(ctx, func(*Video) {})
}

func percent(p sinks.Probability) int { return int(100 * p) }

// report writes and publishes how far it is.
func (a *attempt) report(ctx context.Context, change func(*Video)) error {
	if err := a.update(ctx, change); err != nil {
		return err
	}
	a.reported = time.Now()
	return a.announce(ctx)
}

// announce publishes the record as it is, unless the job has ended or been begun again
// meanwhile: what is told of that is not followed by what was before.
func (a *attempt) announce(ctx context.Context) error {
	for {
		e := a.video.Event()
		last, seq, err := a.Journal.Last(ctx, e)
		if err != nil {
			return trouble(err)
		}
		if told, ok := last.(*sinks.Job); ok {
			switch {
			case Ended(told.State):
				return errEnded
			case told.Attempt > a.number:
				return errTaken
			}
		}
		if _, err = a.Journal.Append(ctx, e, seq); !errors.Is(err, sinks.ErrMoved) {
			return trouble(err)
		}
	}
}

// shown is a clip whose frames are progress.
type shown struct {
	pipeline.Clip
	beat func()
}

// Show implements pipeline.Clip.
func (s shown) Show(ctx context.Context, at []time.Duration) iter.Seq2[frames.Sample, error] {
	return func(yield func(frames.Sample, error) bool) {
		for f, err := range s.Clip.Show(ctx, at) {
			s.beat()
			if !yield(f, err) {
				return
			}
		}
	}
}

// counted is a model whose work is progress.
type counted struct {
	pipeline.Captioner
	beat func()
}

// EncodeAll implements pipeline.Captioner.
func (c counted) EncodeAll(ctx context.Context, imgs []*image.RGBA, v model.View) ([]*model.Features, error) {
	defer c.beat()
	return c.Captioner.EncodeAll(ctx, imgs, v)
}

// BeginAll implements pipeline.Captioner.
func (c counted) BeginAll(ctx context.Context, windows [][]*model.Features) (*model.Prefix, error) {
	defer c.beat()
	return c.Captioner.BeginAll(ctx, windows)
}

// BeginPicture implements pipeline.Captioner.
func (c counted) BeginPicture(ctx context.Context, picture *model.Features) (*model.Prefix, error) {
	defer c.beat()
	return c.Captioner.BeginPicture(ctx, picture)
}

// GenerateAll implements pipeline.Captioner.
func (c counted) GenerateAll(ctx context.Context, p *model.Prefix, rs []model.Request) ([]model.Text, error) {
	defer c.beat()
	return c.Captioner.GenerateAll(ctx, p, rs)
}
