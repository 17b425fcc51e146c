package checkpoint

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"testing/fstest"

	"github.com/captiond/captiond/model/weights"
)

// golden is testdata/golden.json: files, and what transformers 4.56.2 makes of them.
type golden struct {
	Preprocess []struct {
		From json.RawMessage
		To   processor
	}
	Config []struct {
		From json.RawMessage
		To   rawConfig
	}
}

type processor struct {
	Type      string     `json:"image_processor_type"`
	Resize    bool       `json:"do_resize"`
	Size      rawSize    `json:"size"`
	Resample  Filter     `json:"resample"`
	Crop      bool       `json:"do_center_crop"`
	CropSize  rawSize    `json:"crop_size"`
	Rescale   bool       `json:"do_rescale"`
	Factor    float64    `json:"rescale_factor"`
	Normalize bool       `json:"do_normalize"`
	Mean      [3]float64 `json:"image_mean"`
	Std       [3]float64 `json:"image_std"`
}

func readGolden(t *testing.T) golden {
	t.Helper()
	var g golden
	data, err := os.ReadFile("testdata/golden.json")
	if err == nil {
		err = json.Unmarshal(data, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestPreprocessAsTransformers(t *testing.T) {
	t.Parallel()
	for _, c := range readGolden(t).Preprocess {
		got, err := parsePreprocess(c.From)
		if err != nil {
			t.Errorf("%s: %v", c.From, err)
		}
		if want := c.To.preprocess(got.ConvertRGB); got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", c.From, got, want)
		}
	}
}

// preprocess leaves out what a switched-off step does not read.
func (p processor) preprocess(convert bool) Preprocess {
	out := Preprocess{Class: p.Type, Filter: p.Resample, Normalize: p.Normalize, Mean: p.Mean, Std: p.Std, ConvertRGB: convert}
	if p.Resize {
		out.ShortestEdge, out.Width, out.Height = p.Size.Shortest, p.Size.Width, p.Size.Height
	}
	if p.Crop {
		out.CropWidth, out.CropHeight = p.CropSize.Width, p.CropSize.Height
	}
	if p.Rescale {
		out.Scale = p.Factor
	}
	return out
}

// What transformers wrote out with all defaults reads as what it was made from.
func TestConfigAsTransformers(t *testing.T) {
	t.Parallel()
	for _, c := range readGolden(t).Config {
		got, err := parseConfig(c.From)
		if err != nil {
			t.Errorf("%s: %v", c.From, err)
		}
		w := c.To
		want := Config{
			Vision: tower(w.Vision.rawTower), Text: tower(w.rawTower),
			ImageSize: *w.Vision.ImageSize, PatchSize: *w.Vision.PatchSize, Channels: *w.Vision.Channels,
			VocabSize: *w.VocabSize, TextPositions: *w.TextPositions, Frames: or(w.Frames, 0), Tied: *w.Tied,
			BOS: *w.BOS, EOS: *w.EOS, PAD: *w.PAD,
		}
		if got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", c.From, got, want)
		}
	}
}

func tower(r rawTower) Tower {
	return Tower{*r.Hidden, *r.MLP, *r.Layers, *r.Heads, *r.Activation, *r.Epsilon}
}

// A checkpoint has the same digest and the same bytes in either format, on disk and in
// memory.
func TestFormatsAgree(t *testing.T) {
	t.Parallel()
	var all []*Checkpoint
	for _, dir := range []string{"testdata/safetensors", "testdata/torch"} {
		onDisk, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		inMemory, err := LoadFS(os.DirFS(dir))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, onDisk, inMemory)
	}
	first := all[0]
	for _, c := range all[1:] {
		if c.Digest != first.Digest {
			t.Errorf("digest %s, want %s", c.Digest, first.Digest)
		}
		for name := range first.tensors {
			if !bytes.Equal(content(t, c, name), content(t, first, name)) {
				t.Errorf("%s differs", name)
			}
		}
	}
}

func content(t *testing.T, c *Checkpoint, name string) []byte {
	t.Helper()
	data, err := c.Weights.Bytes(c.Tensor(name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// model.safetensors is taken where both formats lie in a folder.
func TestPrefersSafetensors(t *testing.T) {
	t.Parallel()
	files := small().fs()
	files["pytorch_model.bin"] = &fstest.MapFile{Data: []byte("broken")}
	if _, err := LoadFS(files); err != nil {
		t.Error(err)
	}
}

func TestProcessorConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, message string }{
		"nested":   {`{"image_processor":{"image_processor_type":"VideoMAEImageProcessor","size":8,"crop_size":8},"processor_class":"GitProcessor"}`, ""},
		"without":  {`{"processor_class":"GitProcessor"}`, "copy the file"},
		"null":     {`{"image_processor":null}`, "copy the file"},
		"no json":  {`{`, "read processor_config.json"},
		"bad size": {`{"image_processor":{"crop_size":9}}`, "read processor_config.json: crop_size is 9 x 9"},
	} {
		files := small().fs()
		delete(files, "preprocessor_config.json")
		files["processor_config.json"] = &fstest.MapFile{Data: []byte(c.text)}
		got, err := LoadFS(files)
		switch {
		case c.message == "" && (err != nil || got.Preprocess.Class != "VideoMAEImageProcessor"):
			t.Errorf("%s: %v", name, err)
		case c.message != "" && !contains(err, c.message):
			t.Errorf("%s: got %v, want %q", name, err, c.message)
		}
	}
}

func contains(err error, part string) bool {
	return err != nil && bytes.Contains([]byte(err.Error()), []byte(part))
}

func BenchmarkDigest(b *testing.B) {
	c, err := Load("testdata/safetensors")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := c.digest(); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzConfig(f *testing.F) {
	for _, text := range []string{`{}`, `{"vision_config":{"image_size":480}}`, `{"hidden_size":1e300}`, `{"hidden_size":null}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConfig(data)
		if err != nil {
			return
		}
		if len(Shapes(c)) < 40 {
			t.Errorf("%d tensors", len(Shapes(c)))
		}
		if _, err := fit(c, &weights.File{}); err == nil {
			t.Error("no tensors fit")
		}
	})
}

func FuzzPreprocess(f *testing.F) {
	for _, text := range []string{`{}`, `{"size":224,"crop_size":[1,2]}`, `{"image_mean":0.5}`, `{"size":{"height":8,"width":9}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parsePreprocess(data)
		if err == nil && (p.CropWidth > maxPixels || p.Width > maxPixels || p.ShortestEdge > maxPixels || p.Scale < 0) {
			t.Errorf("%+v", p)
		}
	})
}
