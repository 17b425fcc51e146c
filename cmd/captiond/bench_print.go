package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/captiond/captiond/model/bench"
)

// print writes the report of one model.
func (b benchmark) print(r bench.Report) error {
	w := b.tool.streams.out
	if b.format == "json" {
		return json.NewEncoder(w).Encode(r)
	}
	fmt.Fprintf(w, "%s\n\n", bench.Method)
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, line := range benchLines(r) {
		fmt.Fprintf(table, "%s\t%s\n", line.what, line.value)
	}
	return table.Flush()
}

type benchLine struct{ what, value string }

// benchLines are what a person reads, with the spread over the rounds in brackets.
func benchLines(r bench.Report) []benchLine {
	lines := []benchLine{
		{"machine", fmt.Sprintf("%s, %d cores, commit %s", r.CPU, r.Cores, r.Commit)},
		{"shape", fmt.Sprintf("git-%s, %d frames, %d tokens, %s, %s, median of %d rounds", r.Shape, r.Frames, r.Tokens, r.Device, r.Precision, r.Rounds)},
		{"matrix multiply", fmt.Sprintf("%.0f GFLOP/s in float32", r.MatmulGFLOPS)},
		{"encoder", fmt.Sprintf("%.3f s, %.2f of the matrix-multiply rate (%.0f %%)", r.EncoderSeconds, r.EncoderVsMatmul, 100*r.EncoderVsMatmulSpread)},
		{"prefix", fmt.Sprintf("%.3f s, %.2f of the matrix-multiply rate (%.0f %%)", r.PrefixSeconds, r.PrefixVsMatmul, 100*r.PrefixVsMatmulSpread)},
		{"tokens", fmt.Sprintf("%.3f s, %.0f MB each", r.TokensSeconds, r.TokenBytes/1e6)},
		{"clip to text", fmt.Sprintf("%.3f s (%.0f %%)", r.ClipSeconds, 100*r.Spread)},
		{"second question", fmt.Sprintf("%.1f %% of the first (%.0f %%)", 100*r.SecondQuestionRatio, 100*r.SecondQuestionSpread)},
		{"further question", fmt.Sprintf("%.1f %% of the first (%.0f %%), in one request", 100*r.FurtherQuestion, 100*r.FurtherQuestionSpread)},
		{"load", fmt.Sprintf("%.2f s; to the first text %.2f s", r.LoadSeconds, r.StartupSeconds)},
		{"peak memory", fmt.Sprintf("%.0f MB, without the program's %.0f MB %.2f of the weights", float64(r.PeakRSSBytes)/1e6, float64(r.ProgramRSSBytes)/1e6, r.PeakVsWeights)},
	}
	if r.StepVsBandwidth > 0 {
		lines = append(lines, benchLine{"memory", fmt.Sprintf("%.1f GB/s, of which tokens use %.2f (%.0f %%)", r.BandwidthGBPerSec, r.StepVsBandwidth, 100*r.StepVsBandwidthSpread)})
	}
	if r.SlidingWindowRatio > 0 {
		lines = append(lines, benchLine{"sliding window", fmt.Sprintf("%.2f of a full window (%.0f %%)", r.SlidingWindowRatio, 100*r.SlidingWindowSpread)})
	}
	if r.LabelsRatio > 0 {
		lines = append(lines, benchLine{"1,000 labels", fmt.Sprintf("%.3f s; %.2f times as long as 10, encoder and prefix included (%.0f %%)", r.LabelsSeconds, r.LabelsRatio, 100*r.LabelsSpread)})
	}
	return lines
}
