//go:build cgo

package model_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/pixels"
)

// golden is golden.json of a checkpoint in testdata; its README says what is in it.
type golden struct {
	Inputs []goldenInput
	Cases  []goldenCase
}

type goldenInput struct {
	Name      string
	Pictures  []string
	Transform string
	Max       int `json:"microsoft_max"`
	Still     bool
	Stages    []string
}

type goldenCase struct {
	Name, Input, Search string
	Question            *string
	Prompt              []int64 `json:"prompt_ids"`
	MaxLength           *int    `json:"max_length"`
	Beams               int
	LengthPenalty       float64 `json:"length_penalty"`
	IDs                 []int64
	Text                string
	Truncated           bool
	Probabilities       []float64 `json:"token_probabilities"`
	Mean                float64   `json:"mean_probability"`
	Min                 float64   `json:"min_probability"`
	Labels              []string
	LabelIDs            [][]int64 `json:"label_ids"`
	LogProbabilities    []float64 `json:"log_probabilities"`
	LabelProbabilities  []float64 `json:"label_probabilities"`
}

// question is the prompt, "" for none.
func (c goldenCase) question() string {
	if c.Question == nil {
		return ""
	}
	return *c.Question
}

// goldenTensor is a tensor of golden.safetensors.
type goldenTensor struct {
	Type    string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
	bytes   []byte
}

func (g goldenTensor) floats() []float32 {
	floats := make([]float32, len(g.bytes)/4)
	for i := range floats {
		floats[i] = math.Float32frombits(binary.LittleEndian.Uint32(g.bytes[4*i:]))
	}
	return floats
}

func readGolden(t *testing.T, folder string) (golden, map[string]goldenTensor) {
	t.Helper()
	document, err := os.ReadFile(filepath.Join(folder, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(document, &g); err != nil {
		t.Fatal(err)
	}
	return g, readTensors(t, filepath.Join(folder, "golden.safetensors"))
}

func readTensors(t *testing.T, path string) map[string]goldenTensor {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	start := 8 + binary.LittleEndian.Uint64(data)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(data[8:start], &header); err != nil {
		t.Fatal(err)
	}
	delete(header, "__metadata__")
	tensors := map[string]goldenTensor{}
	for name, raw := range header {
		var g goldenTensor
		if err := json.Unmarshal(raw, &g); err != nil {
			t.Fatal(err)
		}
		g.bytes = data[start:][g.Offsets[0]:g.Offsets[1]]
		tensors[name] = g
	}
	return tensors
}

func readPicture(t *testing.T, name string) *image.RGBA {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "pictures", name+".png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	rgba := image.NewRGBA(img.Bounds())
	draw.Draw(rgba, rgba.Rect, img, img.Bounds().Min, draw.Src)
	return rgba
}

// checkpoints are the folders of testdata that hold goldens, and with
// PARITY_DIR those of full size that model/parity made there.
func checkpoints(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "*", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 8 {
		t.Fatalf("testdata has %d checkpoints with goldens, want 8 at least", len(paths))
	}
	if large := os.Getenv("PARITY_DIR"); large != "" {
		more, err := filepath.Glob(filepath.Join(large, "*", "golden.json"))
		if err != nil || len(more) == 0 {
			t.Fatalf("PARITY_DIR %s holds no goldens (%v): make parity writes them", large, err)
		}
		paths = append(paths, more...)
	}
	folders := make([]string, len(paths))
	for i, path := range paths {
		folders[i] = filepath.Dir(path)
	}
	return folders
}

// near fails unless two lists agree within a tolerance.
func near[T float32 | float64](t *testing.T, what string, got, want []T, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, want %d", what, len(got), len(want))
		return
	}
	worst, at := 0.0, 0
	for i := range got {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= worst) {
			worst, at = d, i
		}
	}
	if !(worst <= tolerance) {
		t.Errorf("%s: [%d] is %v, want %v (difference %.2g > %.2g)", what, at, got[at], want[at], worst, tolerance)
	}
}

// TestParity holds every stage against the reference implementations.
func TestParity(t *testing.T) {
	t.Parallel()
	for _, folder := range checkpoints(t) {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			g, tensors := readGolden(t, folder)
			if len(g.Inputs) == 0 || len(g.Cases) == 0 {
				t.Fatal("golden.json holds nothing")
			}
			b := bench{t: t, folder: folder, models: map[string]*model.Model{}}
			for _, in := range g.Inputs {
				p := b.input(in, tensors)
				for _, c := range g.Cases {
					if c.Input == in.Name {
						t.Run(c.Name, func(t *testing.T) { checkCase(t, b.model(in), p, c, tensors) })
					}
				}
			}
		})
	}
}

// bench opens a checkpoint once for each transform it is used with.
type bench struct {
	t      *testing.T
	folder string
	models map[string]*model.Model
}

func (b *bench) model(in goldenInput) *model.Model {
	m := b.models[in.Transform]
	if m == nil {
		m = openModel(b.t, b.folder, model.Options{Microsoft: in.Transform != "checkpoint", VQA: in.Transform == "microsoft-vqa"})
		b.models[in.Transform] = m
	}
	return m
}

