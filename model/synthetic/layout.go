package synthetic

import "fmt"

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

// tensors are all parameters, in a fixed order.
func (s Shape) tensors() []tensor {
	l := &list{}
	s.visionTensors(l)
	for i := range s.Frames {
		l.add(fmt.Sprintf("git.img_temperal_embedding.%d", i), 0, 1, 1, s.Hidden)
	}
	l.linear("git.visual_projection.visual_projection.0", s.Hidden, s.TextHidden)
	l.norm("git.visual_projection.visual_projection.1", s.TextHidden)
	l.add("git.embeddings.word_embeddings.weight", 0, s.Vocabulary, s.TextHidden)
	l.add("git.embeddings.position_embeddings.weight", 0, s.TextPositions, s.TextHidden)
	l.norm("git.embeddings.LayerNorm", s.TextHidden)
	for i := range s.TextLayers {
		layer := fmt.Sprintf("git.encoder.layer.%d.", i)
		for _, part := range [...]string{"self.query", "self.key", "self.value", "output.dense"} {
			l.linear(layer+"attention."+part, s.TextHidden, s.TextHidden)
		}
		l.norm(layer+"attention.output.LayerNorm", s.TextHidden)
		l.linear(layer+"intermediate.dense", s.TextHidden, s.TextMLP)
		l.linear(layer+"output.dense", s.TextMLP, s.TextHidden)
		l.norm(layer+"output.LayerNorm", s.TextHidden)
	}
	l.linear("output", s.TextHidden, s.Vocabulary)
	return *l
}

func (s Shape) visionTensors(l *list) {
	const vision = "git.image_encoder.vision_model."
	l.add(vision+"embeddings.class_embedding", 0, s.Hidden)
	l.add(vision+"embeddings.patch_embedding.weight", 0, s.Hidden, 3, s.Patch, s.Patch)
	l.add(vision+"embeddings.position_embedding.weight", 0, s.Tokens(), s.Hidden)
	l.norm(vision+"pre_layrnorm", s.Hidden)
	for i := range s.Layers {
		layer := fmt.Sprintf("%sencoder.layers.%d.", vision, i)
		l.norm(layer+"layer_norm1", s.Hidden)
		for _, part := range [...]string{"q", "k", "v", "out"} {
			l.linear(layer+"self_attn."+part+"_proj", s.Hidden, s.Hidden)
		}
		l.norm(layer+"layer_norm2", s.Hidden)
		l.linear(layer+"mlp.fc1", s.Hidden, s.MLP)
		l.linear(layer+"mlp.fc2", s.MLP, s.Hidden)
	}
	l.norm(vision+"post_layernorm", s.Hidden)
}

type list []tensor

func (l *list) add(name string, mean float32, dims ...int64) {
	*l = append(*l, tensor{name, dims, mean})
}

func (l *list) linear(name string, in, out int64) {
	l.add(name+".weight", 0, out, in)
	l.add(name+".bias", 0, out)
}

func (l *list) norm(name string, size int64) {
	l.add(name+".weight", 1, size)
	l.add(name+".bias", 0, size)
}
