package model

import "math"

// microsoftBeam is GeneratorWithBeamSearch of microsoft/GenerativeImage2Text
// (layers/decoder.py at faae4fb) with one text kept. A beam's score is the sum of its
// log-probabilities.
type microsoftBeam struct {
	limits
	width   int
	penalty float64
	beams   []hypothesis
	kept    *hypothesis // the best text so far, its score divided by norm
}

func newMicrosoftBeam(l limits, width int, penalty float64) *microsoftBeam {
	return &microsoftBeam{limits: l, width: width, penalty: penalty, beams: []hypothesis{{}}}
}

// norm divides a score: length counts the begin token and the prompt, not the end.
func (s *microsoftBeam) norm(length int) float64 {
	return math.Pow(float64(5+length)/6, s.penalty)
}

func (s *microsoftBeam) next(rows []outlook) ([]int64, []int) {
	ways := candidates(s.beams, rows, 2*s.width)
	if s.kept != nil && s.kept.score >= ways[0].sum/s.norm(s.total-1) {
		return nil, nil
	}
	length := s.prompt + len(s.beams[0].tokens)
	last := length+1 == s.total
	var beams []hypothesis
	var tokens []int64
	var parents []int
	for _, c := range ways {
		h := s.beams[c.beam]
		switch {
		case s.isEnd(c.token):
			s.keep(h.end(c.logProb, c.sum/s.norm(length)))
		case last: // the token found no room, but counts in the score
			h.score = c.sum / s.norm(length)
			s.keep(h)
		default:
			beams = append(beams, h.grow(c.token, c.logProb, c.sum))
			tokens, parents = append(tokens, c.token), append(parents, c.beam)
		}
		if len(beams) == s.width {
			break
		}
	}
	s.beams = beams
	return tokens, parents
}

func (s *microsoftBeam) keep(h hypothesis) {
	if s.kept == nil || h.score > s.kept.score {
		s.kept = &h
	}
}

func (s *microsoftBeam) best() hypothesis { return *s.kept }

// huggingFaceBeam is GenerationMixin._beam_search of transformers 4.56.2 with
// early_stopping False.
type huggingFaceBeam struct {
	limits
	width    int
	penalty  float64
	beams    []hypothesis
	finished []hypothesis // the best first, as many as beams at most
}

func newHuggingFaceBeam(l limits, width int, penalty float64) *huggingFaceBeam {
	return &huggingFaceBeam{limits: l, width: width, penalty: penalty, beams: []hypothesis{{}}}
}

func (s *huggingFaceBeam) next(rows []outlook) ([]int64, []int) {
	generated := len(s.beams[0].tokens) + 1
	last := s.prompt+generated >= s.total
	norm := math.Pow(float64(generated), s.penalty)
	var beams []hypothesis
	var tokens []int64
	var parents []int
	for rank, c := range candidates(s.beams, rows, max(2, 1+len(s.ends))*s.width) {
		h := s.beams[c.beam]
		switch {
		case !s.isEnd(c.token) && !last:
			if len(beams) < s.width {
				beams = append(beams, h.grow(c.token, c.logProb, c.sum))
				tokens, parents = append(tokens, c.token), append(parents, c.beam)
			}
		case rank >= s.width: // only the best may finish, the others are spare
		case s.isEnd(c.token):
			s.finish(h.end(c.logProb, c.sum/norm))
		default:
			s.finish(h.grow(c.token, c.logProb, c.sum/norm))
		}
	}
	s.beams = beams
	if len(beams) == 0 || !s.promising(beams[0].score/norm) {
		return nil, nil
	}
	return tokens, parents
}

// finish adds a finished text behind those with the same score and drops the worst if
// there are too many.
func (s *huggingFaceBeam) finish(h hypothesis) {
	at := len(s.finished)
	for at > 0 && s.finished[at-1].score < h.score {
		at--
	}
	s.finished = append(s.finished[:at:at], append([]hypothesis{h}, s.finished[at:]...)...)
	s.finished = s.finished[:min(s.width, len(s.finished))]
}

// promising tells whether the best running beam, scored as if it ended now, beats the
// worst finished text.
func (s *huggingFaceBeam) promising(best float64) bool {
	return len(s.finished) < s.width || best > s.finished[len(s.finished)-1].score
}

func (s *huggingFaceBeam) best() hypothesis { return s.finished[0] }
