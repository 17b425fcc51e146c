package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/bench"
	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/graph"
	"github.com/captiond/captiond/model/ort"
	"github.com/captiond/captiond/model/synthetic"
)

// report is what was measured of one model. Times are in seconds.
type report struct {
	bench.Machine
	Shape        string  `json:"shape"`
	Precision    string  `json:"precision"`
	Device       string  `json:"device"` // the card's name, or cpu
	Library      string  `json:"library"`
	Frames       int     `json:"frames"`
	Tokens       int     `json:"tokens"`
	Rounds       int     `json:"rounds"`
	Workers      int     `json:"workers"`
	LoadSeconds  float64 `json:"load_seconds"`
	MatmulTFLOPS float64 `json:"matmul_tflops"`          // 0 where not measured
	PeakTFLOPS   float64 `json:"peak_tflops,omitempty"`  // by --peak
	DeviceBytes  int64   `json:"device_bytes,omitempty"` // 0 where nvidia-smi does not tell
	Batches      []batch `json:"batches"`
}

// batch is what was measured of several windows in the same runs.
type batch struct {
	Windows           int     `json:"windows"`
	CaptionsPerSecond float64 `json:"captions_per_second"` // of all workers
	Seconds           float64 `json:"seconds"`             // of one worker, for all windows
	EncodeSeconds     float64 `json:"encode_seconds"`
	BeginSeconds      float64 `json:"begin_seconds"`
	TokensSeconds     float64 `json:"tokens_seconds"`
	Streams           float64 `json:"streams"`           // at a caption each 10 s, six new frames for each
	StreamsOneFrame   float64 `json:"streams_one_frame"` // likewise, one new frame for each
	// Shares of the matrix-multiply rate and of --peak: in the seconds of one worker, and in
	// the captions a second of all workers.
	OfMatmul    float64 `json:"of_matmul"`
	OfPeak      float64 `json:"of_peak"`
	OfMatmulAll float64 `json:"of_matmul_all_workers"`
	OfPeakAll   float64 `json:"of_peak_all_workers"`
	Spread      float64 `json:"spread"` // (slowest - fastest) / median of seconds
}

// period is the time between two captions of a stream in seconds.
const period = 10

// measure loads a model and measures each number of windows.
func (o options) measure(ctx context.Context, rt *ort.Runtime, name string, p graph.Precision) (r report, err error) {
	folder, remove, err := o.checkpoint(name)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	card := look(ctx, rt.Device())
	r = report{
		Machine: bench.ThisMachine(), PeakTFLOPS: o.peak / 1e12, Shape: name, Precision: p.String(), Device: card.name, Library: rt.Version(),
		Frames: frames, Tokens: o.tokens, Rounds: o.rounds, Workers: o.workers,
	}
	begun := time.Now()
	c, err := checkpoint.Load(folder)
	if err != nil {
		return r, err
	}
	m, err := model.Open(rt, c, model.Options{Name: name, Precision: p})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	r.LoadSeconds = time.Since(begun).Seconds()
	s, err := newSquare(ctx, rt, o.matmul, p)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, n := range o.batches {
		b, err := o.batch(ctx, m, s, n)
		if err != nil {
			return r, fmt.Errorf("%d windows: %w", n, err)
		}
		r.Batches = append(r.Batches, b)
	}
	r.MatmulTFLOPS = s.rate() / 1e12
	r.DeviceBytes = max(0, look(ctx, rt.Device()).used-card.used)
	return r, nil
}

// checkpoint is one with random weights, and how to clean up.
func (o options) checkpoint(name string) (folder string, remove func() error, err error) {
	s, err := shape(name)
	if err != nil {
		return "", nil, err
	}
	if o.weights != "" {
		folder = filepath.Join(o.weights, name)
	}
	return synthetic.Provide(folder, s, func(string) {})
}

// batch measures n windows in the same runs. ONNX Runtime has a stream and handles of CUDA's
// libraries for each thread, made at its first run: who measures keeps to one thread.
func (o options) batch(ctx context.Context, m *model.Model, s *square, n int) (b batch, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	w := newWork(m, n, o.tokens)
	if _, err := w.round(ctx); err != nil { // the first run fills caches and arenas
		return b, err
	}
	rounds := make([]times, o.rounds)
	for i := range rounds {
		if rounds[i], err = w.round(ctx); err != nil {
			return b, err
		}
		if err := s.round(ctx); err != nil {
			return b, err
		}
	}
	b = sum(rounds, n)
	rate, err := o.throughput(ctx, w, b.Seconds)
	if err != nil {
		return b, err
	}
	b.CaptionsPerSecond, b.Streams = rate, rate*period
	count := bench.Count(m.Sizes(), frames, w.tokens)
	b.share(count.Encoder+count.Prefix, s.rate(), o.peak)
	return b, nil
}

