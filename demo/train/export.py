"""Writes a trained model as a checkpoint folder in Hugging Face's layout: python export.py DIR [--out ../model]

The weights are stored in float16, as Microsoft's are in float32: half the bytes in every binary, and the same captions."""

import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file

from learner import Learner
from vocabulary import tokenizer
from words import TOKENS

PREPROCESSOR = {
    "crop_size": {"height": 64, "width": 64}, "do_center_crop": True, "do_normalize": True, "do_rescale": True,
    "do_resize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "image_processor_type": "VideoMAEImageProcessor",
    "processor_class": "GitProcessor", "resample": 2, "rescale_factor": 1 / 255, "size": {"shortest_edge": 64},
}


def dump(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def config(model):
    """What differs from the defaults."""
    kept = model.config.to_diff_dict()
    kept.pop("transformers_version", None)
    return {"architectures": ["GitForCausalLM"]} | kept | {"torch_dtype": "float16", "vocab_size": len(TOKENS)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent / "model")
    arguments = parser.parse_args()
    learner = Learner()
    learner.load_state_dict(torch.load(arguments.work / "checkpoint.pt")["learner"])
    model, out = learner.model, arguments.out
    out.mkdir(parents=True, exist_ok=True)
    save_file({k: v.half().contiguous() for k, v in model.state_dict().items()}, out / "model.safetensors", {"format": "pt"})
    dump(out / "config.json", config(model))
    dump(out / "preprocessor_config.json", PREPROCESSOR)
    ends = {"bos_token_id": model.config.bos_token_id, "eos_token_id": model.config.eos_token_id, "pad_token_id": 0}
    dump(out / "generation_config.json", {"_from_model_config": True} | ends)
    (out / "vocab.txt").write_text("".join(t + "\n" for t in TOKENS))
    tokenizer().backend_tokenizer.save(str(out / "tokenizer.json"))
    dump(out / "tokenizer_config.json", {
        "do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True, "model_max_length": 512,
        "model_input_names": ["input_ids", "attention_mask"], "tokenizer_class": "BertTokenizer", "unk_token": "[UNK]",
        "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]",
    })


if __name__ == "__main__":
    main()
