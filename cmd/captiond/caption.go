package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/worker"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

// captionOptions are the flags of `captiond caption`.
type captionOptions struct {
	search  searchOptions
	stretch stretchOptions
	every   time.Duration
	whole   bool
	out     output
	format  string
}

func newCaption(s streams) *cobra.Command {
	o := captionOptions{out: output{stream: s.out}}
	cmd := &cobra.Command{
		Use:   "caption INPUT...",
		Short: "Caption videos and pictures",
		Long: `Caption videos and pictures. INPUT is a file, - for standard input, or
the rtsp:// address of a camera, which is captioned until you interrupt.

A video is cut into windows (--every, or --whole) and each window into equal parts, one
for each frame that the model looks at; the frame on screen at the centre of each part
is used. Captions go to standard output as they are made, or into --out-dir; with --nats
they are published as well.`,
		Example: `  captiond caption clip.mp4
  captiond caption clip.mp4 -o vtt > clip.vtt
  captiond caption --out-dir captions -o srt videos/*.mp4`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, inputs []string) error { return o.run(cmd, s, inputs) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.format, "output", "o", "text", "form of the output: text, jsonl, vtt or srt")
	f.StringVar(&o.out.dir, "out-dir", "", "write one file for each input here, and skip what is done already")
	f.BoolVar(&o.out.force, "force", false, "with --out-dir: write files that are there already")
	f.DurationVar(&o.every, "every", 10*time.Second, "length of the windows of a video")
	f.BoolVar(&o.whole, "whole", false, "one window over the whole video")
	o.stretch.flags(f)
	o.search.flags(f)
	return cmd
}

func (o captionOptions) run(cmd *cobra.Command, s streams, inputs []string) error {
	var err error
	if o.out.format, err = findFormat(o.format); err != nil {
		return err
	}
	if o.whole && cmd.Flags().Changed("every") {
		err = usageError{errors.New("--whole is one window, --every many: give one of them")}
	} else if o.every < minWindow {
		err = usageError{fmt.Errorf("--every %v is too short: at least %v", o.every, minWindow)}
	}
	if err := errors.Join(err, o.stretch.check(), o.out.check(inputs)); err != nil {
		return err
	}
	o.out.many = len(inputs) > 1
	t, err := openTool(cmd, s)
	if err != nil {
		return err
	}
	return t.speak(cmd.Context(), t.config.Model.Caption, o.search, func(v pipeline.Voice) error {
		return eachInput(cmd.Context(), s.err, inputs, func(in string) error {
			if o.out.done(in) {
				t.log.Info("result is there already", "input", in)
				return nil
			}
			return o.caption(cmd.Context(), t, in, v)
		})
	})
}

// minWindow is the shortest window that can be asked for.
const minWindow = 100 * time.Millisecond

// caption writes the captions of one input.
func (o captionOptions) caption(ctx context.Context, t *tool, in string, v pipeline.Voice) (err error) {
	res, err := o.out.open(in)
	if err != nil {
		return err
	}
	defer func() { err = res.finish(ctx, err) }()
	if isCamera(in) {
		return o.captionCamera(ctx, t, in, v, res)
	}
	bar := progress{}
	defer func() { bar.end() }()
	job := pipeline.Job{Voice: v, Emit: func(e sinks.Event) error {
		if c, ok := e.(*sinks.Caption); ok {
			defer bar.reach(c.End.Duration())
		}
		return t.publish(ctx, e, res)
	}}
	return t.reader.read(ctx, in, job, talk{
		clip: func(ctx context.Context, j pipeline.Job, c *worker.Clip) error {
			bar = newProgress(t.streams.err, j.Title, c.Info().Duration)
			windows, err := o.windows(c.Info())
			if err != nil {
				return err
			}
			return j.Caption(ctx, c, windows)
		},
		picture: func(ctx context.Context, j pipeline.Job, img *image.RGBA) error {
			return j.CaptionPicture(ctx, img)
		},
	})
}

// windows are those of the stretch asked for.
func (o captionOptions) windows(info frames.Info) (iter.Seq[frames.Window], error) {
	w, err := o.stretch.of(info)
	if err != nil || o.whole {
		return func(yield func(frames.Window) bool) { yield(w) }, err
	}
	return frames.Every(w, o.every), nil
}
