package demo_test

import (
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/captiond/captiond/demo"
)

// TestModel holds the embedded checkpoint to what the program promises of it.
func TestModel(t *testing.T) {
	t.Parallel()
	var config struct {
		Type   string `json:"model_type"`
		Frames int    `json:"num_image_with_embedding"`
	}
	text, err := fs.ReadFile(demo.Model(), "config.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	if config.Type != "git" || config.Frames != 6 {
		t.Errorf("config says %+v, want a git model of 6 frames", config)
	}
	total := int64(0)
	for _, name := range []string{"model.safetensors", "vocab.txt", "tokenizer.json", "preprocessor_config.json", "generation_config.json"} {
		info, err := fs.Stat(demo.Model(), name)
		if err != nil {
			t.Error(err)
			continue
		}
		total += info.Size()
	}
	if total == 0 || total > 1<<20 {
		t.Errorf("the model takes %d bytes of every binary, want 1 MiB at most", total)
	}
}