// share sets how much of the rates the work of a caption is, in operations and operations a
// second; rates of 0 are not known.
func (b *batch) share(work, matmul, peak float64) {
	one, all := work*float64(b.Windows)/b.Seconds, work*b.CaptionsPerSecond
	if matmul > 0 {
		b.OfMatmul, b.OfMatmulAll = one/matmul, all/matmul
	}
	if peak > 0 {
		b.OfPeak, b.OfPeakAll = one/peak, all/peak
	}
}

// throughput is the captions a second of all workers side by side, of whom each begins a part
// of a round, which takes one alone so many seconds, after the one before: together they would
// all encode first and then all leave the device alone. The clock runs from when as many rounds
// are done as there are workers until each has done as many more as are asked for, on average.
func (o options) throughput(ctx context.Context, w *work, alone float64) (float64, error) {
	done := newFinish(o.workers * (1 + o.rounds))
	g, ctx := errgroup.WithContext(ctx)
	for i := range o.workers {
		g.Go(func() error {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			late := time.NewTimer(time.Duration(alone * float64(i) / float64(o.workers) * float64(time.Second)))
			defer late.Stop()
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-late.C:
			}
			for !done.reached() {
				if _, err := w.round(ctx); err != nil {
					return err
				}
				done.add()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	took := done.at[len(done.at)-1].Sub(done.at[o.workers-1])
	return float64(o.workers*o.rounds*w.windows) / took.Seconds(), nil
}

// finish are the times at which rounds were done, of as many as it has room for.
type finish struct {
	mu sync.Mutex
	at []time.Time
}

func newFinish(rounds int) *finish { return &finish{at: make([]time.Time, 0, rounds)} }

func (f *finish) add() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.at) < cap(f.at) {
		f.at = append(f.at, time.Now())
	}
}

func (f *finish) reached() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.at) == cap(f.at)
}

// sum takes the medians of rounds with n windows.
func sum(rounds []times, n int) batch {
	summary := func(part func(times) float64) bench.Ratio {
		all := make([]float64, len(rounds))
		for i, t := range rounds {
			all[i] = part(t)
		}
		return bench.Summary(all)
	}
	whole := summary(times.all)
	b := batch{
		Windows:       n,
		Seconds:       whole.Median,
		Spread:        whole.Spread,
		EncodeSeconds: summary(func(t times) float64 { return t.encode }).Median,
		BeginSeconds:  summary(func(t times) float64 { return t.begin }).Median,
		TokensSeconds: summary(func(t times) float64 { return t.generate }).Median,
	}
	b.StreamsOneFrame = period * float64(n) / (b.EncodeSeconds/frames + b.BeginSeconds + b.TokensSeconds)
	return b
}

// work is what is timed: windows that are captioned in the same runs.
type work struct {
	model    *model.Model
	windows  int
	pictures []*image.RGBA // of all windows
	requests []model.Request
	tokens   int64 // image tokens of a frame
}

func newWork(m *model.Model, windows, tokens int) *work {
	w := &work{model: m, windows: windows, tokens: bench.ImageTokens(m), pictures: bench.Noise(m, windows*frames)}
	for i := range windows {
		// The begin token counts: one more than are generated.
		w.requests = append(w.requests, model.Request{Window: i, MaxTokens: tokens + 1})
	}
	return w
}

// times are those of one round in seconds.
type times struct{ encode, begin, generate float64 }

func (t times) all() float64 { return t.encode + t.begin + t.generate }

// round captions the windows. Texts must have their full length: a shorter one would be
// measured as a faster one.
func (w *work) round(ctx context.Context) (t times, err error) {
	begun := time.Now()
	features, err := w.model.EncodeAll(ctx, w.pictures, model.View{})
	if err != nil {
		return t, err
	}
	encoded := time.Now()
	prefix, err := w.model.BeginAll(ctx, slices.Collect(slices.Chunk(features, frames)))
	if err != nil {
		return t, err
	}
	defer prefix.Close()
	looked := time.Now()
	texts, err := w.model.GenerateAll(ctx, prefix, w.requests)
	if err != nil {
		return t, err
	}
	for _, text := range texts {
		if want := w.requests[0].MaxTokens - 1; len(text.Tokens) != want {
			return t, fmt.Errorf("a text ended after %d of %d tokens: take other weights", len(text.Tokens), want)
		}
	}
	return times{
		encode: encoded.Sub(begun).Seconds(), begin: looked.Sub(encoded).Seconds(), generate: time.Since(looked).Seconds(),
	}, nil
}
