package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/captiond/captiond/model/weights"
)

// object is a JSON object.
type object = map[string]any

// folder makes a small checkpoint in memory, which the tests then damage.
type folder struct {
	config, preprocess, generation object
	tensors                        map[string][]int64
	types                          map[string]string // by tensor; F32 when absent
	vocab                          int
	more                           map[string]string
}

func small() *folder {
	f := &folder{
		config: object{"model_type": "git", "vocab_size": 12, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
			"intermediate_size": 16, "max_position_embeddings": 10, "bos_token_id": 1, "eos_token_id": 2,
			"num_image_with_embedding": 2, "tie_word_embeddings": false,
			"vision_config": object{"hidden_size": 6, "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 3, "image_size": 8, "patch_size": 4}},
		preprocess: object{"image_processor_type": "CLIPImageProcessor", "size": object{"shortest_edge": 8}, "crop_size": object{"height": 8, "width": 8}},
		generation: object{"max_length": 9, "eos_token_id": []int{2, 3}},
		types:      map[string]string{},
		vocab:      12,
		more:       map[string]string{},
	}
	c, err := parseConfig(marshal(f.config))
	if err != nil {
		panic(err)
	}
	f.tensors = Shapes(c)
	return f
}

func marshal(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

func (f *folder) fs() fstest.MapFS {
	files := fstest.MapFS{
		"config.json":              {Data: marshal(f.config)},
		"preprocessor_config.json": {Data: marshal(f.preprocess)},
		"generation_config.json":   {Data: marshal(f.generation)},
		"vocab.txt":                {Data: bytes.Repeat([]byte("x\n"), f.vocab)},
		"model.safetensors":        {Data: f.weights()},
	}
	for name, data := range f.more {
		files[name] = &fstest.MapFile{Data: []byte(data)}
	}
	return files
}

// weights writes a safetensors file whose numbers differ from tensor to tensor.
func (f *folder) weights() []byte {
	header, data := object{}, []byte{}
	for i, name := range slices.Sorted(maps.Keys(f.tensors)) {
		kind := f.types[name]
		if kind == "" {
			kind = "F32"
		}
		n := weights.DType(kind).Size()
		for _, d := range f.tensors[name] {
			n *= d
		}
		header[name] = object{"dtype": kind, "shape": f.tensors[name], "data_offsets": []int{len(data), len(data) + int(n)}}
		data = append(data, bytes.Repeat([]byte{byte(i + 1)}, int(n))...)
	}
	head := marshal(header)
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
	return append(append(out, head...), data...)
}

func (f *folder) write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, file := range f.fs() {
		if err := os.WriteFile(filepath.Join(dir, name), file.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := small().write(t)
	onDisk, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	inMemory, err := LoadFS(small().fs())
	if err != nil {
		t.Fatal(err)
	}
	if onDisk.Dir != dir || len(onDisk.Digest) != 12 || onDisk.Digest != inMemory.Digest {
		t.Errorf("folder %s, digest %q and %q", onDisk.Dir, onDisk.Digest, inMemory.Digest)
	}
	c := onDisk.Config
	if c.Text != (Tower{8, 16, 2, 2, "gelu", 1e-12}) || c.Vision != (Tower{6, 12, 1, 3, "quick_gelu", 1e-5}) || c.ImageTokens() != 5 || c.Frames != 2 {
		t.Errorf("config %+v", c)
	}
	if g := onDisk.Generation; g.MaxLength != 9 || g.NumBeams != 1 || g.LengthPenalty != 1 || g.BOS != 1 || !slices.Equal(g.EOS, []int64{2, 3}) {
		t.Errorf("generation %+v", g)
	}
	if onDisk.Tensor("output.bias").Data != nil || inMemory.Tensor("output.bias").Data == nil {
		t.Error("Data is for what is in memory")
	}
}

// The defaults are those of GitConfig() and GitVisionConfig() of transformers 4.56.2.
func TestConfigDefaults(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{}`, `{"vision_config":null,"num_image_with_embedding":null}`, `{"vision_config":{"dropout":0.0,"initializer_factor":1.0,"projection_dim":512}}`} {
		c, err := parseConfig([]byte(text))
		want := Config{Tower{768, 3072, 12, 12, "quick_gelu", 1e-5}, Tower{768, 3072, 6, 12, "gelu", 1e-12}, 224, 16, 3, 30522, 1024, 0, false, 101, 102, 0}
		if err != nil || c != want || c.ImageTokens() != 197 {
			t.Errorf("%s: %+v, %v", text, c, err)
		}
	}
}

// The table has as many tensors as the published files (GIT-base and -large, image and
// video) and as many parameters.
func TestTableOfPublishedShapes(t *testing.T) {
	t.Parallel()
	base, err := parseConfig([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	large := base
	large.Vision = Tower{1024, 4096, 24, 16, "quick_gelu", 1e-5}
	large.PatchSize = 14
	for _, c := range []struct {
		Config
		frames, image     int64
		tensors, elements int
	}{
		{base, 0, 224, 305, 176_619_066}, {base, 6, 224, 311, 176_623_674}, {base, 0, 480, 305, 177_159_738},
		{large, 0, 224, 497, 394_196_026}, {large, 6, 224, 503, 394_202_170}, {large, 0, 420, 497, 394_855_482},
	} {
		c.Frames, c.ImageSize = c.frames, c.image
		elements := int64(0)
		for _, shape := range Shapes(c.Config) {
			n := int64(1)
			for _, d := range shape {
				n *= d
			}
			elements += n
		}
		if n := len(Shapes(c.Config)); n != c.tensors || elements != int64(c.elements) {
			t.Errorf("%d tensors of %d elements, want %d of %d", n, elements, c.tensors, c.elements)
		}
	}
}

func TestHeadTemporalAndTypes(t *testing.T) {
	t.Parallel()
	t.Run("no head", func(t *testing.T) {
		t.Parallel()
		f := small()
		delete(f.tensors, head)
		c, err := LoadFS(f.fs())
		if err != nil || c.Tensor(head).Name != words {
			t.Errorf("%v", err)
		}
	})
	t.Run("own head", func(t *testing.T) {
		t.Parallel()
		c, err := LoadFS(small().fs())
		if err != nil || c.Tensor(head).Name != head {
			t.Errorf("%v", err)
		}
	})
	t.Run("tied although stored", func(t *testing.T) {
		t.Parallel()
		f := small()
		f.config["tie_word_embeddings"] = true
		c, err := LoadFS(f.fs())
		if err != nil || c.Tensor(head).Name != words {
			t.Errorf("%v", err)
		}
	})
	t.Run("renamed, buffers, half", func(t *testing.T) {
		t.Parallel()
		f := small()
		for i := range 2 {
			delete(f.tensors, fmt.Sprint(temporal, i))
			f.tensors[fmt.Sprint(renamed, i)] = []int64{1, 1, 6}
		}
		f.tensors["git.embeddings.position_ids"] = []int64{1, 10}
		f.types["git.embeddings.position_ids"] = "I64"
		f.types["output.bias"], f.types[words] = "F16", "BF16"
		c, err := LoadFS(f.fs())
		if err != nil {
			t.Fatal(err)
		}
		if a, b := c.Tensor(temporal+"1"), c.Tensor(renamed+"1"); a.Name != renamed+"1" || b.Name != a.Name {
			t.Errorf("%s and %s", a.Name, b.Name)
		}
		if c.Tensor("output.bias").DType != weights.F16 || c.Tensor(words).DType != weights.BF16 {
			t.Error("types were changed")
		}
	})
}

func TestUnknownNamePanics(t *testing.T) {
	t.Parallel()
	c, err := LoadFS(small().fs())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	c.Tensor("git.nothing")
}

// All tensors that do not fit are named in one error.
func TestTensorError(t *testing.T) {
	t.Parallel()
	f := small()
	delete(f.tensors, "output.bias")
	delete(f.tensors, temporal+"1")
	f.tensors["git.embeddings.LayerNorm.bias"] = []int64{9}
	f.types["git.embeddings.LayerNorm.weight"] = "F64"
	f.tensors["git.encoder.layer.2.output.dense.bias"] = []int64{8}
	f.tensors[renamed+"0"] = []int64{1, 1, 6} // beside the other spelling
	_, err := LoadFS(f.fs())
	var wrong *TensorError
	if !errors.As(err, &wrong) {
		t.Fatal(err)
	}
	want := TensorError{
		Missing:   []string{temporal + "1 [1 1 6]", "output.bias [12]"},
		Misshapen: []string{"git.embeddings.LayerNorm.bias is [9], due is [8]", "git.embeddings.LayerNorm.weight is of type F64, due is F32, F16 or BF16"},
		Unknown:   []string{"git.encoder.layer.2.output.dense.bias", renamed + "0"},
	}
	if !slices.Equal(wrong.Missing, want.Missing) || !slices.Equal(wrong.Misshapen, want.Misshapen) || !slices.Equal(wrong.Unknown, want.Unknown) {
		t.Errorf("got %+v, want %+v", *wrong, want)
	}
	for _, name := range slices.Concat(want.Missing, want.Misshapen, want.Unknown) {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q lacks %q", err, name)
		}
	}
}

// Each of these parts decides the digest.
func TestDigest(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, change := range map[string]func(*folder){
		"nothing":    func(*folder) {},
		"config":     func(f *folder) { f.config["layer_norm_eps"] = 1e-6 },
		"preprocess": func(f *folder) { f.preprocess["resample"] = 2 },
		"generation": func(f *folder) { f.generation["max_length"] = 8 },
		"vocabulary": func(f *folder) { f.more["vocab.txt"] = strings.Repeat("y\n", 12) },
		"type":       func(f *folder) { f.types["output.bias"] = "F16" },
		"numbers": func(f *folder) {
			data := f.weights()
			data[len(data)-1]++
			f.more["model.safetensors"] = string(data)
		},
	} {
		f := small()
		change(f)
		c, err := LoadFS(f.fs())
		if err != nil {
			t.Fatal(name, err)
		}
		if other, ok := seen[c.Digest]; ok {
			t.Errorf("%s and %s have digest %s", name, other, c.Digest)
		}
		seen[c.Digest] = name
	}
}

func TestBadCheckpoints(t *testing.T) {
	t.Parallel()
	set := func(part func(*folder) object, key string, value any) func(*folder) {
		return func(f *folder) { part(f)[key] = value }
	}
	config := func(f *folder) object { return f.config }
	vision := func(f *folder) object { return f.config["vision_config"].(object) }
	pre := func(f *folder) object { return f.preprocess }
	gen := func(f *folder) object { return f.generation }
	more := func(name, content string) func(*folder) { return func(f *folder) { f.more[name] = content } }
	for message, change := range map[string]func(*folder){
		"read config.json":                             more("config.json", "{"),
		"read preprocessor_config.json":                more("preprocessor_config.json", "[]"),
		"read generation_config.json":                  more("generation_config.json", "7"),
		`model_type is "blip"`:                         set(config, "model_type", "blip"),
		"num_attention_heads is 0":                     set(config, "num_attention_heads", 0),
		"num_hidden_layers is 1000000000":              set(config, "num_hidden_layers", 1000000000),
		"hidden_size is 9223372036854775807":           set(config, "hidden_size", int64(1<<63-1)),
		"hidden_size 8 is no multiple":                 set(config, "num_attention_heads", 3),
		"intermediate_size is -1":                      set(config, "intermediate_size", -1),
		`hidden_act is "mish": supported are gelu`:     set(config, "hidden_act", "mish"),
		"layer_norm_eps is 0":                          set(config, "layer_norm_eps", 0),
		`position_embedding_type is "relative_key"`:    set(config, "position_embedding_type", "relative_key"),
		"num_image_with_embedding is 65":               set(config, "num_image_with_embedding", 65),
		"vocab_size is 0":                              set(config, "vocab_size", 0),
		"max_position_embeddings is 0":                 set(config, "max_position_embeddings", 0),
		"bos_token_id is 12: it must be from 0 to 11":  set(config, "bos_token_id", 12),
		"vision_config.num_channels is 1":              set(vision, "num_channels", 1),
		"vision_config.image_size is 4096":             set(vision, "image_size", 4096),
		"vision_config.patch_size is 0":                set(vision, "patch_size", 0),
		"patch_size 9 is larger than image_size 8":     set(vision, "patch_size", 9),
		"1048577 image tokens":                         func(f *folder) { vision(f)["image_size"], vision(f)["patch_size"] = 2048, 2 },
		"vision_config.hidden_size 6 is no multiple":   set(vision, "num_attention_heads", 4),
		`image_processor_type is "ViTImageProcessor"`:  set(pre, "image_processor_type", "ViTImageProcessor"),
		"resample is 1 (Lanczos)":                      set(pre, "resample", 1),
		"resample is 9: supported":                     set(pre, "resample", 9),
		"crop_size is 224 x 224":                       set(pre, "crop_size", nil),
		"crop_size: needs height and width":            set(pre, "crop_size", object{"shortest_edge": 8}),
		"crop_size: width is 0":                        set(pre, "crop_size", object{"height": 8}),
		"size is -1":                                   set(pre, "size", -1),
		"size: not a number":                           set(pre, "size", "8"),
		"pictures would keep their own shape":          set(pre, "do_center_crop", false),
		"rescale_factor is -1":                         set(pre, "rescale_factor", -1),
		"image_std is [1 0 1]":                         set(pre, "image_std", []int{1, 0, 1}),
		"2 numbers for 3 channels":                     set(pre, "image_mean", []int{1, 0}),
		"max_length is -1":                             set(gen, "max_length", -1),
		"num_beams is 65":                              set(gen, "num_beams", 65),
		"eos_token_id is 12":                           set(gen, "eos_token_id", 12),
		"number of eos_token_id is 0":                  set(gen, "eos_token_id", []int{}),
		"length_penalty is 1e+09":                      set(gen, "length_penalty", 1e9),
		"vocab.txt has 13 tokens, the word embedding":  func(f *folder) { f.vocab = 13 },
		"special token id 2 is not among the 2 tokens": func(f *folder) { f.vocab = 2 },
		"tokenizer.json has 21 tokens":                 more("tokenizer.json", `{"model":{"vocab":{"a":3}},"added_tokens":[{"id":20}]}`),
		"read tokenizer.json":                          more("tokenizer.json", `{`),
		"read weights":                                 more("model.safetensors", "abc"),
		"more than 1048576 bytes":                      more("config.json", strings.Repeat(" ", maxJSON+1)),
		"exceeded max depth":                           more("config.json", strings.Repeat(`{"a":`, 100000)),
		"truncated: the tensors take":                  func(f *folder) { w := f.weights(); f.more["model.safetensors"] = string(w[:len(w)-1]) },
	} {
		f := small()
		change(f)
		_, err := LoadFS(f.fs())
		if err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("got %v, want %q", err, message)
		}
	}
}

// What is wrong in several files is reported at once.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	f := small()
	f.preprocess["resample"], f.generation["num_beams"], f.vocab = 0, 0, 13
	delete(f.tensors, "output.bias")
	_, err := LoadFS(f.fs())
	for _, part := range []string{"resample is 0 (nearest)", "num_beams is 0", "vocab.txt has 13", "output.bias"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v lacks %q", err, part)
		}
	}
}

func TestAbsentFiles(t *testing.T) {
	t.Parallel()
	for name, message := range map[string]string{
		"config.json":              "no config.json in it",
		"preprocessor_config.json": "copy the file from the checkpoint's source",
		"vocab.txt":                "neither tokenizer.json nor vocab.txt",
		"model.safetensors":        "neither model.safetensors nor pytorch_model.bin",
	} {
		files := small().fs()
		delete(files, name)
		_, err := LoadFS(files)
		if err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	files := small().fs()
	delete(files, "model.safetensors")
	files["pytorch_model.bin.index.json"] = &fstest.MapFile{}
	if _, err := LoadFS(files); err == nil || !strings.Contains(err.Error(), "split into several files") {
		t.Errorf("got %v", err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// Without generation_config.json the same keys of config.json stand.
func TestGenerationFromConfig(t *testing.T) {
	t.Parallel()
	f := small()
	f.config["max_length"] = 7
	files := f.fs()
	delete(files, "generation_config.json")
	c, err := LoadFS(files)
	if err != nil || c.Generation.MaxLength != 7 || !slices.Equal(c.Generation.EOS, []int64{2}) {
		t.Errorf("%v", err)
	}
}

// The goldens' checkpoints, which transformers wrote, load.
func TestGoldenCheckpoints(t *testing.T) {
	t.Parallel()
	found, err := filepath.Glob("../testdata/*/config.json")
	if err != nil || len(found) < 8 {
		t.Fatalf("%d checkpoints, %v", len(found), err)
	}
	for _, path := range found {
		if _, err := Load(filepath.Dir(path)); err != nil {
			t.Error(err)
		}
	}
}
