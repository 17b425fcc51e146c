// Command gpubench measures how many captions a second a machine's accelerator makes with
// models of full size: windows of six frames, alone and many at once. It needs neither
// FFmpeg nor OpenCV nor a broker, only ONNX Runtime's library (`make deps-gpu`), so that it
// is built once and copied to the machine that is to be measured. It runs on a CPU, too.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/ort"
	"github.com/captiond/captiond/model/synthetic"
)

const method = `Method: windows of six frames of noise at the model's own size are encoded, begun and
captioned with a forced number of tokens, as many windows in the same runs as the line says.
Captions a second are those of all workers together, reading pictures included, when each is
in another part of its round; seconds are those of one worker alone, medians over the rounds.
Streams are cameras that one caption each 10 s leaves room for: with six new frames for a
caption (the captions a second times 10), and with one new frame, the other five being
remembered (a sixth of the encoder's time). Work is the operations of encoder and prefix,
matrix products and attention, the tokens not counted: of one worker over its seconds, and of
all workers by the captions a second, each in parts of the rate at which the same device
multiplied large square matrices of the same precision between the rounds, and of --peak.
Memory is what the card had in use at the end less what it had at the start, whoever uses it.
Before, the demo's model captions scenes on the device and in float32 on the CPU.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "gpubench:", err)
		stop()
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	shapes     []string
	precisions []graph.Precision
	batches    []int // windows in the same runs
	tokens     int   // of each caption
	rounds     int
	workers    int     // that make captions side by side
	scenes     int     // that the demo's model captions
	matmul     int     // side of the matrices
	peak       float64 // FLOP/s of the device by its maker, 0 where not stated
	weights    string  // folder that keeps random weights
	format     string
	library    string
	runtime    ort.Options
}

const frames = 6

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("gpubench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprintf(stderr, "Usage: gpubench [flags]\n\n%s\n\n", method)
		f.PrintDefaults()
	}
	shapes := f.String("shapes", "base,large", "sizes of the model: base, large; tiny to try the program")
	precisions := f.String("precisions", "float32,float16", "arithmetic: float32, float16, int8")
	batches := f.String("batches", "1,8,32", "windows in the same runs")
	peak := f.Float64("peak", 0, "TFLOPS of the device by its maker, at the precision measured (H100 and H200 SXM: 989 for float16)")
	f.IntVar(&o.tokens, "tokens", 20, "tokens of each caption, 1 to 500")
	f.IntVar(&o.rounds, "rounds", 5, "rounds, of which medians are taken")
	f.IntVar(&o.workers, "workers", 4, "workers that make captions side by side")
	f.IntVar(&o.matmul, "matmul", 8192, "side of the matrices whose multiplication is the measure; 0 leaves it out")
	f.IntVar(&o.scenes, "scenes", 150, "scenes that the demo's model captions, to be held against float32 on the cpu; 0 leaves it out")
	f.StringVar(&o.weights, "weights", "", "folder to keep the random weights in, or to take them from")
	f.StringVar(&o.format, "o", "text", "form of the output: text or json, one object on a line")
	f.StringVar(&o.library, "library", "", "ONNX Runtime's library; searched for by default, lib/cuda included")
	f.StringVar(&o.runtime.Device, "device", "auto", "auto, cpu or cuda")
	f.IntVar(&o.runtime.Threads, "threads", 0, "threads on a cpu; 0 for one per core")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.peak, o.shapes = *peak*1e12, strings.Split(*shapes, ",")
	for _, name := range strings.Split(*precisions, ",") {
		p, err := graph.ParsePrecision(name)
		if err != nil {
			return o, err
		}
		o.precisions = append(o.precisions, p)
	}
	for _, n := range strings.Split(*batches, ",") {
		batch, err := strconv.Atoi(n)
		if err != nil {
			return o, fmt.Errorf("read --batches: %w", err)
		}
		o.batches = append(o.batches, batch)
	}
	return o, o.check()
}

func (o options) check() error {
	for _, name := range o.shapes {
		if _, err := shape(name); err != nil {
			return err
		}
	}
	for _, n := range append([]int{o.tokens, o.rounds, o.workers, o.matmul + 1, o.scenes + 1}, o.batches...) {
		if n < 1 {
			return fmt.Errorf("a number of the flags is %d: use 1 or more", n)
		}
	}
	if o.tokens > 500 {
		return fmt.Errorf("--tokens %d: use 1 to 500", o.tokens)
	}
	if o.format != "text" && o.format != "json" {
		return fmt.Errorf("-o %q: use text or json", o.format)
	}
	return nil
}

// fit says why the device that was found, or was not found because of missing, cannot be
// measured as asked for.
func (o options) fit(device string, missing error) error {
	switch {
	case o.runtime.Device == "cuda" && device != "cuda":
		return fmt.Errorf("use --device cuda: %w", missing)
	case device == "cuda" && slices.Contains(o.precisions, graph.Int8):
		return errors.New("int8 does not run on a gpu, for which ONNX Runtime has no such products: use float16")
	}
	return nil
}

func shape(name string) (synthetic.Shape, error) {
	switch name {
	case "base":
		return synthetic.Base(frames), nil
	case "large":
		return synthetic.Large(frames), nil
	case "tiny":
		return synthetic.Shape{
			Name: "tiny", Hidden: 16, MLP: 32, Layers: 2, Heads: 2, Patch: 8, Image: 32, Frames: frames,
			TextHidden: 16, TextMLP: 32, TextLayers: 2, TextHeads: 2, Vocabulary: 120, TextPositions: 512,
		}, nil
	}
	return synthetic.Shape{}, fmt.Errorf("unknown shape %q: use base, large or tiny", name)
}

// run measures and prints each model as soon as it is done.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	path, _, err := ort.Find(o.library)
	if err != nil {
		return err
	}
	o.runtime.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	rt, err := ort.Open(ctx, path, o.runtime)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	if err := o.fit(rt.Device(), rt.Fallback()); err != nil {
		return err
	}
	if o.format == "text" {
		fmt.Fprintf(stdout, "%s\n\n", method)
	}
	if err := o.parities(ctx, path, rt, func(p parity) error { return o.print(stdout, p) }); err != nil {
		return err
	}
	for _, name := range o.shapes {
		for _, p := range o.precisions {
			r, err := o.measure(ctx, rt, name, p)
			if err != nil {
				return fmt.Errorf("measure %s in %v: %w", name, p, err)
			}
			if err := o.print(stdout, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// print prints a parity or a report.
func (o options) print(w io.Writer, found fmt.Stringer) error {
	if o.format == "json" {
		return json.NewEncoder(w).Encode(found)
	}
	_, err := fmt.Fprintln(w, found)
	return err
}

// String is the report as a table.
func (r report) String() string {
	w := &strings.Builder{}
	fmt.Fprintf(w, "git-%s, %s, %d tokens on %s (ONNX Runtime %s), %d workers, medians of %d rounds\n",
		r.Shape, r.Precision, r.Tokens, r.Device, r.Library, r.Workers, r.Rounds)
	fmt.Fprintf(w, "matrix multiply %.1f TFLOP/s, load %.1f s, memory of the card %.0f MB\n", r.MatmulTFLOPS, r.LoadSeconds, float64(r.DeviceBytes)/1e6)
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "windows\tcaptions/s\tof matmul, all\tof peak, all\tstreams\tone new frame\tseconds\tencode\tbegin\ttokens\tof matmul, one\tof peak, one\tspread\t")
	for _, b := range r.Batches {
		fmt.Fprintf(table, "%d\t%.1f\t%.2f\t%.2f\t%.0f\t%.0f\t%.4f\t%.4f\t%.4f\t%.4f\t%.2f\t%.2f\t%.0f %%\t\n",
			b.Windows, b.CaptionsPerSecond, b.OfMatmulAll, b.OfPeakAll, b.Streams, b.StreamsOneFrame,
			b.Seconds, b.EncodeSeconds, b.BeginSeconds, b.TokensSeconds, b.OfMatmul, b.OfPeak, 100*b.Spread)
	}
	_ = table.Flush() // a builder takes all
	return w.String()
}