// input checks pixels and features and begins the window.
func (b *bench) input(in goldenInput, tensors map[string]goldenTensor) *model.Prefix {
	b.t.Helper()
	m, key := b.model(in), "input/"+in.Name+"/"
	var raw []byte
	var normal, joined []float32
	var features []*model.Features
	for _, name := range in.Pictures {
		img := readPicture(b.t, name)
		before, after := m.Pixels(img, pixels.View{})
		raw, normal = append(raw, before...), append(normal, after...)
		f, err := m.Encode(b.t.Context(), img, pixels.View{})
		if err != nil {
			b.t.Fatal(err)
		}
		features, joined = append(features, f), append(joined, f.Vectors()...)
	}
	if !slices.Equal(raw, tensors[key+"pixels_u8"].bytes) {
		b.t.Errorf("%s: pixels before normalising differ", in.Name)
	}
	near(b.t, in.Name+" pixels", normal, tensors[key+"pixels"].floats(), 1e-6)
	near(b.t, in.Name+" features", joined, tensors[key+"features"].floats(), 1e-4)
	return b.begin(m, in, features)
}

func (b *bench) begin(m *model.Model, in goldenInput, features []*model.Features) (p *model.Prefix) {
	b.t.Helper()
	var err error
	if in.Still {
		p, err = m.BeginPicture(b.t.Context(), features[0])
	} else {
		p, err = m.Begin(b.t.Context(), features)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(p.Close)
	return p
}

func checkCase(t *testing.T, m *model.Model, p *model.Prefix, c goldenCase, tensors map[string]goldenTensor) {
	t.Helper()
	if got := m.PromptIDs(c.question()); !slices.Equal(got, c.Prompt) {
		t.Errorf("prompt %v, want %v", got, c.Prompt)
	}
	r := model.Request{Prompt: c.question(), Beams: c.Beams, LengthPenalty: c.LengthPenalty}
	if c.MaxLength != nil {
		r.MaxTokens = *c.MaxLength
	}
	switch c.Search {
	case "labels":
		checkLabels(t, m, p, c)
		return
	case "trie":
		r.Labels = mustLabels(t, m, c)
	case "beam":
		r.Style = model.HuggingFace
		if c.LengthPenalty == 1 {
			r.LengthPenalty = 0 // the style's own must be the reference's
		}
	case "greedy":
		checkLogits(t, m, p, c, tensors["case/"+c.Name+"/logits"])
	case "microsoft":
		r.LengthPenalty = 0 // likewise: 0.6 in all goldens
	default:
		t.Fatalf("search %q is unknown", c.Search)
	}
	text, err := m.Generate(t.Context(), p, r)
	if err != nil {
		t.Fatal(err)
	}
	checkText(t, m, text, c)
}

func checkText(t *testing.T, m *model.Model, text model.Text, c goldenCase) {
	t.Helper()
	ids := append(slices.Clone(c.Prompt), text.Tokens...)
	if !text.Truncated {
		ids = append(ids, m.LabelIDs("")...)
	}
	if !slices.Equal(ids, c.IDs) {
		t.Errorf("ids %v, want %v", ids, c.IDs)
	}
	if text.Text != c.Text || text.Truncated != c.Truncated {
		t.Errorf("text %q truncated %v, want %q %v", text.Text, text.Truncated, c.Text, c.Truncated)
	}
	sum := 0.0
	for _, p := range c.Probabilities {
		sum += math.Log(p)
	}
	near(t, "confidence, least, log probability", []float64{text.Confidence, text.MinConfidence, text.LogProb}, []float64{c.Mean, c.Min, sum}, 1e-3)
	near(t, "confidence, least", []float64{text.Confidence, text.MinConfidence}, []float64{c.Mean, c.Min}, 1e-4)
}

// checkLogits feeds the golden's own tokens and compares the logits of each step.
func checkLogits(t *testing.T, m *model.Model, p *model.Prefix, c goldenCase, want goldenTensor) {
	t.Helper()
	if len(want.Shape) != 2 || want.Shape[0] == 0 {
		t.Fatalf("golden logits have shape %v", want.Shape)
	}
	all, vocabulary := want.floats(), want.Shape[1]
	steps := want.Shape[0]
	logits, err := m.StepLogits(t.Context(), p, c.Prompt, c.IDs[len(c.Prompt):][:steps-1])
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range logits {
		near(t, fmt.Sprintf("logits of step %d", i), l, all[i*vocabulary:(i+1)*vocabulary], 1e-4)
	}
}

func mustLabels(t *testing.T, m *model.Model, c goldenCase) *model.Labels {
	t.Helper()
	l, err := m.Labels(c.Labels)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range c.Labels {
		if got := m.LabelIDs(name); !slices.Equal(got, c.LabelIDs[i]) {
			t.Errorf("label %q is %v, want %v", name, got, c.LabelIDs[i])
		}
	}
	return l
}

func checkLabels(t *testing.T, m *model.Model, p *model.Prefix, c goldenCase) {
	t.Helper()
	scores, err := m.Classify(context.Background(), p, c.question(), mustLabels(t, m, c))
	if err != nil {
		t.Fatal(err)
	}
	logs, shares := make([]float64, len(scores)), make([]float64, len(scores))
	for i, s := range scores {
		logs[s.Index], shares[s.Index] = s.LogProb, s.Probability
		if s.Label != c.Labels[s.Index] || i > 0 && s.LogProb > scores[i-1].LogProb {
			t.Errorf("place %d: %+v", i, s)
		}
	}
	near(t, "log probabilities", logs, c.LogProbabilities, 1e-3)
	near(t, "probabilities", shares, c.LabelProbabilities, 1e-4)
}
