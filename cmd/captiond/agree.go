package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/worker"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/agree"
	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/ort"
	"github.com/captiond/captiond/pipeline"
)

// An agreement is a model in the precision that is configured, held against float32 on the
// windows of files.
type agreement struct {
	tool  *tool
	every time.Duration // length of a window of a video
	pair  agree.Pair
	said  []saying
}

// saying is what both precisions say of a window.
type saying struct {
	File string  `json:"file"`
	From float64 `json:"from"` // seconds
	To   float64 `json:"to"`
	agree.Window
}

// agree compares the configured precision with float32 on all videos and pictures of a
// folder, or on one file.
func (t *tool) agree(ctx context.Context, name string, o verifyOptions) error {
	if err := t.differs(name); err != nil {
		return err
	}
	paths, err := mediaIn(o.on)
	if err != nil {
		return err
	}
	a := &agreement{tool: t, every: o.every}
	return t.withPair(ctx, name, func(p agree.Pair) error {
		a.pair = p
		err := eachInput(ctx, t.streams.err, paths, func(path string) error { return a.file(ctx, path) })
		if len(a.said) == 0 {
			return errors.Join(err, fmt.Errorf("verify %s: nothing in %s could be captioned", name, o.on))
		}
		return errors.Join(err, a.report(o.format))
	})
}

// differs fails where the precision is float32's own.
func (t *tool) differs(name string) error {
	if t.config.Model.Precision == graph.Float32.String() {
		return usageError{fmt.Errorf("verify %s: it would be held against itself: name another precision with --precision, float16 where there is a gpu", name)}
	}
	return nil
}

// mediaIn are the files below a folder, or the file itself.
func mediaIn(path string) (paths []string, err error) {
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			paths = append(paths, p)
		}
		return err
	})
	if err == nil && len(paths) == 0 {
		err = errors.New("there are no files")
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", path, err)
	}
	return paths, nil
}

// withPair opens a checkpoint in float32 and in the configured precision.
func (t *tool) withPair(ctx context.Context, name string, use func(agree.Pair) error) (err error) {
	c, short, err := t.checkpoint(name)
	if err != nil {
		return err
	}
	rt, err := t.openRuntime(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	if err := t.differs(name); err != nil { // now that the device is known
		return err
	}
	o := t.modelOptions(short)
	return withOpen(rt, c, o, func(other *model.Model) error {
		o.Precision = graph.Float32
		return withOpen(rt, c, o, func(m *model.Model) error { return use(agree.Pair{Reference: m, Other: other}) })
	})
}

// withOpen opens a checkpoint for the time of use.
func withOpen(rt *ort.Runtime, c *checkpoint.Checkpoint, o model.Options, use func(*model.Model) error) (err error) {
	m, err := model.Open(rt, c, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	return use(m)
}

// file compares the windows of one file.
func (a *agreement) file(ctx context.Context, path string) error {
	return a.tool.reader.read(ctx, path, pipeline.Job{}, talk{
		clip: func(ctx context.Context, _ pipeline.Job, c *worker.Clip) error {
			whole, err := frames.Stretch{}.Of(c.Info())
			if err != nil {
				return err
			}
			for w := range frames.Every(whole, a.every) {
				imgs, err := shownIn(ctx, c, w, a.pair.Reference.Frames())
				if err != nil {
					return err
				}
				if err := a.compare(ctx, saying{File: path, From: w.Start.Seconds(), To: w.End.Seconds()}, imgs, false); err != nil {
					return err
				}
			}
			return nil
		},
		picture: func(ctx context.Context, _ pipeline.Job, img *image.RGBA) error {
			return a.compare(ctx, saying{File: path}, []*image.RGBA{img}, true)
		},
	})
}

// shownIn are the frames on screen at n instants of a window.
func shownIn(ctx context.Context, c *worker.Clip, w frames.Window, n int) (imgs []*image.RGBA, err error) {
	for s, err := range c.Show(ctx, w.Instants(n)) {
		if err != nil {
			return nil, err
		}
		for range s.Count {
			imgs = append(imgs, s.Image)
		}
	}
	return imgs, nil
}

func (a *agreement) compare(ctx context.Context, s saying, imgs []*image.RGBA, still bool) (err error) {
	if s.Window, err = a.pair.Compare(ctx, imgs, still); err != nil {
		return fmt.Errorf("compare %s at %.1f s: %w", s.File, s.From, err)
	}
	a.said = append(a.said, s)
	return nil
}

// report prints the windows that differ and the sum, or all of it as JSON.
func (a *agreement) report(format string) error {
	var windows []agree.Window
	for _, s := range a.said {
		windows = append(windows, s.Window)
	}
	sum, out := agree.Sum(windows), a.tool.streams.out
	if format == "json" {
		return json.NewEncoder(out).Encode(struct {
			Model     string `json:"model"` // name@digest
			Precision string `json:"precision"`
			agree.Report
			Said []saying `json:"said"`
		}{fullName(a.pair.Reference), a.pair.Other.Precision().String(), sum, a.said})
	}
	for _, s := range a.said {
		if !s.Equal {
			fmt.Fprintf(out, "%s %.1f-%.1f s: %q, in float32 %q\n", s.File, s.From, s.To, s.Other, s.Reference)
		}
	}
	_, err := fmt.Fprintf(out, "%v against float32: %v\n", a.pair.Other.Precision(), sum)
	return err
}
