package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/frames/worker"
	"github.com/captiond/captiond/model/eval"
	"github.com/captiond/captiond/pipeline"
	"github.com/captiond/captiond/sinks"
)

// evalOptions are the flags of `captiond eval`.
type evalOptions struct {
	search      searchOptions
	form, split string
	limit       int
	predictions string
	results     string
	format      string
}

func newEval(s streams) *cobra.Command {
	var o evalOptions
	cmd := &cobra.Command{
		Use:   "eval DATASET",
		Short: "Score captions and answers against references",
		Long: `Score captions and answers against references.

DATASET is a folder with dataset.jsonl, whose lines name a clip or a picture and what
may be said about it:

  {"file":"clips/1.mp4","from":1.5,"to":4,"captions":["a red circle moves left"]}
  {"file":"clips/1.mp4","question":"what color is it?","answers":["red"],"groups":["color"]}

or one with the files of COCO captions, VQAv2, TextVQA or MSRVTT-QA as they are published.
Each line is one window. Each file is decoded once, each window encoded once. Nothing is
published.`,
		Example: `  captiond eval shapes --model ./git-base-vatex
  captiond eval coco --split test --beam 4 --model ./git-base-coco -o json
  captiond eval vqav2 --split test-dev --beam 4 --model ./git-base-vqav2 --results answers.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, s, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.form, "as", "", fmt.Sprintf("form of the data set: %s (default: what is there)", formNames()))
	f.StringVar(&o.split, "split", "", "split of a published data set (default: the only one there; of Karpathy's, test)")
	f.IntVar(&o.limit, "limit", 0, "stop after so many texts; 0 is all")
	f.StringVar(&o.predictions, "predictions", "", "write each text with its scores here, as JSON lines")
	f.StringVar(&o.results, "results", "", "write VQAv2's answers here, as its evaluation server takes them")
	f.StringVarP(&o.format, "output", "o", "text", "form of the scores: text or json")
	o.search.flags(f)
	return cmd
}

func formNames() string {
	var names []string
	for _, f := range eval.Forms() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// check refuses what makes no sense before anything is read.
func (o evalOptions) check() error {
	var err error
	switch {
	case o.format != "text" && o.format != "json":
		err = fmt.Errorf("unknown output %q: use text or json", o.format)
	case o.limit < 0:
		err = fmt.Errorf("--limit %d: use 0 for all, or more", o.limit)
	case o.limit > 0 && o.results != "":
		err = errors.New("--results needs all questions: leave --limit out")
	case o.form != "" && !strings.Contains(", "+formNames()+",", " "+o.form+","):
		err = fmt.Errorf("--as %q: use one of %s", o.form, formNames())
	}
	if err != nil {
		return usageError{err}
	}
	return nil
}

func (o evalOptions) run(cmd *cobra.Command, s streams, folder string) error {
	if err := o.check(); err != nil {
		return err
	}
	t, err := openTool(cmd, s)
	if err != nil {
		return err
	}
	data, err := eval.Open(folder, eval.Form(o.form), o.split)
	if err != nil {
		return err
	}
	if o.results != "" && data.Form != eval.VQAv2 {
		return usageError{fmt.Errorf("--results is for vqav2, and %s is %s: use --predictions", folder, data.Form)}
	}
	if o.limit > 0 {
		data.Limit(o.limit)
	}
	e := &evaluation{tool: t, options: o, folder: folder, data: data}
	said := e.say(cmd.Context())
	if len(e.said) == 0 && said != nil {
		return said
	}
	return errors.Join(said, e.report())
}

// An evaluation is a data set on its way through the models.
type evaluation struct {
	tool    *tool
	options evalOptions
	folder  string
	data    *eval.Dataset
	bar     progress

	said   []*eval.Prediction
	models []string // those that spoke
	failed []string // files that could not be read to their end
}

// say has the models say all that is asked for: one speaks once, two one after another.
func (e *evaluation) say(ctx context.Context) error {
	e.bar = newSteps(e.tool.streams.err, e.folder, int64(e.data.Size()))
	defer func() { e.bar.end() }()
	m := e.tool.config.Model
	if m.Caption == m.Answer {
		return e.speak(ctx, m.Caption, e.data)
	}
	captions := e.data.Only(func(i eval.Item) bool { return i.Question == "" })
	answers := e.data.Only(func(i eval.Item) bool { return i.Question != "" })
	return errors.Join(e.speak(ctx, m.Caption, captions), e.speak(ctx, m.Answer, answers))
}

// speak has one model say what is asked for.
func (e *evaluation) speak(ctx context.Context, name string, d *eval.Dataset) error {
	if d.Size() == 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	var paths []string
	files := map[string]eval.File{}
	for _, f := range d.Files {
		paths = append(paths, f.Path)
		files[f.Path] = f
	}
	return e.tool.withVoice(ctx, name, e.options.search, func(v pipeline.Voice) error {
		e.models = append(e.models, v.Name)
		return eachInput(ctx, e.tool.streams.err, paths, func(path string) error {
			err := e.file(ctx, v, files[path])
			if err != nil && ctx.Err() == nil && !slices.Contains(e.failed, path) {
				e.failed = append(e.failed, path)
			}
			return err
		})
	})
}

// file asks about the stretches of one file.
func (e *evaluation) file(ctx context.Context, v pipeline.Voice, f eval.File) error {
	return e.tool.reader.read(ctx, f.Path, pipeline.Job{Voice: v}, talk{
		clip: func(ctx context.Context, j pipeline.Job, c *worker.Clip) error {
			var problems []error
			for _, s := range f.Stretches {
				w, err := frames.Stretch{From: s.From, To: s.To}.Of(c.Info())
				if err == nil {
					j.Emit = e.note(f.Path, s)
					err = j.Ask(ctx, pipeline.Footage{Clip: c}, w, questions(s))
				}
				problems = append(problems, err)
			}
			return errors.Join(problems...)
		},
		picture: func(ctx context.Context, j pipeline.Job, img *image.RGBA) error {
			var problems []error
			for _, s := range f.Stretches {
				if s.From != 0 || s.To != 0 {
					problems = append(problems, fmt.Errorf("%s: a picture has no time: leave out from and to", f.Path))
					continue
				}
				j.Emit = e.note(f.Path, s)
				problems = append(problems, j.Ask(ctx, pipeline.Footage{Picture: img}, frames.Window{}, questions(s)))
			}
			return errors.Join(problems...)
		},
	})
}

// questions are those of a stretch; the empty one is answered with a caption.
func questions(s eval.Stretch) (qs []string) {
	for _, i := range s.Items {
		qs = append(qs, i.Question)
	}
	return qs
}

// note keeps what was said about a stretch.
func (e *evaluation) note(path string, s eval.Stretch) func(sinks.Event) error {
	return func(event sinks.Event) error {
		a, ok := event.(*sinks.Answer)
		if !ok {
			return fmt.Errorf("note answer: %T is none", event)
		}
		e.said = append(e.said, &eval.Prediction{
			Item: s.Items[a.Seq], File: path, From: s.From, To: s.To, Text: a.Text, Confidence: float64(a.Confidence),
		})
		e.bar.step()
		return nil
	}
}

// scores is what -o json prints.
type scores struct {
	Dataset string    `json:"dataset"`
	Form    eval.Form `json:"form"`
	Split   string    `json:"split,omitempty"`
	Models  []string  `json:"models"` // name@digest
	Search  string    `json:"search"`
	Asked   int       `json:"asked"` // texts
	Said    int       `json:"said"`
	Failed  []string  `json:"failed,omitempty"` // files
	eval.Report
}

// report scores what was said and writes it down.
func (e *evaluation) report() error {
	request, _, err := e.options.search.request()
	if err != nil {
		return err
	}
	r := scores{
		Dataset: e.folder, Form: e.data.Form, Split: e.data.Split, Models: e.models, Search: request.String(),
		Asked: e.data.Size(), Said: len(e.said), Failed: e.failed,
		Report: eval.Score(e.said, e.data.Rule),
	}
	return errors.Join(r.write(e.tool.streams.out, e.options.format), e.writePredictions(), e.writeResults())
}

func (s scores) write(w io.Writer, format string) error {
	if format == "json" {
		return json.NewEncoder(w).Encode(s)
	}
	fmt.Fprintf(w, "%s, %s, %d of %d texts\n", strings.Join(s.Models, " and "), s.Search, s.Said, s.Asked)
	return s.WriteTable(w)
}

func (e *evaluation) writePredictions() error {
	if e.options.predictions == "" {
		return nil
	}
	return writeWhole(e.options.predictions, func(w io.Writer) error {
		return eval.WritePredictions(w, e.folder, e.said)
	})
}

// writeResults writes VQAv2's answers; the server takes nothing less than all of a split.
func (e *evaluation) writeResults() error {
	if e.options.results == "" {
		return nil
	}
	if n := e.data.Size() - len(e.said); n > 0 {
		return fmt.Errorf("write results: %d of %d questions have no answer: --results was left out", n, e.data.Size())
	}
	return writeWhole(e.options.results, func(w io.Writer) error { return eval.WriteResults(w, e.said) })
}

// writeWhole writes a file that gets its name when it is complete.
func writeWhole(path string, write func(io.Writer) error) error {
	f, err := os.Create(path + ".partial")
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("name %s: %w", path, err)
	}
	return nil
}
