package bench

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// The lengths of the two lists of labels.
const fewLabels, manyLabels = 10, 1000

// names are n labels of a synthetic vocabulary that are like the names of ImageNet's 1,000
// classes to BERT's vocabulary: 2.4 tokens in the mean, and every fifth begins as another
// one does, which leaves a trie of 2.2 places a label.
func names(n int, vocabulary int64) []string {
	lengths := []int{1, 1, 2, 2, 2, 2, 3, 3, 4, 5} // each as likely
	random := rand.New(rand.NewPCG(5, 6))
	word := func() string { return fmt.Sprintf("w%d", 104+random.Int64N(vocabulary-104)) }
	var labels []string
	met := map[string]bool{}
	for len(labels) < n {
		label := []string{word()}
		if len(labels) > 0 && random.IntN(5) == 0 {
			label = strings.Fields(labels[random.IntN(len(labels))])[:1]
		}
		for range lengths[random.IntN(len(lengths))] - 1 {
			label = append(label, word())
		}
		if s := strings.Join(label, " "); !met[s] {
			met[s], labels = true, append(labels, s)
		}
	}
	return labels
}
