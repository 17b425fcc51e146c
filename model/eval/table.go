package eval

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteTable writes the report as aligned text, scores times 100 as papers print them.
func (r Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	if r.Captions != nil {
		fmt.Fprintln(t, "captions\tn\texact\tBLEU-4\tROUGE-L\tCIDEr-D\tconfidence\tECE\tAUROC\t")
		r.each(func(name string, s Summary) {
			if c := s.Captions; c != nil {
				fmt.Fprintf(t, "%s\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t%s\t\n", name, c.N, 100*c.Exact, 100*c.BLEU4, 100*c.ROUGEL, 100*c.CIDErD, c.Calibration.cells())
			}
		})
	}
	if r.Answers != nil {
		// tabwriter aligns the columns of neighbouring lines: an empty one ends the table
		if r.Captions != nil {
			fmt.Fprintln(t)
		}
		fmt.Fprintf(t, "answers\tn\texact\t%s\tconfidence\tECE\tAUROC\t\n", r.Rule.column())
		r.each(func(name string, s Summary) {
			if a := s.Answers; a != nil {
				fmt.Fprintf(t, "%s\t%d\t%.1f\t%.2f\t%s\t\n", name, a.N, 100*a.Exact, 100*a.Accuracy, a.Calibration.cells())
			}
		})
	}
	return t.Flush()
}

// each calls do for all texts and then for the groups in order.
func (r Report) each(do func(string, Summary)) {
	do("all", r.Summary)
	for _, name := range sorted(r.Groups) {
		do(name, r.Groups[name])
	}
}

// column is the heading of the accuracy.
func (r Rule) column() string {
	switch r {
	case ByTextVQA:
		return "TextVQA accuracy"
	case ByEquality:
		return "accuracy"
	}
	return "VQA accuracy"
}

func (c *Calibration) cells() string {
	auroc := "-"
	if c.AUROC != nil {
		auroc = fmt.Sprintf("%.1f", 100**c.AUROC)
	}
	return fmt.Sprintf("%.1f\t%.1f\t%s", 100*c.Confidence, 100*c.ECE, auroc)
}
