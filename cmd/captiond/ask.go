package main

import (
	"context"
	"errors"
	"image"
	"strings"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/frames/worker"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

// askOptions are the flags of `captiond ask`.
type askOptions struct {
	search  searchOptions
	stretch stretchOptions
	format  string
}

func newAsk(s streams) *cobra.Command {
	var o askOptions
	cmd := &cobra.Command{
		Use:   "ask INPUT QUESTION...",
		Short: "Ask questions about a video or a picture",
		Long: `Ask questions about a video or a picture. INPUT is a file, or - for standard input.

The whole video is one window unless --from and --to say otherwise. It is decoded and
encoded once, whatever the number of questions; answers come in their order.`,
		Example: `  captiond ask clip.mp4 "how many shapes are there?" "what color is the circle?"
  captiond ask clip.mp4 "what happens?" --from 12s --to 20s`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, s, args[0], args[1:]) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.format, "output", "o", "text", "form of the output: text or jsonl")
	o.stretch.flags(f)
	o.search.flags(f)
	return cmd
}

func (o askOptions) run(cmd *cobra.Command, s streams, input string, questions []string) error {
	ctx := cmd.Context()
	format, err := findFormat(o.format)
	if err == nil && format.one {
		err = usageError{errors.New("answers are no subtitles: use -o text or -o jsonl")}
	}
	if err := errors.Join(err, o.stretch.check(), checkQuestions(questions)); err != nil {
		return err
	}
	t, err := openTool(cmd, s)
	if err != nil {
		return err
	}
	return t.speak(ctx, t.config.Model.Answer, o.search, func(v pipeline.Voice) (err error) {
		out := format.sink(s.out)
		defer func() { err = errors.Join(err, out.Close(context.WithoutCancel(ctx))) }()
		job := pipeline.Job{Voice: v, Emit: func(e sinks.Event) error { return t.publish(ctx, e, out) }}
		return t.reader.read(ctx, input, job, talk{
			clip: func(ctx context.Context, j pipeline.Job, c *worker.Clip) error {
				return o.ask(ctx, j, pipeline.Footage{Clip: c}, questions)
			},
			picture: func(ctx context.Context, j pipeline.Job, img *image.RGBA) error {
				return o.ask(ctx, j, pipeline.Footage{Picture: img}, questions)
			},
		})
	})
}

func (o askOptions) ask(ctx context.Context, j pipeline.Job, f pipeline.Footage, questions []string) error {
	w, err := f.Window(o.stretch.Stretch)
	if err != nil {
		return err
	}
	return j.Ask(ctx, f, w, questions)
}

func checkQuestions(questions []string) error {
	for _, q := range questions {
		if strings.TrimSpace(q) == "" {
			return usageError{errors.New("a question is empty: leave it out or ask something")}
		}
	}
	return nil
}
