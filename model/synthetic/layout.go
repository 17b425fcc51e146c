package synthetic

import (
	"maps"
	"slices"
	"strings"

	"github.com/captiond/captiond/model/checkpoint"
)

// documents are the JSON files of the checkpoint, by name.
func (s Shape) documents() map[string]any {
	type object = map[string]any
	var frames any
	if s.Frames > 0 {
		frames = s.Frames
	}
	return map[string]any{
		"config.json": object{
			"architectures": []string{"GitForCausalLM"}, "model_type": "git",
			"vocab_size": s.Vocabulary, "hidden_size": s.TextHidden, "num_hidden_layers": s.TextLayers,
			"num_attention_heads": s.TextHeads, "intermediate_size": s.TextMLP, "hidden_act": "gelu",
			"layer_norm_eps": 1e-12, "max_position_embeddings": s.TextPositions,
			"bos_token_id": 101, "eos_token_id": 102, "pad_token_id": 0,
			"num_image_with_embedding": frames, "tie_word_embeddings": false,
			"vision_config": object{
				"model_type": "git_vision_model", "hidden_size": s.Hidden, "intermediate_size": s.MLP,
				"num_hidden_layers": s.Layers, "num_attention_heads": s.Heads, "num_channels": 3,
				"image_size": s.Image, "patch_size": s.Patch, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
			},
		},
		"generation_config.json": object{"bos_token_id": 101, "eos_token_id": 102, "pad_token_id": 0},
		"preprocessor_config.json": object{
			"image_processor_type": "CLIPImageProcessor",
			"do_resize":            true, "size": object{"shortest_edge": s.Image}, "resample": 3,
			"do_center_crop": true, "crop_size": object{"height": s.Image, "width": s.Image},
			"do_rescale": true, "rescale_factor": 1.0 / 255, "do_normalize": true, "do_convert_rgb": true,
			"image_mean": []float64{0.48145466, 0.4578275, 0.40821073},
			"image_std":  []float64{0.26862954, 0.26130258, 0.27577711},
		},
	}
}

// tensors are all parameters, in the order of their names.
func (s Shape) tensors() []tensor {
	shapes := checkpoint.Shapes(checkpoint.Config{
		Vision:    checkpoint.Tower{Hidden: s.Hidden, MLP: s.MLP, Layers: s.Layers, Heads: s.Heads},
		Text:      checkpoint.Tower{Hidden: s.TextHidden, MLP: s.TextMLP, Layers: s.TextLayers, Heads: s.TextHeads},
		ImageSize: s.Image, PatchSize: s.Patch, Channels: 3,
		VocabSize: s.Vocabulary, TextPositions: s.TextPositions, Frames: s.Frames,
	})
	var all []tensor
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		t := tensor{name: name, dims: shapes[name]}
		if len(t.dims) == 1 && strings.HasSuffix(name, ".weight") { // of a layer norm
			t.mean = 1
		}
		all = append(all, t)
	}
	return all
}
