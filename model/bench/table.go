package bench

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/captiond/captiond/model/bench/peers"
)

// Table is the record in Markdown: who took part and how long, then what limits captiond.
func (r Record) Table() string {
	var b strings.Builder
	first := r.Reports[0]
	fmt.Fprintf(&b, "git-%s, %s, %d tokens; %s, %d cores (%s), %d threads, %s; commit %s; %d rounds.\n%s\n\n",
		first.Shape, plural(first.Frames, "frame"), first.Tokens, first.CPU, first.Cores, strings.Join(first.Flags, " "), first.Threads,
		first.Date.Format("2006-01-02 15:04 UTC"), cmp.Or(first.Commit, "unknown"), first.Rounds, r.peersLine())
	r.race(&b)
	b.WriteByte('\n')
	r.limits(&b)
	return b.String()
}

// Headline is what the record says in a sentence: how long the others take, captiond being 1.
func (r Record) Headline() string {
	first := r.Reports[0]
	var others []string
	for _, l := range r.Lines[1:] {
		others = append(others, r.name(l)+" **"+number(l.Against[first.Precision].Median)+"**")
	}
	return fmt.Sprintf("git-%s, %s to a text of %d tokens, %d cores of an %s, %s. Times as long as captiond in %s takes: %s. "+
		"Each further question of one request takes %.0f %% of the first's time.\n",
		first.Shape, plural(first.Frames, "frame"), first.Tokens, first.Cores, first.CPU, first.Date.Format("2006-01-02"),
		first.Precision, strings.Join(others, "; "), 100*first.FurtherQuestion)
}

// race is the first table. In brackets is the spread over the rounds.
func (r Record) race(b *strings.Builder) {
	header := []string{"", "a clip", "of float32's limit"}
	for _, report := range r.Reports {
		header = append(header, "times as long as captiond "+report.Precision)
	}
	writeHeader(b, header)
	for _, line := range r.Lines {
		cells := []string{r.name(line), fmt.Sprintf("%.2f s (%.0f %%)", line.Seconds, 100*line.Spread), number(line.VsLimit)}
		for _, report := range r.Reports {
			cells = append(cells, withSpread(line.Against[report.Precision]))
		}
		writeRow(b, cells)
	}
}

// name is a line's, with what is to be known of it.
func (r Record) name(line Line) string {
	name := line.Name
	way, precision, _ := strings.Cut(name, " ")
	switch {
	case r.Peers == nil:
	case way == peers.Cached:
		name = fmt.Sprintf("PyTorch by hand, all cached, %s (%s)", precision, r.Peers.Ways[precision].Kept)
	case way == peers.Plain:
		name = fmt.Sprintf("PyTorch by hand, all cached, %s (as written)", precision)
	case name == peers.Transformers:
		name = "transformers " + r.Peers.Transformers + " `generate`"
	}
	if line.Rounds != r.Reports[0].Rounds {
		name += ", " + plural(line.Rounds, "round")
	}
	return name
}

// limits is the second table: each of captiond's precisions is a column.
func (r Record) limits(b *strings.Builder) {
	header := []string{"captiond"}
	for _, report := range r.Reports {
		header = append(header, report.Precision)
	}
	writeHeader(b, header)
	for _, row := range []struct {
		name  string
		value func(Report) string
	}{
		{"encoder, of the float32 matrix-multiply rate", func(r Report) string { return withSpread(Ratio{r.EncoderVsMatmul, r.EncoderVsMatmulSpread}) }},
		{"prefix, of the float32 matrix-multiply rate", func(r Report) string { return withSpread(Ratio{r.PrefixVsMatmul, r.PrefixVsMatmulSpread}) }},
		{"text, of the memory bandwidth", func(r Report) string { return withSpread(Ratio{r.StepVsBandwidth, r.StepVsBandwidthSpread}) }},
		{"these rates", func(r Report) string {
			return fmt.Sprintf("%.0f GFLOP/s, %.0f GB/s", r.MatmulGFLOPS, r.BandwidthGBPerSec)
		}},
		{"encoder, prefix, a token", func(r Report) string {
			return fmt.Sprintf("%.3f s, %.3f s, %.1f ms", r.EncoderSeconds, r.PrefixSeconds, 1000*r.TokenSeconds)
		}},
		{"second question, of the first", func(r Report) string { return withSpread(Ratio{r.SecondQuestionRatio, r.SecondQuestionSpread}) }},
		{"each further question of one request, of the first", func(r Report) string { return withSpread(Ratio{r.FurtherQuestion, r.FurtherQuestionSpread}) }},
		{"window that slides by one frame, of a full one", func(r Report) string { return withSpread(Ratio{r.SlidingWindowRatio, r.SlidingWindowSpread}) }},
		{"1,000 labels, of 10", func(r Report) string { return withSpread(Ratio{r.LabelsRatio, r.LabelsSpread}) }},
		{"load; start-up to first caption", func(r Report) string { return fmt.Sprintf("%.2f s; %.2f s", r.LoadSeconds, r.StartupSeconds) }},
		{"peak memory; without the program's, of the weights' file", func(r Report) string {
			return fmt.Sprintf("%.2f GB; %.2f", float64(r.PeakRSSBytes)/1e9, r.PeakVsWeights)
		}},
	} {
		cells := []string{row.name}
		for _, report := range r.Reports {
			cells = append(cells, row.value(report))
		}
		writeRow(b, cells)
	}
}

// peersLine says how the peers were run, or that they were not.
func (r Record) peersLine() string {
	if r.Peers == nil {
		return "The peers did not run: they need Python 3.10 to 3.13 with its venv."
	}
	line := fmt.Sprintf("PyTorch %s on %d threads", r.Peers.Torch, r.Peers.Threads)
	if r.Peers.ISA != "" {
		line += ", oneDNN limited to " + r.Peers.ISA
	}
	if r.Check != nil {
		line += fmt.Sprintf("; all cached, its logits of %s differ from those of transformers by %.1g at most", plural(r.Check.Tokens, "token"), r.Check.Error)
	}
	return line + "."
}

func writeHeader(b *strings.Builder, cells []string) {
	writeRow(b, cells)
	writeRow(b, slices.Repeat([]string{"---"}, len(cells)))
}

func writeRow(b *strings.Builder, cells []string) {
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}

// withSpread is a ratio with its spread in brackets, a dash where there is none.
func withSpread(r Ratio) string {
	if r.Median == 0 {
		return "-"
	}
	return fmt.Sprintf("%s (%.0f %%)", number(r.Median), 100*r.Spread)
}

// number has three digits.
func number(v float64) string {
	switch {
	case v == 0:
		return "-"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
