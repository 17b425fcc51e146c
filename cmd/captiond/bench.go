package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/bench"
	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/synthetic"
)

// benchOptions are the flags of `captiond bench`.
type benchOptions struct {
	shape  string
	format string
	plan   bench.Plan
	keep   string
}

func newBench(s streams) *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what this machine can do",
		Long: `Measure what this machine can do with a model of full size. The weights are random, in a
temporary folder (0.7 GB for base, 1.6 GB for large): speed does not depend on them.

` + bench.Method,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd, s) },
	}
	f := cmd.Flags()
	f.StringVar(&o.shape, "shape", "base", "size of the model: base or large")
	f.StringVarP(&o.format, "output", "o", "text", "form of the output: text or json")
	f.IntVar(&o.plan.Frames, "frames", 6, "frames of the clip, 1 to 6")
	f.IntVar(&o.plan.Tokens, "tokens", 20, "tokens of each text, 1 to 500")
	f.IntVar(&o.plan.Rounds, "rounds", 5, "rounds, of which medians are taken, 1 to 1000")
	f.StringVar(&o.keep, "weights", "", "folder to keep the random weights in, or to take them from")
	return cmd
}

func (o benchOptions) check() error {
	var errs []error
	if o.shape != "base" && o.shape != "large" {
		errs = append(errs, fmt.Errorf("--shape %q: use base or large", o.shape))
	}
	if o.format != "text" && o.format != "json" {
		errs = append(errs, fmt.Errorf("--output %q: use text or json", o.format))
	}
	for _, n := range []struct {
		flag       string
		value, max int
	}{{"frames", o.plan.Frames, 6}, {"tokens", o.plan.Tokens, 500}, {"rounds", o.plan.Rounds, 1000}} {
		if n.value < 1 || n.value > n.max {
			errs = append(errs, fmt.Errorf("--%s %d: use 1 to %d", n.flag, n.value, n.max))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return usageError{err}
	}
	return nil
}

func (o benchOptions) run(cmd *cobra.Command, s streams) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	t, err := openTool(cmd, s)
	if err != nil {
		return err
	}
	folder, remove, err := o.weights(t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	rt, err := t.openRuntime(cmd.Context())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	o.plan.Runtime = rt
	o.plan.Open = func() (*model.Model, error) {
		c, err := checkpoint.Load(folder)
		if err != nil {
			return nil, err
		}
		return model.Open(rt, c, model.Options{Name: o.shape})
	}
	report, err := bench.Run(cmd.Context(), o.plan)
	if err != nil {
		return err
	}
	report.Shape, report.Device, report.Threads = o.shape, rt.Device(), t.config.Model.Threads
	if info, err := os.Stat(filepath.Join(folder, "model.safetensors")); err == nil {
		report.WeightsBytes = info.Size()
	}
	return o.print(s.out, report)
}

// weights makes the checkpoint, unless it is there already, and says how to clean up.
func (o benchOptions) weights(t *tool) (folder string, remove func() error, err error) {
	folder, remove = o.keep, func() error { return nil }
	if folder == "" {
		if folder, err = os.MkdirTemp("", "captiond-bench-"); err != nil {
			return "", nil, fmt.Errorf("make weights: %w", err)
		}
		remove = func() error { return os.RemoveAll(folder) }
	}
	if _, err := os.Stat(filepath.Join(folder, "model.safetensors")); err == nil {
		return folder, remove, nil
	}
	t.log.Info("writing random weights", "folder", folder, "shape", o.shape)
	shape := synthetic.Base(6)
	if o.shape == "large" {
		shape = synthetic.Large(6)
	}
	if err := errors.Join(os.MkdirAll(folder, 0o755), synthetic.Write(folder, shape, 1)); err != nil {
		return "", nil, errors.Join(err, remove())
	}
	return folder, remove, nil
}

func (o benchOptions) print(w io.Writer, r bench.Report) error {
	if o.format == "json" {
		return json.NewEncoder(w).Encode(r)
	}
	fmt.Fprintf(w, "%s\n\n", bench.Method)
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, line := range []struct{ what, value string }{
		{"shape", fmt.Sprintf("git-%s, %d frames, %d tokens, %s, median of %d rounds (spread %.0f %%)", r.Shape, r.Frames, r.Tokens, r.Device, r.Rounds, 100*r.Spread)},
		{"matrix multiply", fmt.Sprintf("%.0f GFLOP/s", r.MatmulGFLOPS)},
		{"encoder", fmt.Sprintf("%.3f s, %.2f of the matrix-multiply rate", r.EncoderSeconds, r.EncoderVsMatmul)},
		{"prefix", fmt.Sprintf("%.3f s, %.2f of the matrix-multiply rate", r.PrefixSeconds, r.PrefixVsMatmul)},
		{"tokens", fmt.Sprintf("%.3f s", r.TokensSeconds)},
		{"clip to caption", fmt.Sprintf("%.3f s", r.ClipSeconds)},
		{"second question", fmt.Sprintf("%.1f %% of the first", 100*r.SecondQuestionRatio)},
		{"1,000 labels", fmt.Sprintf("%.3f s; %.2f times as long as 10, encoder and prefix included", r.LabelsSeconds, r.LabelsRatio)},
		{"load", fmt.Sprintf("%.2f s", r.LoadSeconds)},
		{"peak memory", fmt.Sprintf("%.0f MB, the weights are %.0f MB", float64(r.PeakRSSBytes)/1e6, float64(r.WeightsBytes)/1e6)},
	} {
		fmt.Fprintf(table, "%s\t%s\n", line.what, line.value)
	}
	return table.Flush()
}
