"""What each tiny checkpoint is. Between them every dimension of a GIT checkpoint varies."""

CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]


def clip(side, **more):
    """The Hub's file for image checkpoints, with another size."""
    config = {
        "crop_size": {"height": side, "width": side},
        "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True,
        "do_rescale": True, "do_resize": True,
        "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
        "image_processor_type": "CLIPImageProcessor", "processor_class": "GitProcessor",
        "resample": 3, "rescale_factor": 0.00392156862745098,
        "size": {"shortest_edge": side},
    }
    return config | more


def videomae(side, **more):
    """The Hub's file for video checkpoints, with another size."""
    config = {
        "crop_size": {"height": side, "width": side},
        "do_center_crop": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
        "image_processor_type": "VideoMAEImageProcessor", "processor_class": "GitProcessor",
        "resample": 2, "rescale_factor": 0.00392156862745098,
        "size": {"shortest_edge": side},
    }
    return config | more


def vision(hidden, mlp, layers, heads, image, patch, **more):
    return {"hidden_size": hidden, "intermediate_size": mlp, "num_hidden_layers": layers,
            "num_attention_heads": heads, "image_size": image, "patch_size": patch,
            "model_type": "git_vision_model"} | more


def text(hidden, mlp, layers, heads, positions, **more):
    return {"hidden_size": hidden, "intermediate_size": mlp, "num_hidden_layers": layers,
            "num_attention_heads": heads, "max_position_embeddings": positions} | more


STILL_INPUTS = {
    "street": {"pictures": ["street"]},
    "banner": {"pictures": ["banner"]},
    "room": {"pictures": ["room"]},
}
FRAME_6 = [f"frame-{i}" for i in range(6)]
QUESTION = "what color is the ball?"
LONG_QUESTION = ("what does the sign on the wall near the door say, and is the man who is sitting "
                 "at the small table in front of the window of the old house holding a red cup, "
                 "a white plate or a blue book? yes or no")
LABELS = ["red ball", "red car", "red red", "blue ball", "a blue ball", "a", "dogs", "dog",
          "cat's cup", "football", "two red cars"]

GREEDY = {"search": "greedy", "max_length": 14}
BEAM3 = {"search": "beam", "beams": 3, "length_penalty": 1.0, "max_length": 10}


def still_cases():
    return {
        "street": {"input": "street"} | GREEDY,
        "banner": {"input": "banner"} | GREEDY,
        "question": {"input": "room", "question": QUESTION} | GREEDY,
    }


