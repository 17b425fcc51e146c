package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/opencv"
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
	scenes  bool
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

A video is cut into windows (--every, --whole, or --scenes, which first searches it for the
frames where the picture is cut) and each window into equal parts, one for each frame that
the model looks at; the frame on screen at the centre of each part is used. Captions go to standard output as they are made, or into --out-dir; with --nats
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
	f.BoolVar(&o.scenes, "scenes", false, "one window for each scene of a video: it ends where the picture is cut")
	o.stretch.flags(f)
	o.search.flags(f)
	return cmd
}

func (o captionOptions) run(cmd *cobra.Command, s streams, inputs []string) error {
	var err error
	if o.out.format, err = findFormat(o.format); err != nil {
		return err
	}
	if err := errors.Join(o.checkWindows(cmd, inputs), o.stretch.check(), o.out.check(inputs)); err != nil {
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

func (o captionOptions) checkWindows(cmd *cobra.Command, inputs []string) error {
	every := cmd.Flags().Changed("every")
	switch {
	case o.whole && every:
		return usageError{errors.New("--whole is one window, --every many: give one of them")}
	case o.scenes && (o.whole || every):
		return usageError{errors.New("--scenes are windows of their own, as --every and --whole are: give one of them")}
	case o.scenes && slices.ContainsFunc(inputs, isCamera):
		return usageError{errors.New("--scenes is for files: the windows of a camera end at its cuts anyway")}
	case o.every < minWindow:
		return usageError{fmt.Errorf("--every %v is too short: at least %v", o.every, minWindow)}
	}
	return nil
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
		config, err := cameraAt(in, o.every)
		if err != nil {
			return err
		}
		return t.captionCamera(ctx, config, v, res)
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
			windows, err := o.windows(ctx, c)
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
func (o captionOptions) windows(ctx context.Context, c *worker.Clip) (iter.Seq[frames.Window], error) {
	w, err := o.stretch.Of(c.Info())
	switch {
	case err != nil:
		return nil, err
	case o.whole:
		return slices.Values([]frames.Window{w}), nil
	case o.scenes:
		scenes, err := pipeline.Scenes(ctx, c, opencv.Eye{}, w)
		return slices.Values(scenes), err
	}
	return frames.Every(w, o.every), nil
}
