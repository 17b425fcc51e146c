package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/frames/worker"
	"github.com/captiond/captiond/pipeline"
)

// classifyOptions are the flags of `captiond classify`.
type classifyOptions struct {
	labels  string
	prompt  string
	top     int
	format  string
	search  searchOptions
	stretch stretchOptions
}

func newClassify(s streams) *cobra.Command {
	o := classifyOptions{search: searchOptions{pipeline.Greedy()}}
	cmd := &cobra.Command{
		Use:   "classify INPUT... --labels FILE",
		Short: "Choose among labels for videos and pictures",
		Long: `Choose among labels for videos and pictures. INPUT is a file, or - for standard input.

The labels are a text file, one on each line; blank lines and lines that begin with # are
passed over. They are texts that the model may say: captions, or with --prompt answers to
the question. Of each the exact probability is computed that the model says it; the
probabilities shown are shares among the labels of the list. A whole video is one window
unless --from and --to say otherwise. Nothing is published.`,
		Example: `  captiond classify pictures/*.jpg --labels labels.txt
  captiond classify clip.mp4 --prompt "what color is the circle?" --labels colors.txt --top 1`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, inputs []string) error { return o.run(cmd, s, inputs) },
	}
	f := cmd.Flags()
	f.StringVar(&o.labels, "labels", "", "file with the labels, - for standard input")
	f.StringVar(&o.prompt, "prompt", "", "a question that the labels answer")
	f.IntVar(&o.top, "top", pipeline.DefaultTop, "how many of the likeliest labels to show")
	f.StringVarP(&o.format, "output", "o", "text", "form of the output: text or jsonl")
	f.StringVar(&o.search.View, "view", o.search.View, viewUsage)
	o.stretch.flags(f)
	return cmd
}

func (o classifyOptions) check(inputs []string) error {
	var errs []error
	if o.labels == "" {
		errs = append(errs, errors.New("name the file with the labels: --labels labels.txt"))
	}
	if o.labels == "-" && slices.Contains(inputs, "-") {
		errs = append(errs, errors.New("standard input is one thing only: the labels or an INPUT"))
	}
	if o.top < 1 {
		errs = append(errs, fmt.Errorf("--top %d: use 1 or more", o.top))
	}
	if o.format != "text" && o.format != "jsonl" {
		errs = append(errs, fmt.Errorf("unknown output %q: use one of text, jsonl", o.format))
	}
	if _, _, err := o.search.Request(); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return usageError{err}
	}
	return o.stretch.check()
}

func (o classifyOptions) run(cmd *cobra.Command, s streams, inputs []string) error {
	if err := o.check(inputs); err != nil {
		return err
	}
	file, err := readLabels(o.labels, s.in)
	if err != nil {
		return err
	}
	t, err := openTool(cmd, s)
	if err != nil {
		return err
	}
	name := t.config.Model.Caption
	t.warnBuiltIn(name)
	return t.withVoice(cmd.Context(), name, o.search, func(v pipeline.Voice) error {
		c := classifier{tool: t, options: o, voice: v, many: len(inputs) > 1}
		if c.choice, err = file.choice(v); err != nil {
			return err
		}
		c.choice.Prompt, c.choice.Top = o.prompt, o.top
		return eachInput(cmd.Context(), s.err, inputs, func(in string) error { return c.read(cmd.Context(), in) })
	})
}

// A classifier is the command with its model open.
type classifier struct {
	tool    *tool
	options classifyOptions
	voice   pipeline.Voice
	choice  *pipeline.Choice
	many    bool // inputs
}

// read classifies one input.
func (c classifier) read(ctx context.Context, in string) error {
	return c.tool.reader.read(ctx, in, pipeline.Job{Voice: c.voice}, talk{
		clip: func(ctx context.Context, j pipeline.Job, clip *worker.Clip) error {
			return c.classify(ctx, j, pipeline.Footage{Clip: clip})
		},
		picture: func(ctx context.Context, j pipeline.Job, img *image.RGBA) error {
			return c.classify(ctx, j, pipeline.Footage{Picture: img})
		},
	})
}

func (c classifier) classify(ctx context.Context, j pipeline.Job, f pipeline.Footage) error {
	begun := time.Now()
	w, err := f.Window(c.options.stretch.Stretch)
	if err != nil {
		return err
	}
	s, err := j.See(ctx, f, w)
	if err != nil {
		return err
	}
	defer s.Close()
	classes, err := j.Classify(ctx, s, begun, c.choice)
	if err != nil {
		return err
	}
	if err := c.print(classes); err != nil {
		return undeliveredError{fmt.Errorf("write result: %w", err)}
	}
	return nil
}

func (c classifier) print(r *pipeline.Classes) error {
	if c.options.format == "jsonl" {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = c.tool.streams.out.Write(append(line, '\n'))
		return err
	}
	var b strings.Builder
	if c.many {
		fmt.Fprintf(&b, heading, r.Title)
	}
	for _, class := range r.Classes {
		fmt.Fprintf(&b, "%.4f  %s\n", float64(class.Probability), class.Label)
	}
	_, err := io.WriteString(c.tool.streams.out, b.String())
	return err
}
