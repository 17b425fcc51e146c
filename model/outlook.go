package model

import "math"

// outlook is how a row of text may go on.
type outlook struct {
	logits    []float32 // of each token; they may be the memory of a Value
	likeliest int64     // the token with the greatest logit, the first where several have it
	logSum    float64   // what is left of a logit less this is the log-probability
}

// logProb is that of a token.
func (o outlook) logProb(token int64) float64 { return float64(o.logits[token]) - o.logSum }

// look goes through the logits after a row.
func (e *exponential) look(logits []float32) outlook {
	likeliest := argmax(logits)
	return outlook{logits, int64(likeliest), e.logSum(logits, logits[likeliest])}
}

// lookAll looks at several rows side by side, each of which has as many logits.
func (e *exponential) lookAll(rows [][]float32) []outlook {
	outlooks := make([]outlook, len(rows))
	sideBySide(len(rows), len(rows[0]), func(i int) { outlooks[i] = e.look(rows[i]) })
	return outlooks
}

// argmax is where the greatest of some numbers is. Where some are no numbers it is anywhere.
func argmax(of []float32) int {
	at, most := 0, of[0]
	for i, f := range of {
		if f > most {
			at, most = i, f
		}
	}
	return at
}

// finite tells whether all logits of all rows are finite.
func finite(rows []outlook) bool {
	for _, o := range rows {
		if math.IsNaN(o.logSum) {
			return false
		}
	}
	return true
}
