package bench

import (
	"context"
	"errors"
	"fmt"
)

// A bound is how bad a ratio may be before something is broken rather than the machine busy.
type bound struct {
	name        string
	value       float64
	least, most float64 // 0: none
}

// bounds are wide: a machine for tests is shared, and its caches and cores are not those
// that the figures in docs/performance.md come from. They catch work that is done twice, a
// kernel that is not the one meant, and copies of what was to be shared.
func (r Report) bounds() []bound {
	return []bound{
		// 0.9 to 1.2 when quiet: attention runs faster than the products, all else costs a
		// tenth. An attention of single operators, or a graph that is not fused, halves it.
		{"encoder_vs_matmul", r.EncoderVsMatmul, 0.6, 0},
		{"prefix_vs_matmul", r.PrefixVsMatmul, 0.6, 0},
		// 0.4 to 0.8 when quiet: small operators between the products read no weights. A step
		// that copies the image's keys and values (44 MB at git-base) or computes the head
		// for all tokens falls below.
		{"step_vs_bandwidth", r.StepVsBandwidth, 0.15, 0},
		// 0.15 to 0.27: it is the text alone. With the prefix computed anew it is 0.5, with
		// the encoder 1.
		{"second_question_ratio", r.SecondQuestionRatio, 0, 0.42},
		// 0.55 to 0.65: one frame of six, prefix and text. With all frames encoded it is 1.
		{"sliding_window_ratio", r.SlidingWindowRatio, 0, 0.85},
		// 1.7 at git-base: the weights mapped and once in the layout that multiplies; a third
		// copy makes it 2.6.
		{"peak_vs_weights", r.PeakVsWeights, 0, 2.4},
	}
}

// Verify measures as Run does and returns an error that names each ratio beyond its bound.
// They are those of the fastest times of all rounds: what is broken is slow in every round,
// what is busy is not. It is for float32 at git-base's shape.
func Verify(ctx context.Context, p Plan) (Report, error) {
	var best Report
	reports, _, err := race(ctx, []Plan{p}, nil, func(s *subject) { best = s.best() })
	if err != nil {
		return Report{}, err
	}
	return reports[0], best.check()
}

// best is the report of one round made of the fastest times.
func (s *subject) best() Report {
	fastest := s.rounds[0]
	for _, t := range s.rounds[1:] {
		fastest = fastest.min(t)
	}
	r := s.report
	r.fill([]times{fastest}, s.yardsticks())
	return r
}

// min has the lesser of each time.
func (t times) min(u times) times {
	return times{
		products: min(t.products, u.products), memory: min(t.memory, u.memory),
		encoder: min(t.encoder, u.encoder), prefix: min(t.prefix, u.prefix), first: min(t.first, u.first),
		second: min(t.second, u.second), five: min(t.five, u.five), slide: min(t.slide, u.slide), few: min(t.few, u.few), many: min(t.many, u.many),
	}
}

// check names what is beyond its bound. What was not measured is not checked.
func (r Report) check() error {
	var errs []error
	for _, b := range r.bounds() {
		switch {
		case b.value == 0:
		case b.least > 0 && b.value < b.least:
			errs = append(errs, fmt.Errorf("%s is %.2f, less than %.2f", b.name, b.value, b.least))
		case b.most > 0 && b.value > b.most:
			errs = append(errs, fmt.Errorf("%s is %.2f, more than %.2f", b.name, b.value, b.most))
		}
	}
	return errors.Join(errs...)
}
