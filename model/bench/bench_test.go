package bench

import (
	"math"
	"reflect"
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

// Worked out by hand: 6 layers of 7,077,888 weights and a head of 23,440,896, of 4 bytes or
// of 1 and an eighth; keys and values of 6 layers and 1,192 columns.
func TestTokenBytes(t *testing.T) {
	t.Parallel()
	base := graph.Sizes{Text: graph.Tower{Hidden: 768, MLP: 3072, Layers: 6, Heads: 12}, Vocabulary: 30522}
	for precision, want := range map[graph.Precision]float64{
		graph.Float32: 4*65_908_224 + 4*10_985_472, graph.Int8: 1.0625*65_908_224 + 4*10_985_472, graph.Float16: 2*65_908_224 + 2*10_985_472,
	} {
		if got := TokenBytes(base, precision, 1192); got != want {
			t.Errorf("%v: %v bytes, want %v", precision, got, want)
		}
	}
}

// slow is a round on a machine that has halved its speed.
func (t times) slow() times {
	return times{
		products: 2 * t.products, memory: 2 * t.memory, encoder: 2 * t.encoder, prefix: 2 * t.prefix, first: 2 * t.first,
		second: 2 * t.second, five: 2 * t.five, slide: 2 * t.slide, few: 2 * t.few, many: 2 * t.many,
	}
}

// A machine that halves its speed changes the times and not the shares.
func TestFill(t *testing.T) {
	t.Parallel()
	round := times{products: 0.1, memory: 0.01, encoder: 1, prefix: 0.5, first: 0.5, second: 0.3, five: 0.9, slide: 1.2, few: 0.1, many: 1.7}
	var r Report
	y := yardsticks{clip: Work{Encoder: 8e11, Prefix: 4.5e11}, products: 1e11, token: 1e8, memory: 2e8, tokens: 20}
	r.fill([]times{round, round.slow(), round, round.slow()}, y)
	for name, v := range map[string]struct{ got, want float64 }{
		"encoder":        {r.EncoderVsMatmul, 0.8},
		"encoder spread": {r.EncoderVsMatmulSpread, 0},
		"prefix":         {r.PrefixVsMatmul, 0.9},
		"step":           {r.StepVsBandwidth, 0.2},
		"question":       {r.SecondQuestionRatio, 0.15},
		"further":        {r.FurtherQuestion, 0.075},
		"slide":          {r.SlidingWindowRatio, 0.6},
		"labels":         {r.LabelsRatio, 2},
		"clip":           {r.ClipSeconds, 3},
		"spread":         {r.Spread, 2.0 / 3},
		"token":          {r.TokenSeconds, 0.75 / 20},
		"matrix rate":    {r.MatmulGFLOPS, 1e11 / 0.15 / 1e9},
		"bandwidth":      {r.BandwidthGBPerSec, 2e8 / 0.015 / 1e9},
	} {
		if math.Abs(v.got-v.want) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, v.got, v.want)
		}
	}
}

// What was left out is 0 and has no spread.
func TestFillWithoutMemoryLabelsAndSliding(t *testing.T) {
	t.Parallel()
	var r Report
	r.fill([]times{{products: 0.1, encoder: 1, prefix: 0.5, first: 0.5, second: 0.3}}, yardsticks{products: 1, tokens: 1})
	if r.StepVsBandwidth != 0 || r.BandwidthGBPerSec != 0 || r.LabelsRatio != 0 || r.SlidingWindowRatio != 0 || r.SlidingWindowSpread != 0 {
		t.Errorf("%+v", r)
	}
}

func TestCheckNamesWhatIsBeyond(t *testing.T) {
	t.Parallel()
	good := Report{EncoderVsMatmul: 0.9, PrefixVsMatmul: 0.9, StepVsBandwidth: 0.6, SecondQuestionRatio: 0.2, SlidingWindowRatio: 0.6, PeakVsWeights: 1.7}
	if err := good.check(); err != nil {
		t.Error(err)
	}
	if err := (Report{}).check(); err != nil {
		t.Errorf("nothing was measured: %v", err)
	}
	bad := good
	bad.EncoderVsMatmul, bad.SecondQuestionRatio = 0.5, 0.5
	if err := bad.check(); err == nil || err.Error() != "encoder_vs_matmul is 0.50, less than 0.60\nsecond_question_ratio is 0.50, more than 0.42" {
		t.Errorf("%v", err)
	}
}

// One disturbed stage of each round leaves the fastest of all undisturbed.
func TestFastestTimes(t *testing.T) {
	t.Parallel()
	round := times{products: 1, memory: 2, encoder: 3, prefix: 4, first: 5, second: 6, slide: 7, few: 8, many: 9}
	one, other := round, round.slow()
	one.encoder, one.slide, other.encoder, other.slide = 30, 70, 3, 7
	if got := one.min(other); got != round {
		t.Errorf("%+v, want %+v", got, round)
	}
}

// Every line is fetched: one word of each is 1 in the sum.
func TestMemoryIsReadWhole(t *testing.T) {
	t.Parallel()
	m, err := newMemory(3*8*64, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.close(); err != nil {
			t.Error(err)
		}
	}()
	for _, part := range m.parts {
		for i := range part {
			part[i] = 1
		}
	}
	seconds, sum := m.time()
	if sum != readings*3*64/line || m.bytes() != 3*8*64 || seconds <= 0 {
		t.Errorf("sum %d of %v bytes in %v s", sum, m.bytes(), seconds)
	}
}

func TestReadCPU(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cpuinfo string
		want    Machine
	}{
		"x86-64": {"processor\t: 0\nmodel name\t: A CPU @ 2 GHz\nflags\t\t: fpu avx512f avx2 avx512_vnni\n\nmodel name\t: another\n", Machine{CPU: "A CPU @ 2 GHz", Flags: []string{"avx2", "avx512f", "avx512_vnni"}}},
		"arm":    {"processor\t: 0\nFeatures\t: fp asimd i8mm\n", Machine{CPU: "arm64", Flags: []string{"asimd", "i8mm"}}},
	} {
		got := Machine{CPU: "arm64"}
		got.readCPU(strings.NewReader(c.cpuinfo))
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
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
