package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/bench"
	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/ort"
	"github.com/captiond/captiond/model/synthetic"
)

// benchOptions are the flags of `captiond bench`.
type benchOptions struct {
	shape  string
	format string
	frames int
	tokens int
	rounds int
	keep   string
	check  bool

	compare  bool
	python   string
	generate int // rounds of transformers' generate
	isa      string
	record   string
	document string
	headline string
	commit   string
}

func newBench(s streams) *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what this machine can do",
		Long: `Measure what this machine can do with a model of full size. The weights are random, in a
temporary folder (0.7 GB for base, 1.6 GB for large): speed does not depend on them.

With --compare captiond's precisions take turns, and with --peers others who do the same
work: transformers' generate, and PyTorch by hand with all cached that one can
(model/bench/peers/peers.py). The result is a table in Markdown.

` + bench.Method,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd, s) },
	}
	o.flags(cmd)
	return cmd
}

func (o *benchOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.shape, "shape", "base", "what is measured: "+strings.Join(shapeNames(), ", "))
	f.StringVarP(&o.format, "output", "o", "text", "form of the output: text or json")
	f.IntVar(&o.frames, "frames", 0, "frames of the clip, 1 to 6; 0 for as many as the shape sees")
	f.IntVar(&o.tokens, "tokens", 20, "tokens of each text, 1 to 100")
	f.IntVar(&o.rounds, "rounds", 5, "rounds, of which medians are taken, 1 to 1000")
	f.StringVar(&o.keep, "weights", "", "folder to keep the random weights in, or to take them from")
	f.BoolVar(&o.check, "check", false, "few rounds, no labels; fail where a ratio is beyond its bound (shape base, float32)")
	f.BoolVar(&o.compare, "compare", false, "measure captiond's precisions, and peers, side by side")
	f.StringVar(&o.python, "peers", "", "Python interpreter that has the peers' packages (model/testdata/gen/requirements.txt)")
	f.IntVar(&o.generate, "generate-rounds", 1, "rounds in which transformers' generate takes part, which is slow; 0 for none")
	f.StringVar(&o.isa, "isa", "", "limit of the peers' instruction set, for oneDNN, such as AVX512_CORE_VNNI")
	f.StringVar(&o.record, "record", "", "folder of results: SHAPE.jsonl in it gains a line")
	f.StringVar(&o.document, "document", "", "Markdown file whose table of the shape is replaced")
	f.StringVar(&o.headline, "headline", "", "Markdown file whose headline is replaced")
	f.StringVar(&o.commit, "commit", "", "what was built, where the program does not know")
}

func shapeNames() (names []string) {
	for _, s := range bench.Shapes() {
		names = append(names, s.Name)
	}
	return names
}

// validate returns the shape that is asked for.
func (o *benchOptions) validate() (shape bench.Shape, err error) {
	var errs []error
	at := slices.Index(shapeNames(), o.shape)
	if at < 0 {
		errs = append(errs, fmt.Errorf("--shape %q: use %s", o.shape, strings.Join(shapeNames(), ", ")))
	} else {
		shape = bench.Shapes()[at]
		if o.frames == 0 {
			o.frames = shape.Frames
		}
	}
	if o.format != "text" && o.format != "json" {
		errs = append(errs, fmt.Errorf("--output %q: use text or json", o.format))
	}
	for _, n := range []struct {
		flag              string
		value, least, max int
	}{{"frames", o.frames, 1, max(1, shape.Frames)}, {"tokens", o.tokens, 1, 100}, {"rounds", o.rounds, 1, 1000}, {"generate-rounds", o.generate, 0, 1000}} {
		if n.value < n.least || n.value > n.max {
			errs = append(errs, fmt.Errorf("--%s %d: use %d to %d", n.flag, n.value, n.least, n.max))
		}
	}
	if !o.compare && o.python+o.isa+o.record+o.document+o.headline != "" {
		errs = append(errs, errors.New("--peers, --isa, --record, --document and --headline go with --compare"))
	}
	if err := errors.Join(errs...); err != nil {
		return shape, usageError{err}
	}
	return shape, nil
}

func (o benchOptions) run(cmd *cobra.Command, s streams) (err error) {
	shape, err := o.validate()
	if err != nil {
		return err
	}
	t, err := openTool(cmd, s)
	if err != nil {
		return err
	}
	folder, remove, err := synthetic.Provide(o.keep, shape.Checkpoint, func(folder string) {
		t.log.Info("writing random weights", "folder", folder, "shape", shape.Name)
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	rt, err := t.openRuntime(cmd.Context())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	b := benchmark{benchOptions: o, tool: t, shape: shape, folder: folder, runtime: rt}
	switch {
	case o.compare:
		return b.race(cmd.Context())
	case o.check:
		return b.verify(cmd.Context())
	}
	return b.alone(cmd.Context())
}

// benchmark is `captiond bench` at work.
type benchmark struct {
	benchOptions
	tool    *tool
	shape   bench.Shape
	folder  string // of the weights
	runtime *ort.Runtime
}

// plan is that of the model with a precision.
func (b benchmark) plan(p graph.Precision) bench.Plan {
	options := b.tool.modelOptions(b.shape.Name)
	options.Precision = p
	plan := bench.Plan{
		Runtime: b.runtime, Precision: p, Prompt: b.shape.Prompt, Frames: b.frames, Tokens: b.tokens, Rounds: b.rounds, Labels: true,
		Known: bench.Report{Shape: b.shape.Name, Device: b.runtime.Device(), Threads: b.threads(), Machine: bench.ThisMachine()},
	}
	plan.Known.Commit = cmp.Or(plan.Known.Commit, b.commit)
	plan.Open = func() (*model.Model, error) {
		c, err := checkpoint.Load(b.folder)
		if err != nil {
			return nil, err
		}
		return model.Open(b.runtime, c, options)
	}
	if info, err := os.Stat(filepath.Join(b.folder, "model.safetensors")); err == nil {
		plan.Known.WeightsBytes = info.Size()
	}
	if b.runtime.Device() == "cpu" { // a GPU's memory is not that which is read here
		plan.Readers = b.threads()
	}
	return plan
}

// threads of the model: one for each core unless it is configured.
func (b benchmark) threads() int {
	if n := b.tool.config.Model.Threads; n > 0 {
		return n
	}
	return runtime.NumCPU()
}

// alone measures the model as it is configured.
func (b benchmark) alone(ctx context.Context) error {
	report, err := bench.Run(ctx, b.plan(b.tool.modelOptions("").Precision))
	if err != nil {
		return err
	}
	return b.print(report)
}

// verify is for machines that test: it looks for what is broken, not for what is slow.
func (b benchmark) verify(ctx context.Context) error {
	b.rounds = min(b.rounds, 3)
	plan := b.plan(graph.Float32)
	plan.Labels = false
	report, err := bench.Verify(ctx, plan)
	if report.Rounds == 0 { // it was not measured
		return err
	}
	return errors.Join(b.print(report), err)
}
