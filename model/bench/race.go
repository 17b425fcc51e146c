package bench

import (
	"context"
	"fmt"

	"github.com/captiond/captiond/model/graph"
)

// Line is one who took part in a race. Seconds is the median time of a clip.
type Line struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"clip_seconds"`
	Spread  float64 `json:"spread"`
	Rounds  int     `json:"rounds"`
	// VsLimit is the time that float32 would take at the matrix-multiply rate and the memory
	// bandwidth of the same rounds, over this one's time; 0 where no bandwidth was measured.
	VsLimit float64 `json:"vs_float32_limit"`
	// Against has, for each precision of captiond, how many times as long as captiond's
	// this one's clip took, in the same rounds.
	Against map[string]Ratio `json:"times_as_long_as_captiond"`
}

// runs are the clips of all who take part.
type runs struct {
	subjects []*subject
	peers    []Peer
	seconds  [][]float64 // of each peer, round by round
}

func newRuns(subjects []*subject, peers []Peer) *runs {
	return &runs{subjects: subjects, peers: peers, seconds: make([][]float64, len(peers))}
}

// round has each do the work once, one after the other.
func (r *runs) round(ctx context.Context) error {
	for _, s := range r.subjects {
		t, err := s.round(ctx)
		if err != nil {
			return err
		}
		s.rounds = append(s.rounds, t)
	}
	for i, p := range r.peers {
		if len(r.seconds[i]) >= p.Rounds {
			continue
		}
		seconds, err := p.Run(ctx)
		if err != nil {
			return fmt.Errorf("run %s: %w", p.Name, err)
		}
		r.seconds[i] = append(r.seconds[i], seconds)
	}
	return nil
}

// lines are those of the models, then those of the peers.
func (r *runs) lines() (lines []Line) {
	for _, s := range r.subjects {
		lines = append(lines, r.line("captiond "+s.report.Precision, s.clips()))
	}
	for i, p := range r.peers {
		if len(r.seconds[i]) > 0 {
			lines = append(lines, r.line(p.Name, r.seconds[i]))
		}
	}
	return lines
}

// line holds some rounds, from the first on, against those of the models.
func (r *runs) line(name string, seconds []float64) Line {
	all := Summary(seconds)
	line := Line{Name: name, Seconds: all.Median, Spread: all.Spread, Rounds: len(seconds), Against: map[string]Ratio{}}
	for _, s := range r.subjects {
		clips, ratios := s.clips(), make([]float64, len(seconds))
		for i, t := range seconds {
			ratios[i] = t / clips[i]
		}
		line.Against[s.report.Precision] = Summary(ratios)
	}
	line.VsLimit = r.subjects[0].share(seconds)
	return line
}

// share is the median of the least time in which float32 could be done, over the times given.
func (s *subject) share(seconds []float64) float64 {
	if s.memory == nil {
		return 0
	}
	y, shares := s.yardsticks(), make([]float64, len(seconds))
	token := TokenBytes(s.clip.model.Sizes(), graph.Float32, s.columns())
	for i, t := range s.rounds[:len(seconds)] {
		least := (y.clip.Encoder+y.clip.Prefix)/(y.products/t.products) + y.tokens*token/(y.memory/t.memory)
		shares[i] = least / seconds[i]
	}
	return Summary(shares).Median
}

// clips are the times of the clips, round by round.
func (s *subject) clips() []float64 {
	all := make([]float64, len(s.rounds))
	for i, t := range s.rounds {
		all[i] = t.clip()
	}
	return all
}
