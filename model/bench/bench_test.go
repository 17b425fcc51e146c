package bench

import (
	"math"
	"strings"
	"testing"

	"github.com/captiond/captiond/model/graph"
)

// Worked out by hand from the shapes of git-base with six frames of 197 tokens: for each
// frame 196 patches of 768 pixels and 12 layers of 2,907,909,120 operations; for 1,182
// tokens the projection, 5 layers of 21,024,092,160 and the last layer's keys and values.
func TestCount(t *testing.T) {
	t.Parallel()
	base := graph.Sizes{
		Vision: graph.Tower{Hidden: 768, MLP: 3072, Layers: 12, Heads: 12},
		Text:   graph.Tower{Hidden: 768, MLP: 3072, Layers: 6, Heads: 12},
		Patch:  16, Channels: 3,
	}
	got := Count(base, 6, 197)
	if want := (Work{Encoder: 210_756_722_688, Prefix: 109_303_492_608}); got != want {
		t.Errorf("Count is %+v, want %+v", got, want)
	}
}

// Ratios are taken round by round: a machine that halves its speed changes the times and
// not the shares.
func TestFill(t *testing.T) {
	t.Parallel()
	round := times{products: 0.1, encoder: 1, prefix: 0.5, first: 0.5, second: 0.3, few: 0.1, many: 1.7}
	slow := times{products: 0.2, encoder: 2, prefix: 1, first: 1, second: 0.6, few: 0.2, many: 3.4}
	var r Report
	r.fill([]times{round, slow, round, slow}, Work{Encoder: 8e11, Prefix: 4.5e11}, 1e11)
	for name, v := range map[string]struct{ got, want float64 }{
		"encoder":     {r.EncoderVsMatmul, 0.8},
		"prefix":      {r.PrefixVsMatmul, 0.9},
		"question":    {r.SecondQuestionRatio, 0.15},
		"labels":      {r.LabelsRatio, 2},
		"clip":        {r.ClipSeconds, 3},
		"spread":      {r.Spread, 2.0 / 3},
		"matrix rate": {r.MatmulGFLOPS, 1e11 / 0.15 / 1e9},
	} {
		if math.Abs(v.got-v.want) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, v.got, v.want)
		}
	}
}

func TestPeakFollowsTheProcess(t *testing.T) {
	t.Parallel()
	resetPeak()
	block := make([]byte, 64<<20)
	for i := range block {
		block[i] = 1
	}
	got, err := peak()
	if err != nil || got < int64(len(block)) {
		t.Errorf("peak is %d bytes, %v, with %d in use", got, err, len(block))
	}
}

// Of ImageNet's names (imagenet-simple-labels) BERT's vocabulary makes 2.37 tokens in the
// mean, and a trie of 2,148 places of which 789 are below its root.
func TestNamesAreLikeImageNets(t *testing.T) {
	t.Parallel()
	tokens, places, first := 0, map[string]bool{}, map[string]bool{}
	labels := names(1000, 30522)
	for _, label := range labels {
		words := strings.Fields(label)
		tokens += len(words)
		first[words[0]] = true
		for i := range words {
			places[strings.Join(words[:i+1], " ")] = true
		}
	}
	for name, v := range map[string]struct{ got, want int }{
		"labels": {len(labels), 1000}, "tokens": {tokens, 2370}, "places": {len(places), 2148}, "first": {len(first), 789},
	} {
		if math.Abs(float64(v.got-v.want)) > 0.05*float64(v.want) {
			t.Errorf("%s: %d, want about %d", name, v.got, v.want)
		}
	}
}