SPECS = {
    "image-clip": {
        "about": "as git-base in small: CLIP bicubic, untied head, Hub's ids, both vocabulary files, Microsoft's searches",
        "config": text(32, 128, 2, 2, 32),
        "vision": vision(32, 128, 2, 4, 32, 8),
        "tied": False, "hub_ids": True, "files": ["vocab.txt", "tokenizer.json"],
        "weights": "model.safetensors", "dtype": "float32",
        "preprocessor": clip(32),
        "inputs": STILL_INPUTS | {
            "tower": {"pictures": ["tower"]},
            "street-microsoft": {"pictures": ["street"], "transform": "microsoft"},
            "large-microsoft": {"pictures": ["large"], "transform": "microsoft"},
        },
        "cases": still_cases() | {
            "tower": {"input": "tower"} | GREEDY,
            "beam-2": {"input": "street", "search": "beam", "beams": 2, "length_penalty": 1.0, "max_length": 12},
            "beam-4": {"input": "banner", "search": "beam", "beams": 4, "length_penalty": 0.3, "max_length": 9},
            "beam-question": {"input": "room", "question": QUESTION} | BEAM3 | {"max_length": 16},
            "microsoft": {"input": "street-microsoft", "search": "microsoft", "beams": 4, "length_penalty": 0.6, "max_length": 32},
            "microsoft-short": {"input": "large-microsoft", "search": "microsoft", "beams": 4, "length_penalty": 0.6, "max_length": 9},
            "trie": {"input": "street-microsoft", "search": "trie", "labels": LABELS, "max_length": 30},
            "labels": {"input": "street", "search": "labels", "labels": LABELS},
        },
    },
    "video-six": {
        "about": "as git-base-vatex in small: six frames, VideoMAE bilinear, tied head, img_temperal_embedding",
        "config": text(32, 128, 2, 4, 40, num_image_with_embedding=6),
        "vision": vision(24, 96, 2, 3, 24, 6),
        "tied": True, "hub_ids": True, "files": ["vocab.txt", "tokenizer.json"],
        "weights": "model.safetensors", "dtype": "float32",
        "preprocessor": videomae(24),
        "inputs": {
            "clip": {"pictures": FRAME_6},
            "short": {"pictures": FRAME_6[:3]},
            "single": {"pictures": ["street"]},
            "still": {"pictures": ["street"], "still": True},
            "clip-microsoft": {"pictures": FRAME_6, "transform": "microsoft"},
        },
        "cases": {
            "clip": {"input": "clip"} | GREEDY,
            "short": {"input": "short"} | GREEDY,
            "single": {"input": "single"} | GREEDY,
            "still": {"input": "still"} | GREEDY,
            "question": {"input": "clip", "question": QUESTION} | GREEDY,
            "beam-3": {"input": "clip"} | BEAM3,
            "microsoft": {"input": "clip-microsoft", "search": "microsoft", "beams": 4, "length_penalty": 0.6, "max_length": 40},
            "microsoft-question": {"input": "clip-microsoft", "question": QUESTION, "search": "microsoft", "beams": 4, "length_penalty": 0.6, "max_length": 20},
            "trie": {"input": "clip-microsoft", "question": QUESTION, "search": "trie", "labels": LABELS, "max_length": 38},
            "labels": {"input": "clip", "question": QUESTION, "search": "labels", "labels": LABELS},
        },
    },
    "video-four": {
        "about": "four frames, old pytorch_model.bin (position_ids buffers, a transposed view, a shared storage), one text layer",
        "config": text(40, 80, 1, 5, 24, num_image_with_embedding=4, layer_norm_eps=1e-12),
        "vision": vision(32, 64, 3, 2, 20, 5),
        "tied": True, "hub_ids": False, "files": ["vocab.txt"],
        "weights": "pytorch_model.bin", "dtype": "float32", "old_bin": True,
        "preprocessor": videomae(20),
        "generation": {"max_length": 11},
        "inputs": {"clip": {"pictures": FRAME_6[1:5]}, "pair": {"pictures": ["street", "room"]}},
        "cases": {
            "clip": {"input": "clip"} | GREEDY,
            "pair": {"input": "pair"} | GREEDY,
            "default-length": {"input": "clip", "search": "greedy", "max_length": None},
            "beam-2": {"input": "clip", "search": "beam", "beams": 2, "length_penalty": 2.0, "max_length": 9},
        },
    },
    "image-half": {
        "about": "float16, patch as large as half the picture, gelu in the vision tower, large LayerNorm epsilons",
        "config": text(24, 72, 3, 3, 20, layer_norm_eps=1e-2),
        "vision": vision(48, 96, 1, 6, 32, 16, hidden_act="gelu", layer_norm_eps=3e-3),
        "tied": False, "hub_ids": False, "files": ["tokenizer.json"],
        "weights": "model.safetensors", "dtype": "float16",
        "preprocessor": clip(32),
        "inputs": STILL_INPUTS, "cases": still_cases() | {"beam-3": {"input": "street"} | BEAM3},
    },
    "video-two": {
        "about": "bfloat16, two frames, img_temporal_embedding, quick_gelu in the text tower",
        "config": text(32, 48, 2, 1, 24, num_image_with_embedding=2, hidden_act="quick_gelu", layer_norm_eps=1e-5),
        "vision": vision(16, 64, 2, 1, 28, 7, hidden_act="gelu"),
        "tied": True, "hub_ids": False, "files": ["tokenizer.json", "vocab.txt"], "temporal": "img_temporal_embedding",
        "weights": "model.safetensors", "dtype": "bfloat16",
        "preprocessor": videomae(28, size=28, crop_size=28),
        "inputs": {"pair": {"pictures": ["frame-0", "frame-5"]}, "swapped": {"pictures": ["frame-5", "frame-0"]},
                   "still": {"pictures": ["banner"], "still": True}},
        "cases": {"pair": {"input": "pair"} | GREEDY, "swapped": {"input": "swapped"} | GREEDY,
                  "still": {"input": "still"} | GREEDY},
    },
    "image-defaults": {
        "about": "config.json and preprocessor_config.json with nothing that a default can supply; small embeddings, so that epsilons show",
        "config": {"hidden_size": 24, "intermediate_size": 40},
        "vision": {"hidden_size": 12, "intermediate_size": 36},
        "tied": False, "hub_ids": True, "files": ["vocab.txt"], "bare": True, "scale": 0.01, "gain": 0.25,
        "weights": "model.safetensors", "dtype": "float32",
        "preprocessor": {"image_processor_type": "CLIPImageProcessor"},
        "inputs": {"banner": {"pictures": ["banner"]}},
        "cases": {"banner": {"input": "banner"} | GREEDY,
                  "question": {"input": "banner", "question": QUESTION} | GREEDY},
    },
    "image-wide": {
        "about": "small patches, one head, one vision layer, other mlp ratios, sizes as numbers, vocab.txt alone, max_length in generation_config.json",
        "config": text(48, 144, 3, 1, 16),
        "vision": vision(36, 72, 1, 1, 28, 4),
        "tied": False, "hub_ids": False, "files": ["vocab.txt"],
        "weights": "model.safetensors", "dtype": "float16",
        "preprocessor": clip(28, size=28, crop_size=28),
        "generation": {"max_length": 8},
        "inputs": STILL_INPUTS,
        "cases": still_cases() | {"default-length": {"input": "room", "search": "greedy", "max_length": None}},
    },
    "image-vqa": {
        "about": "as git-base-vqav2 in small: Microsoft's transform without a crop, interpolated positions, questions kept by their last 38 tokens",
        "config": text(32, 128, 2, 2, 64),
        "vision": vision(24, 96, 2, 2, 48, 8),
        "tied": True, "hub_ids": True, "files": ["tokenizer.json"],
        "weights": "model.safetensors", "dtype": "float32",
        "preprocessor": clip(48), "microsoft_max": 64,
        "inputs": {
            "room": {"pictures": ["room"]},
            "room-microsoft": {"pictures": ["room"], "transform": "microsoft-vqa"},
            "large-microsoft": {"pictures": ["large"], "transform": "microsoft-vqa"},
            "banner-microsoft": {"pictures": ["banner"], "transform": "microsoft-vqa"},
            "street-microsoft": {"pictures": ["street"], "transform": "microsoft-vqa"},
        },
        "cases": {
            "question": {"input": "room", "question": QUESTION} | GREEDY,
            "long-question": {"input": "room", "question": LONG_QUESTION, "search": "greedy", "max_length": 50},
            "uninterpolated": {"input": "room-microsoft", "question": QUESTION} | GREEDY,
            "interpolated": {"input": "banner-microsoft", "question": QUESTION} | GREEDY,
            "tall": {"input": "street-microsoft", "question": QUESTION} | GREEDY,
            "microsoft": {"input": "large-microsoft", "question": QUESTION, "search": "microsoft", "beams": 4, "length_penalty": 0.6, "max_length": 16},
            "microsoft-long": {"input": "banner-microsoft", "question": LONG_QUESTION, "search": "microsoft", "beams": 4, "length_penalty": 0.6, "max_length": 48},
            "trie": {"input": "banner-microsoft", "question": QUESTION, "search": "trie", "labels": LABELS, "max_length": 62},
        },
    },
    "image-squash": {
        "about": "processor_config.json with a nested fast class, exact size and no crop; no generation_config.json",
        "config": text(24, 96, 1, 4, 20),
        "vision": vision(24, 48, 2, 4, 24, 8),
        "tied": True, "hub_ids": False, "files": ["tokenizer.json"],
        "weights": "pytorch_model.bin", "dtype": "float16",
        "preprocessor": clip(24, size={"height": 24, "width": 24}, do_center_crop=False,
                             image_processor_type="CLIPImageProcessorFast"),
        "nested": True, "generation": None,
        "inputs": STILL_INPUTS, "cases": still_cases() | {"beam-3": {"input": "banner"} | BEAM3},
    },
    "video-clip": {
        "about": "three frames through a CLIP processor whose crop is larger than the resized picture (black borders), bfloat16 .bin",
        "config": text(32, 64, 2, 2, 24, num_image_with_embedding=3),
        "vision": vision(20, 60, 2, 5, 30, 10, layer_norm_eps=1e-3),
        "tied": False, "hub_ids": True, "files": ["vocab.txt", "tokenizer.json"],
        "weights": "pytorch_model.bin", "dtype": "bfloat16",
        "preprocessor": clip(30, size={"shortest_edge": 25}),
        "inputs": {"clip": {"pictures": ["frame-1", "frame-3", "frame-6"]}, "single": {"pictures": ["large"]}},
        "cases": {"clip": {"input": "clip"} | GREEDY, "single": {"input": "single"} | GREEDY,
                  "question": {"input": "clip", "question": QUESTION} | GREEDY},
    },
    "image-oblong": {
        "about": "a size that is not square and no crop: positions interpolated as transformers does; tied although a different head is stored",
        "config": text(16, 64, 4, 2, 24),
        "vision": vision(24, 96, 4, 3, 24, 6, hidden_act="quick_gelu"),
        "tied": True, "gain": 0.4, "stray_head": True, "hub_ids": False, "files": ["vocab.txt"],
        "weights": "model.safetensors", "dtype": "float32",
        "preprocessor": clip(24, size={"height": 18, "width": 36}, do_center_crop=False, do_convert_rgb=False),
        "inputs": STILL_INPUTS, "cases": still_cases(),
    },
    "video-eight": {
        "about": "eight frames, float32 .bin, gelu everywhere, bos and eos not 101 and 102",
        "config": text(20, 60, 2, 5, 24, num_image_with_embedding=8),
        "vision": vision(16, 32, 1, 2, 16, 8, hidden_act="gelu"),
        "tied": False, "hub_ids": False, "files": ["vocab.txt"],
        "weights": "pytorch_model.bin", "dtype": "float32",
        "preprocessor": videomae(16),
        "inputs": {"clip": {"pictures": [f"frame-{i}" for i in range(8)]}, "short": {"pictures": ["frame-2", "large", "room"]}},
        "cases": {"clip": {"input": "clip"} | GREEDY, "short": {"input": "short"} | GREEDY,
                  "beam-3": {"input": "clip"} | BEAM3},
    },
}

# The first seed at which the searches are well conditioned (see generate.py).
SEEDS = {
    "image-clip": 32,
    "video-six": 60,
    "image-vqa": 15,
    "image-squash": 8,
    "image-half": 60,
    "image-wide": 147,
    "video-clip": 60,
    "video-eight": 14,
    "video-two": 10,
    "video-four": 1,
    "image-oblong": 39,
    "image-defaults": 24,
}
