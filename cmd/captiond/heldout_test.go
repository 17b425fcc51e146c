package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/captiond/captiond/model/eval"
)

// TestDemoModelOnHeldOutFilms scores the built-in model on films of seeds that training
// never used, as anyone can with captiond eval.
func TestDemoModelOnHeldOutFilms(t *testing.T) {
	t.Parallel()
	got := captiond(t, "eval", "../../demo/heldout", "-o", "json")
	got.want(t, exitDone, "")
	var report eval.Report
	if err := json.Unmarshal([]byte(got.out), &report); err != nil {
		t.Fatal(err)
	}
	least := func(name string, n int, exact, want float64) {
		if n == 0 || exact < want {
			t.Errorf("%s: %.3f of %d are right, want %.2f", name, exact, n, want)
		}
	}
	least("answers", report.Answers.N, report.Answers.Exact, 0.99)
	motions := 0
	for name, s := range report.Groups {
		switch {
		case s.Captions == nil:
		case name == "whole clip":
			least(name, s.Captions.N, s.Captions.Exact, 0.99)
		case name == "window", strings.HasPrefix(name, "whole clip: "):
			least(name, s.Captions.N, s.Captions.Exact, 0.97)
			motions++
		}
	}
	if motions != 10 {
		t.Errorf("%d kinds of stretch and motion, want the windows and nine motions", motions)
	}
}
