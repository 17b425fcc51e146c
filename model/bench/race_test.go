package bench

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/captiond/captiond/model/bench/peers"
)

// record is a race of two models and two peers, of which one took part in one round.
func record() Record {
	float := &subject{report: Report{Precision: "float32"}, rounds: []times{{encoder: 2}, {encoder: 4}}}
	eight := &subject{report: Report{Precision: "int8"}, rounds: []times{{encoder: 1}, {encoder: 2}}}
	r := &runs{subjects: []*subject{float, eight}, peers: []Peer{{Name: "cached float32"}, {Name: peers.Transformers}, {Name: "idle"}}}
	r.seconds = [][]float64{{3, 6}, {80}, nil}
	about := peers.About{Transformers: "4.56.2", Torch: "2.8.0", Threads: 2, Ways: map[string]peers.Way{"float32": {Kept: "packed"}}}
	reports := []Report{{Shape: "base", Precision: "float32", Frames: 6, Rounds: 2, EncoderVsMatmul: 0.95}, {Precision: "int8", Rounds: 2}}
	return Record{Reports: reports, Lines: r.lines(), Peers: &about, Check: &peers.Check{Tokens: 20, Error: 3e-6, Same: true}}
}

// Ratios are those of the same rounds: drift by half changes none of them.
func TestLines(t *testing.T) {
	t.Parallel()
	lines := record().Lines
	if len(lines) != 4 {
		t.Fatalf("%d lines: %+v", len(lines), lines)
	}
	for i, want := range []struct {
		name           string
		seconds        float64
		rounds         int
		float32s, int8 Ratio
	}{
		{"captiond float32", 3, 2, Ratio{1, 0}, Ratio{2, 0}},
		{"captiond int8", 1.5, 2, Ratio{0.5, 0}, Ratio{1, 0}},
		{"cached float32", 4.5, 2, Ratio{1.5, 0}, Ratio{3, 0}},
		{"transformers", 80, 1, Ratio{40, 0}, Ratio{80, 0}},
	} {
		got := lines[i]
		if got.Name != want.name || got.Rounds != want.rounds || math.Abs(got.Seconds-want.seconds) > 1e-9 ||
			got.Against["float32"] != want.float32s || got.Against["int8"] != want.int8 {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	r := record()
	table := r.Table()
	for _, part := range []string{
		"git-base, 6 frames", "differ from those of transformers by 3e-06", "times as long as captiond int8",
		"| PyTorch by hand, all cached, float32 (packed) | 4.50 s (67 %) | - | 1.50 (0 %) | 3.00 (0 %) |\n",
		"| transformers 4.56.2 `generate`, 1 round | 80.00 s (0 %) | - | 40.0 (0 %) | 80.0 (0 %) |\n",
		"| encoder, of the float32 matrix-multiply rate | 0.95 (0 %) | - |\n",
	} {
		if !strings.Contains(table, part) {
			t.Errorf("no %q in\n%s", part, table)
		}
	}
	const headline = "float32 takes: captiond int8 **0.50**; PyTorch by hand, all cached, float32 (packed) **1.50**; " +
		"transformers 4.56.2 `generate`, 1 round **40.0**. Each further question"
	if got := r.Headline(); !strings.Contains(got, headline) {
		t.Errorf("the headline is %q", got)
	}
	r.Peers = nil
	if table := r.Table(); !strings.Contains(table, "The peers did not run") {
		t.Errorf("no word about peers in\n%s", table)
	}
}

func TestDocumentRefusesWithoutMarks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "page.md")
	const text = "<!-- bench:begin base -->\n<!-- bench:end large -->\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Document(path, "base", "table\n"); err == nil || !strings.Contains(err.Error(), "no lines") {
		t.Errorf("%v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != text {
		t.Errorf("the file is now %q", b)
	}
}
