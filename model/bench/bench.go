// Package bench measures what a machine can do with GIT: each stage of a clip's caption, as
// a share of what limits it (the rate at which the same runtime, with the same threads and
// in the same minute, multiplies matrices of the encoder's shapes; how fast memory is
// read), and whole clips beside those of others who do the same work. All is measured in
// turn, round after round, and medians are reported with their spread, so that a machine
// whose speed drifts changes the absolute times and not the ratios.
package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/graph"
)

// Plan is what is measured of one model. Open loads the model anew: it is called twice, and
// timed.
type Plan struct {
	Open      func() (*model.Model, error)
	Runtime   model.Runtime   // that Open uses
	Precision graph.Precision // that Open asks for
	Prompt    string          // the first question; "" for a caption
	Frames    int             // frames of the clip
	Tokens    int             // tokens generated for each text, at least 1
	Rounds    int             // at least 1
	Labels    bool            // choose among labels too
	Readers   int             // threads that read memory to learn its bandwidth; 0 leaves that out
	Known     Report          // what the report says beside: shape, device, threads, weights, machine
}

// Peer is somebody else who does the same work.
type Peer struct {
	Name   string
	Rounds int // takes part in so many rounds at most
	// Run does the work once and says how long it took, in seconds.
	Run func(context.Context) (float64, error)
}

// Run measures one model. It is not to run beside anything else.
func Run(ctx context.Context, p Plan) (Report, error) {
	reports, _, err := Race(ctx, []Plan{p}, nil)
	if err != nil {
		return Report{}, err
	}
	return reports[0], nil
}

// Race measures several models, at least one, and peers side by side: each once in each
// round of the first plan. The lines say how their clips compare, models first.
func Race(ctx context.Context, plans []Plan, peers []Peer) ([]Report, []Line, error) {
	return race(ctx, plans, peers, func(*subject) {})
}

// race shows each model to look when all rounds are done.
func race(ctx context.Context, plans []Plan, peers []Peer, look func(*subject)) (reports []Report, _ []Line, err error) {
	var subjects []*subject
	defer func() {
		for _, s := range subjects {
			err = errors.Join(err, s.close())
		}
	}()
	debug.FreeOSMemory() // what was done before is not measured
	program, err := resident()
	if err != nil {
		return nil, nil, err
	}
	for _, p := range plans { // one after the other, so that each has the memory for itself
		p.Known.ProgramRSSBytes = program
		s, err := alone(ctx, p)
		if err != nil {
			return nil, nil, err
		}
		subjects = append(subjects, s)
	}
	for _, s := range subjects {
		if err := s.prepare(ctx); err != nil {
			return nil, nil, err
		}
	}
	runs := newRuns(subjects, peers)
	for range plans[0].Rounds {
		if err := runs.round(ctx); err != nil {
			return nil, nil, err
		}
	}
	for _, s := range subjects {
		reports = append(reports, s.sum())
		look(s)
	}
	return reports, runs.lines(), nil
}

// subject is a model that is measured.
type subject struct {
	plan     Plan
	report   Report
	clip     *clip
	products *products
	memory   *memory // nil where it is not read
	read     uint64  // sum of what was: it is used, so the reading is not left out
	rounds   []times
}

// alone opens the model, captions one clip and closes it: start-up and peak memory.
func alone(ctx context.Context, p Plan) (_ *subject, err error) {
	s := &subject{plan: p, report: p.Known}
	s.report.Precision, s.report.Frames, s.report.Tokens, s.report.Rounds = p.Precision.String(), p.Frames, p.Tokens, p.Rounds
	debug.FreeOSMemory() // what was done before is not measured
	resetPeak()
	begun := time.Now()
	m, err := p.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	s.report.LoadSeconds = time.Since(begun).Seconds()
	_, prefix, t, err := newClip(m, p).caption(ctx)
	if err != nil {
		return nil, err
	}
	prefix.Close()
	s.report.StartupSeconds = s.report.LoadSeconds + t.clip()
	if s.report.PeakRSSBytes, err = peak(); err != nil {
		return nil, err
	}
	if s.report.WeightsBytes > 0 {
		s.report.PeakVsWeights = float64(s.report.PeakRSSBytes-s.report.ProgramRSSBytes) / float64(s.report.WeightsBytes)
	}
	return s, nil
}

// prepare opens the model for the rounds and runs all once: caches and arenas are filled.
func (s *subject) prepare(ctx context.Context) error {
	m, err := s.plan.Open()
	if err != nil {
		return err
	}
	s.clip = newClip(m, s.plan)
	if s.plan.Labels {
		if err := s.clip.label(); err != nil {
			return err
		}
	}
	if s.products, err = newProducts(s.plan.Runtime, m, s.clip.tokens, s.plan.Frames); err != nil {
		return err
	}
	if s.plan.Readers > 0 {
		bytes := TokenBytes(m.Sizes(), s.plan.Precision, s.columns())
		if s.memory, err = newMemory(bytes, s.plan.Readers); err != nil {
			return err
		}
	}
	_, err = s.round(ctx)
	return err
}

// columns is the number of keys that a token in the middle of a text sees.
func (s *subject) columns() int64 {
	return int64(s.plan.Frames)*s.clip.tokens + int64(s.plan.Tokens)/2
}

// yardsticks are those of the model's clip.
func (s *subject) yardsticks() yardsticks {
	sizes := s.clip.model.Sizes()
	y := yardsticks{
		clip:     Count(sizes, int64(s.plan.Frames), s.clip.tokens),
		products: s.products.work,
		token:    TokenBytes(sizes, s.plan.Precision, s.columns()),
		tokens:   float64(s.plan.Tokens),
	}
	if s.memory != nil {
		y.memory = s.memory.bytes()
	}
	return y
}

// round times everything once.
func (s *subject) round(ctx context.Context) (t times, err error) {
	if t, err = s.clip.round(ctx); err != nil {
		return t, err
	}
	if t.products, err = s.products.time(ctx); err != nil {
		return t, err
	}
	if s.memory != nil {
		var sum uint64
		t.memory, sum = s.memory.time()
		s.read += sum
	}
	return t, nil
}

// sum is the report of all rounds.
func (s *subject) sum() Report {
	s.report.fill(s.rounds, s.yardsticks())
	return s.report
}

func (s *subject) close() error {
	var errs []error
	if s.products != nil {
		errs = append(errs, s.products.close())
	}
	if s.clip != nil {
		errs = append(errs, s.clip.model.Close())
	}
	if s.memory != nil {
		errs = append(errs, s.memory.close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close model: %w", err)
	}
	return nil
}

// Method says how the figures come about; it is printed with them.
const Method = `Method: pictures of noise at the model's own size, as many as the model sees at once, are
encoded, begun as one window and captioned (base-vqav2: asked about) with a forced number of
tokens: a clip. Then a second question is asked about the same window, and five in one
request, of which each after the first adds a fourth of the rest; the window slides by
one frame, which is encoded, and is captioned; and labels are chosen from: 10, and 1,000 that
share their beginnings as the names of ImageNet's classes do. The matrix-multiply rate is
that of the same runtime with the same threads on the encoder's own matrix products alone,
in float32 whatever the precision, measured in each round. Its shares count the operations
of matrix products and attention, and nothing else. The bandwidth is that of reading as many
bytes as a token needs, with the same threads, in each round; its share counts the weights
of decoder and head and the keys and values, once for each token. Load is opening the model
from a file in the page cache; start-up is load and the first clip; peak memory is that of
both, mapped weights counted; over the weights it is without the program's own. Ratios are
taken round by round: medians, with the distance of the extremes as spread.`
