package eval

import (
	"math"
	"slices"
	"strings"
)

// A counts holds how often each n-gram is in a text, by length: counts[0] are the words.
type counts [4]map[string]int

// countGrams counts the n-grams of up to four words.
func countGrams(words []string) (c counts) {
	for n := range c {
		c[n] = map[string]int{}
		for i := 0; i+n < len(words); i++ {
			c[n][strings.Join(words[i:i+n+1], " ")]++
		}
	}
	return c
}

// A bleu is what BLEU (Papineni et al. 2002) sums up over the texts of a corpus.
type bleu struct {
	right, said   [4]float64 // n-grams that a reference has, and all of them
	length, meant float64    // words of the texts, and of the references nearest in length
}

// add counts a text in. Of two references equally near in length the shorter counts.
func (b *bleu) add(text []string, references [][]string) {
	most := counts{}
	for n := range most {
		most[n] = map[string]int{}
	}
	nearest := math.MaxInt
	for _, ref := range references {
		for n, grams := range countGrams(ref) {
			for g, k := range grams {
				most[n][g] = max(most[n][g], k)
			}
		}
		if d, best := distance(len(ref), len(text)), distance(nearest, len(text)); d < best || (d == best && len(ref) < nearest) {
			nearest = len(ref)
		}
	}
	for n, grams := range countGrams(text) {
		for g, k := range grams {
			b.right[n] += float64(min(k, most[n][g]))
		}
		b.said[n] += float64(max(0, len(text)-n))
	}
	b.length += float64(len(text))
	b.meant += float64(nearest)
}

func distance(a, b int) int { return max(a, b) - min(a, b) }

// score is BLEU-4, from 0 to 1. Like the COCO evaluation it adds 1e-15 to each count of
// right n-grams and 1e-9 to what these are divided by.
func (b *bleu) score() float64 {
	const tiny, small = 1e-15, 1e-9
	product := 1.0
	for n := range b.right {
		product *= (b.right[n] + tiny) / (b.said[n] + small)
	}
	score := math.Pow(product, 0.25)
	if ratio := (b.length + tiny) / (b.meant + small); ratio < 1 {
		score *= math.Exp(1 - 1/ratio)
	}
	return score
}

// rougeL is ROUGE-L (Lin 2004) from 0 to 1 with beta 1.2: the harmonic mean of the best
// precision and the best recall over the references, as the COCO evaluation takes it.
func rougeL(text []string, references [][]string) float64 {
	const beta2 = 1.2 * 1.2
	var precision, recall float64
	for _, ref := range references {
		common := float64(commonSubsequence(text, ref))
		precision = max(precision, common/float64(max(1, len(text))))
		recall = max(recall, common/float64(max(1, len(ref))))
	}
	if precision == 0 {
		return 0
	}
	return (1 + beta2) * precision * recall / (recall + beta2*precision)
}

// commonSubsequence is the length of the longest one.
func commonSubsequence(a, b []string) int {
	row := make([]int, len(b)+1) // lengths for the words of a so far
	for _, word := range a {
		diagonal := 0
		for j, other := range b {
			above := row[j+1]
			if word == other {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

// A cider weighs n-grams by how few of the corpus's texts have them in a reference, for
// CIDEr-D (Vedantam et al. 2015) as the COCO evaluation computes it: sigma 6, clipped
// counts, lengths compared in pairs of words.
type cider struct {
	with  map[string]float64 // n-gram: texts that have it in a reference
	texts float64
}

// learn counts the references of one text.
func (c *cider) learn(references [][]string) {
	if c.with == nil {
		c.with = map[string]float64{}
	}
	seen := map[string]bool{}
	for _, ref := range references {
		for _, grams := range countGrams(ref) {
			for g := range grams {
				seen[g] = true
			}
		}
	}
	for g := range seen {
		c.with[g]++
	}
	c.texts++
}

// A vector is a text's weighted n-grams, by length.
type vector struct {
	weights [4]map[string]float64
	norms   [4]float64
	pairs   int
}

func (c *cider) vector(words []string) (v vector) {
	for n, grams := range countGrams(words) {
		v.weights[n] = make(map[string]float64, len(grams))
		for _, g := range sorted(grams) {
			w := float64(grams[g]) * (math.Log(c.texts) - math.Log(max(1, c.with[g])))
			v.weights[n][g] = w
			v.norms[n] += w * w
		}
		v.norms[n] = math.Sqrt(v.norms[n])
	}
	v.pairs = max(0, len(words)-1)
	return v
}

// sorted are the keys in order: sums of floats must not depend on a map's.
func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// score is CIDEr-D, from 0 to 10.
func (c *cider) score(text []string, references [][]string) float64 {
	const sigma = 6
	said, sum := c.vector(text), 0.0
	for _, ref := range references {
		meant := c.vector(ref)
		apart := float64(said.pairs - meant.pairs)
		sum += similarity(said, meant) * math.Exp(-apart*apart/(2*sigma*sigma))
	}
	return 10 * sum / float64(len(references))
}

// similarity is the mean over n of the cosines, with the first's weights clipped to the
// second's.
func similarity(said, meant vector) (mean float64) {
	for n, weights := range said.weights {
		dot := 0.0
		for _, g := range sorted(weights) {
			dot += min(weights[g], meant.weights[n][g]) * meant.weights[n][g]
		}
		if norm := said.norms[n] * meant.norms[n]; norm != 0 {
			dot /= norm
		}
		mean += dot / float64(len(said.weights))
	}
	return mean
}
