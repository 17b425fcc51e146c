// Package bench measures what a machine can do with GIT: each stage of a clip's
// caption, as a share of the rate at which the same runtime, with the same threads and
// in the same minute, multiplies matrices of the encoder's shapes. Stages are measured
// in turn, round after round, and medians are reported, so that a machine whose speed
// drifts changes the absolute times and not the ratios.
package bench

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"time"

	"github.com/captiond/captiond/model"
)

// Report is one measurement. Times are medians in seconds.
type Report struct {
	Shape   string `json:"shape"`
	Device  string `json:"device"`
	Frames  int    `json:"frames"`
	Tokens  int    `json:"tokens"`
	Rounds  int    `json:"rounds"`
	Threads int    `json:"threads"`

	EncoderVsMatmul     float64 `json:"encoder_vs_matmul"`     // share of the matrix-multiply rate
	PrefixVsMatmul      float64 `json:"prefix_vs_matmul"`      // likewise
	SecondQuestionRatio float64 `json:"second_question_ratio"` // of the first question's time
	LabelsRatio         float64 `json:"labels_1000_vs_10"`     // of the times, encoder and prefix included
	ClipSeconds         float64 `json:"clip_seconds"`          // encoder, prefix and tokens
	LoadSeconds         float64 `json:"load_seconds"`
	PeakRSSBytes        int64   `json:"peak_rss_bytes"` // of load and clips, without the products
	WeightsBytes        int64   `json:"weights_bytes"`

	MatmulGFLOPS   float64 `json:"matmul_gflops"` // rate of the matrix products
	EncoderSeconds float64 `json:"encoder_seconds"`
	PrefixSeconds  float64 `json:"prefix_seconds"`
	TokensSeconds  float64 `json:"tokens_seconds"`
	LabelsSeconds  float64 `json:"labels_seconds"` // of 1,000 labels alone
	Spread         float64 `json:"spread"`         // (slowest - fastest) / median of the clip over the rounds
}

// Plan is what is measured. Open loads the model anew: it is called once, and timed.
type Plan struct {
	Open    func() (*model.Model, error)
	Runtime model.Runtime // that Open uses
	Frames  int           // frames of the clip
	Tokens  int           // tokens generated for each text, at least 1
	Rounds  int           // at least 1
}

// Run measures. It is not to run beside anything else.
func Run(ctx context.Context, p Plan) (_ Report, err error) {
	debug.FreeOSMemory() // what was done before is not measured
	resetPeak()
	begun := time.Now()
	m, err := p.Open()
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	r := Report{Frames: p.Frames, Tokens: p.Tokens, Rounds: p.Rounds, LoadSeconds: time.Since(begun).Seconds()}
	c := newClip(m, p)
	if _, err := c.round(ctx); err != nil { // the first run fills caches and arenas
		return r, err
	}
	if r.PeakRSSBytes, err = peak(); err != nil {
		return r, err
	}
	if err := c.label(); err != nil {
		return r, err
	}
	products, err := newProducts(p.Runtime, m, c.tokens, p.Frames)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, products.close()) }()
	rounds, err := c.rounds(ctx, products, p.Rounds)
	if err != nil {
		return r, err
	}
	r.fill(rounds, Count(m.Sizes(), int64(p.Frames), c.tokens), products.work)
	return r, nil
}

// fill sums the rounds up.
func (r *Report) fill(rounds []times, clip Work, products float64) {
	rate := products / median(rounds, func(t times) float64 { return t.products })
	r.EncoderSeconds = median(rounds, func(t times) float64 { return t.encoder })
	r.PrefixSeconds = median(rounds, func(t times) float64 { return t.prefix })
	r.TokensSeconds = median(rounds, func(t times) float64 { return t.first })
	r.LabelsSeconds = median(rounds, func(t times) float64 { return t.many })
	r.ClipSeconds = median(rounds, times.clip)
	r.MatmulGFLOPS = rate / 1e9
	// Ratios are taken round by round, so that drift between rounds cancels.
	r.EncoderVsMatmul = median(rounds, func(t times) float64 { return clip.Encoder / t.encoder / (products / t.products) })
	r.PrefixVsMatmul = median(rounds, func(t times) float64 { return clip.Prefix / t.prefix / (products / t.products) })
	r.SecondQuestionRatio = median(rounds, func(t times) float64 { return t.second / t.clip() })
	r.LabelsRatio = median(rounds, times.labels)
	r.Spread = spread(rounds, times.clip)
}

// median of a figure over the rounds.
func median(rounds []times, figure func(times) float64) float64 {
	sorted := figures(rounds, figure)
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// spread is the distance of the extremes in parts of the median.
func spread(rounds []times, figure func(times) float64) float64 {
	sorted := figures(rounds, figure)
	return (sorted[len(sorted)-1] - sorted[0]) / median(rounds, figure)
}

func figures(rounds []times, figure func(times) float64) []float64 {
	all := make([]float64, len(rounds))
	for i, t := range rounds {
		all[i] = figure(t)
	}
	slices.Sort(all)
	return all
}

// Method says how the figures come about; it is printed with them.
const Method = `Method: six frames of noise at the model's own size are encoded, begun as one window and
captioned with a forced number of tokens; then a second question is asked about the same
window, and labels are chosen from: 10, and 1,000 that share their beginnings as the names
of ImageNet's classes do. The matrix-multiply rate is that of the same runtime with the same threads on the
encoder's own matrix products alone, measured between the rounds. Shares count the
operations of matrix products and attention, and nothing else. Load is opening the model
from a file in the page cache; peak memory is that of load and first clip.`
