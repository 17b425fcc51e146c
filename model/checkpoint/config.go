package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Config is config.json with every default filled in, as GitConfig and GitVisionConfig
// of transformers 4.56.2 do.
type Config struct {
	Vision, Text  Tower
	ImageSize     int64 // pixels, of the square that the encoder reads
	PatchSize     int64 // pixels
	Channels      int64 // always 3
	VocabSize     int64 // rows of the word embedding
	TextPositions int64 // the longest text in tokens, prompt included
	Frames        int64 // temporal embeddings; 0 for an image checkpoint
	Tied          bool  // the head is the word embedding, whatever the file holds
	BOS, EOS, PAD int64 // token ids
}

// Tower is the size of a stack of transformer layers.
type Tower struct {
	Hidden, MLP, Layers, Heads int64
	Activation                 string // one of Activations
	Epsilon                    float64
}

// Activations are the values of hidden_act that can be computed, as transformers spells
// them; "swish" is read as silu.
func Activations() []string {
	return []string{"gelu", "quick_gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu"}
}

// ImageTokens is the number of tokens of one picture: the patches and the class token.
// As in transformers a rest smaller than a patch is left out.
func (c Config) ImageTokens() int64 {
	side := c.ImageSize / c.PatchSize
	return side*side + 1
}

// rawTower are the keys that both parts of config.json have.
type rawTower struct {
	Hidden     *int64   `json:"hidden_size"`
	MLP        *int64   `json:"intermediate_size"`
	Layers     *int64   `json:"num_hidden_layers"`
	Heads      *int64   `json:"num_attention_heads"`
	Activation *string  `json:"hidden_act"`
	Epsilon    *float64 `json:"layer_norm_eps"`
}

type rawConfig struct {
	rawTower
	ModelType *string `json:"model_type"`
	Vision    struct {
		rawTower
		Channels  *int64 `json:"num_channels"`
		ImageSize *int64 `json:"image_size"`
		PatchSize *int64 `json:"patch_size"`
	} `json:"vision_config"`
	VocabSize     *int64  `json:"vocab_size"`
	TextPositions *int64  `json:"max_position_embeddings"`
	PositionType  *string `json:"position_embedding_type"`
	Frames        *int64  `json:"num_image_with_embedding"`
	Tied          *bool   `json:"tie_word_embeddings"`
	BOS           *int64  `json:"bos_token_id"`
	EOS           *int64  `json:"eos_token_id"`
	PAD           *int64  `json:"pad_token_id"`
}

// parseConfig reads config.json. The error lists everything that is wrong.
func parseConfig(data []byte) (Config, error) {
	var raw rawConfig
	if err := json.Unmarshal(data, &raw); err != nil {
		return Config{}, fmt.Errorf("read config.json: %w", err)
	}
	if kind := or(raw.ModelType, "git"); kind != "git" {
		return Config{}, fmt.Errorf("read config.json: model_type is %q: only GIT checkpoints (model_type git) can be used", kind)
	}
	v := raw.Vision
	c := Config{
		Vision:        v.tower(Tower{768, 3072, 12, 12, "quick_gelu", 1e-5}),
		Text:          raw.tower(Tower{768, 3072, 6, 12, "gelu", 1e-12}),
		ImageSize:     or(v.ImageSize, 224),
		PatchSize:     or(v.PatchSize, 16),
		Channels:      or(v.Channels, 3),
		VocabSize:     or(raw.VocabSize, 30522),
		TextPositions: or(raw.TextPositions, 1024),
		Frames:        or(raw.Frames, 0),
		Tied:          or(raw.Tied, false),
		BOS:           or(raw.BOS, 101),
		EOS:           or(raw.EOS, 102),
		PAD:           or(raw.PAD, 0),
	}
	problems := c.problems()
	if t := or(raw.PositionType, "absolute"); t != "absolute" {
		problems = append(problems, fmt.Errorf("position_embedding_type is %q: only absolute is supported", t))
	}
	if err := errors.Join(problems...); err != nil {
		return Config{}, fmt.Errorf("read config.json: %w", err)
	}
	return c, nil
}

// or is what p points to; absent and null stand for the default.
func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func (r rawTower) tower(defaults Tower) Tower {
	t := Tower{
		Hidden:     or(r.Hidden, defaults.Hidden),
		MLP:        or(r.MLP, defaults.MLP),
		Layers:     or(r.Layers, defaults.Layers),
		Heads:      or(r.Heads, defaults.Heads),
		Activation: or(r.Activation, defaults.Activation),
		Epsilon:    or(r.Epsilon, defaults.Epsilon),
	}
	if t.Activation == "swish" {
		t.Activation = "silu"
	}
	return t
}

// problems checks ranges: several times what any published GIT has, and small enough that
// no product of two overflows.
func (c Config) problems() []error {
	errs := append(c.Vision.problems("vision_config."), c.Text.problems("")...)
	errs = append(errs,
		within("vision_config.image_size", c.ImageSize, 1, 2048),
		within("vision_config.patch_size", c.PatchSize, 1, 512),
		within("vision_config.num_channels", c.Channels, 3, 3),
		within("vocab_size", c.VocabSize, 1, 1<<20),
		within("max_position_embeddings", c.TextPositions, 1, 1<<16),
		within("num_image_with_embedding", c.Frames, 0, 64),
		within("bos_token_id", c.BOS, 0, c.VocabSize-1),
		within("eos_token_id", c.EOS, 0, c.VocabSize-1),
		within("pad_token_id", c.PAD, 0, c.VocabSize-1),
	)
	if c.PatchSize > 0 && c.PatchSize > c.ImageSize {
		errs = append(errs, fmt.Errorf("vision_config.patch_size %d is larger than image_size %d", c.PatchSize, c.ImageSize))
	}
	if c.PatchSize > 0 && c.ImageSize > 0 && c.ImageSize <= 2048 && c.ImageTokens() > 1<<14 {
		errs = append(errs, fmt.Errorf("vision_config: %d image tokens, more than %d", c.ImageTokens(), 1<<14))
	}
	return errs
}

func (t Tower) problems(prefix string) []error {
	errs := []error{
		within(prefix+"hidden_size", t.Hidden, 1, 1<<14),
		within(prefix+"intermediate_size", t.MLP, 1, 1<<16),
		within(prefix+"num_hidden_layers", t.Layers, 1, 128),
		within(prefix+"num_attention_heads", t.Heads, 1, 256),
	}
	if t.Heads > 0 && t.Hidden%t.Heads != 0 {
		errs = append(errs, fmt.Errorf("%shidden_size %d is no multiple of num_attention_heads %d", prefix, t.Hidden, t.Heads))
	}
	if !slices.Contains(Activations(), t.Activation) {
		errs = append(errs, fmt.Errorf("%shidden_act is %q: supported are %s", prefix, t.Activation, strings.Join(Activations(), ", ")))
	}
	if !(t.Epsilon > 0 && t.Epsilon <= 0.1) || math.IsNaN(t.Epsilon) {
		errs = append(errs, fmt.Errorf("%slayer_norm_eps is %g: it must be above 0 and at most 0.1", prefix, t.Epsilon))
	}
	return errs
}

func within(name string, v, least, most int64) error {
	if v < least || v > most {
		return fmt.Errorf("%s is %d: it must be from %d to %d", name, v, least, most)
	}
	return nil
}
