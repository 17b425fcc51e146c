package bench

import (
	"context"
	"fmt"

	"github.com/captiond/captiond/model"
)

// products multiplies matrices of the encoder's shapes.
type products struct {
	session model.Session
	rows    model.Value // [M, V], M being the image tokens of one run of the encoder
	work    float64     // floating-point operations of one run
	runs    int         // as many as the encoder needs for the clip
}

func newProducts(rt model.Runtime, m *model.Model, rows int64, runs int) (_ *products, err error) {
	v := m.Sizes().Vision
	p := &products{runs: runs, work: float64(v.Layers) * (4*product(rows, v.Hidden, v.Hidden) + 2*product(rows, v.Hidden, v.MLP))}
	data := make([]float32, rows*v.Hidden)
	for i := range data {
		data[i] = float32(i%17) / 17
	}
	if p.rows, err = rt.Wrap(data, rows, v.Hidden); err != nil {
		return nil, fmt.Errorf("make rows: %w", err)
	}
	if p.session, err = m.Products(); err != nil {
		p.rows.Close()
		return nil, err
	}
	return p, nil
}

func (p *products) close() error {
	p.rows.Close()
	return p.session.Close()
}

// time of one run in seconds, over as many runs as the encoder makes.
func (p *products) time(ctx context.Context) (float64, error) {
	watch := newStopwatch()
	for range p.runs {
		out, err := p.session.Run(ctx, p.rows)
		if err != nil {
			return 0, fmt.Errorf("multiply matrices: %w", err)
		}
		for _, v := range out {
			v.Close()
		}
	}
	return watch.lap() / float64(p.runs), nil
}
