"""Makes the files of this folder: python gen.py (transformers 4.56.2, torch 2.8.0).

A small checkpoint as transformers saves it, in both weights formats, and what transformers'
own classes make of configurations with absent keys. Run by hand; the tests read the files.
"""

import json
from pathlib import Path

import torch
from transformers import CLIPImageProcessor, GitConfig, GitForCausalLM, VideoMAEImageProcessor

HERE = Path(__file__).parent

SIZES = {
    "vocab_size": 12, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "max_position_embeddings": 10, "bos_token_id": 1, "eos_token_id": 2, "num_image_with_embedding": 2,
    "vision_config": {"hidden_size": 6, "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 3,
                      "image_size": 8, "patch_size": 4},
}
PROCESSORS = [
    {},
    {"image_processor_type": "CLIPImageProcessorFast", "size": 32, "crop_size": 30},
    {"image_processor_type": "CLIPImageProcessor", "size": {"height": 20, "width": 30}, "crop_size": [10, 12]},
    {"image_processor_type": "CLIPImageProcessor", "size": [20, 30], "resample": 2, "do_rescale": False},
    {"feature_extractor_type": "CLIPFeatureExtractor", "do_normalize": False, "do_center_crop": False, "size": {"height": 9, "width": 9}},
    {"image_processor_type": "VideoMAEImageProcessor"},
    {"image_processor_type": "VideoMAEImageProcessorFast", "size": {"shortest_edge": 24}, "crop_size": {"height": 24, "width": 24},
     "image_mean": [0.1, 0.2, 0.3], "rescale_factor": 0.5},
    {"image_processor_type": "VideoMAEImageProcessor", "size": 24, "crop_size": 24, "resample": 3, "do_resize": False},
]
CONFIGS = [
    {},
    {"vision_config": {"projection_dim": 512}},
    {"hidden_act": "gelu_new", "tie_word_embeddings": True, "num_image_with_embedding": 6},
    {"vision_config": {"image_size": 480, "hidden_act": "relu", "layer_norm_eps": 1e-6}, "vocab_size": 40000},
]


def process(config):
    name = config.get("image_processor_type", "CLIPImageProcessor")
    kind = VideoMAEImageProcessor if "VideoMAE" in name else CLIPImageProcessor
    keys = {k: v for k, v in config.items() if not k.endswith("_type")}
    p = kind(**keys).to_dict()
    keep = ["do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale", "rescale_factor",
            "do_normalize", "image_mean", "image_std", "image_processor_type"]
    return {"from": config, "to": {k: p[k] for k in keep}}


def main():
    torch.manual_seed(3)
    model = GitForCausalLM(GitConfig(**SIZES))
    model.output.weight.data = torch.randn_like(model.output.weight)
    for name, safe in (("safetensors", True), ("torch", False)):
        folder = HERE / name
        model.save_pretrained(folder, safe_serialization=safe)
        CLIPImageProcessor(size=8, crop_size=8).save_pretrained(folder)
        (folder / "vocab.txt").write_text("".join(f"token{i}\n" for i in range(12)))
    golden = {
        "preprocess": [process(c) for c in PROCESSORS],
        "config": [{"from": c, "to": GitConfig(**c).to_dict()} for c in CONFIGS],
    }
    (HERE / "golden.json").write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
