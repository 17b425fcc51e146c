//go:build cgo

package demo_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/captiond/captiond/demo"
	"github.com/captiond/captiond/demo/world"
	"github.com/captiond/captiond/frames"
	"github.com/captiond/captiond/model"
	"github.com/captiond/captiond/model/checkpoint"
	"github.com/captiond/captiond/model/ort"
	"github.com/captiond/captiond/model/ort/orttest"
)

// runtime is shared by all tests of the package; TestMain opens it.
var runtime *ort.Runtime

func TestMain(m *testing.M) {
	os.Exit(orttest.Run(m, func(r *ort.Runtime) { runtime = r }))
}

// openModel opens a checkpoint folder until the test ends.
func openModel(t testing.TB, files fs.FS) *model.Model {
	t.Helper()
	c, err := checkpoint.LoadFS(files)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Open(runtime, c, model.Options{Name: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// look are the pictures of a whole scene that the model sees.
func look(s *world.Scene) []*image.RGBA {
	var imgs []*image.RGBA
	for _, at := range (frames.Window{End: s.Duration}).Instants(6) {
		img := image.NewRGBA(image.Rect(0, 0, 320, 240))
		s.Draw(img, at)
		imgs = append(imgs, img)
	}
	return imgs
}

// say is what the model says of pictures: the caption, then the answers.
func say(t testing.TB, m *model.Model, imgs []*image.RGBA, questions ...world.Question) []string {
	t.Helper()
	fs, err := m.EncodeAll(t.Context(), imgs, model.View{})
	if err != nil {
		t.Fatal(err)
	}
	var p *model.Prefix
	if len(imgs) == 1 {
		p, err = m.BeginPicture(t.Context(), fs[0])
	} else {
		p, err = m.Begin(t.Context(), fs)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	requests := []model.Request{{Beams: 1}}
	for _, q := range questions {
		requests = append(requests, model.Request{Prompt: q.Text, Beams: 1})
	}
	texts, err := m.GenerateAll(t.Context(), p, requests)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, text := range texts {
		said = append(said, text.Text)
	}
	return said
}

// BenchmarkEncode is a frame's way to features: resampling and the image encoder.
func BenchmarkEncode(b *testing.B) {
	m := openModel(b, demo.Model())
	img := look(world.New(1, world.Options{}))[0]
	for b.Loop() {
		if _, err := m.Encode(b.Context(), img, model.View{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCaption is a window's way from its features to a caption of two objects.
func BenchmarkCaption(b *testing.B) {
	m := openModel(b, demo.Model())
	fs, err := m.EncodeAll(b.Context(), look(world.New(5, world.Options{})), model.View{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p, err := m.Begin(b.Context(), fs)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := m.Generate(b.Context(), p, model.Request{Beams: 1}); err != nil {
			b.Fatal(err)
		}
		p.Close()
	}
}

// TestModel holds the embedded checkpoint to what the program promises of it.
func TestModel(t *testing.T) {
	t.Parallel()
	total := int64(0)
	for _, name := range []string{"config.json", "model.safetensors", "vocab.txt", "tokenizer.json", "preprocessor_config.json", "generation_config.json"} {
		info, err := fs.Stat(demo.Model(), name)
		if err != nil {
			t.Error(err)
			continue
		}
		total += info.Size()
	}
	if total > 8<<20 {
		t.Errorf("the model takes %d bytes of every binary, want 8 MiB at most", total)
	}
	if m := openModel(t, demo.Model()); m.Frames() != 6 || !m.Video() {
		t.Errorf("the model looks at %d frames, video: %v", m.Frames(), m.Video())
	}
}

// TestPictures captions single pictures, of which no motion can be told.
func TestPictures(t *testing.T) {
	t.Parallel()
	m := openModel(t, demo.Model())
	right := 0
	for seed := range uint64(timed) {
		s := world.New(seed, world.Options{})
		img := image.NewRGBA(image.Rect(0, 0, 320, 240))
		s.Draw(img, s.Duration/2)
		right += count(say(t, m, []*image.RGBA{img})[0] == s.Still(s.Duration/2).Caption)
	}
	if right < timed*97/100 {
		t.Errorf("%d of %d pictures are captioned right, want 97 %%", right, timed)
	}
}

// TestTransformersSaysTheSame draws the windows that train/golden.py had transformers
// 4.56.2 caption and answer about.
func TestTransformersSaysTheSame(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/windows.json")
	if err != nil {
		t.Fatal(err)
	}
	var windows []struct {
		Seed    uint64
		Caption string
		Answers []string
	}
	if err := json.Unmarshal(data, &windows); err != nil || len(windows) == 0 {
		t.Fatalf("%d windows: %v", len(windows), err)
	}
	m := openModel(t, demo.Model())
	for _, w := range windows {
		s := world.New(w.Seed, world.Options{})
		got := say(t, m, look(s), s.Truth(0, s.Duration).Questions...)
		if want := append([]string{w.Caption}, w.Answers...); !slices.Equal(got, want) {
			t.Errorf("scene %d:\ngot  %q\nwant %q", w.Seed, got, want)
		}
	}
}

// backwards turns a caption into that of the same pictures in reversed order.
var backwards = strings.NewReplacer("moves left", "moves right", "moves right", "moves left", "moves up", "moves down",
	"moves down", "moves up", "grows", "shrinks", "shrinks", "grows", "disappears", "appears", "appears", "disappears")

// timed is the number of scenes of the tests about time.
const timed = 120

// TestReversedFramesReverseTheCaption shows that the model uses time: with the six frames in
// reversed order it must say the reversed motions.
func TestReversedFramesReverseTheCaption(t *testing.T) {
	t.Parallel()
	m := openModel(t, demo.Model())
	right := 0
	for seed := range uint64(timed) {
		s := world.New(seed, world.Options{})
		imgs := look(s)
		slices.Reverse(imgs)
		want := backwards.Replace(s.Truth(0, s.Duration).Caption)
		right += count(say(t, m, imgs)[0] == want)
	}
	if right < timed*95/100 {
		t.Errorf("%d of %d reversed captions are right, want 95 %%", right, timed)
	}
}

// TestTimeIsInTheTemporalEmbeddings gives the model its temporal embeddings in other orders:
// reversed ones must reverse its captions, and others break those of what moves.
func TestTimeIsInTheTemporalEmbeddings(t *testing.T) {
	t.Parallel()
	whole, reversed := openModel(t, demo.Model()), openModel(t, shuffle(t, []int{5, 4, 3, 2, 1, 0}))
	halves := openModel(t, shuffle(t, []int{3, 4, 5, 0, 1, 2}))
	var n, right, turned, broken int
	for seed := range uint64(timed) {
		s := world.New(seed, world.Options{})
		truth := s.Truth(0, s.Duration)
		if !slices.ContainsFunc(truth.Objects, func(o world.Seen) bool { return o.Does != world.Still }) {
			continue
		}
		n++
		imgs := look(s)
		right += count(say(t, whole, imgs)[0] == truth.Caption)
		turned += count(say(t, reversed, imgs)[0] == backwards.Replace(truth.Caption))
		broken += count(say(t, halves, imgs)[0] != truth.Caption)
	}
	if right < n*95/100 || turned < n*95/100 || broken < n*80/100 {
		t.Errorf("of %d captions %d are right; with the embeddings reversed %d are; with their halves exchanged %d are wrong",
			n, right, turned, broken)
	}
}

// count is 1 for what is so.
func count(so bool) int {
	if so {
		return 1
	}
	return 0
}

// shuffle is the checkpoint with its temporal embeddings in another order: the header of
// model.safetensors says where each lies.
func shuffle(t *testing.T, order []int) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	if err := fs.WalkDir(demo.Model(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(demo.Model(), name)
		files[name] = &fstest.MapFile{Data: data}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	file := files["model.safetensors"]
	size := 8 + binary.LittleEndian.Uint64(file.Data)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(file.Data[8:size], &header); err != nil {
		t.Fatal(err)
	}
	const name = "git.img_temperal_embedding.%d"
	places := map[int]json.RawMessage{}
	for i := range order {
		places[i] = header[fmt.Sprintf(name, i)]
	}
	for i, from := range order {
		header[fmt.Sprintf(name, i)] = places[from]
	}
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	start := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	file.Data = slices.Concat(start, text, file.Data[size:])
	return files
}
