"""Writes a checkpoint folder: random weights that spread the logits, configuration, vocabulary."""

import hashlib
import json
import zipfile

import torch
from safetensors.torch import save_file
from transformers import BertTokenizerFast, GitConfig, GitForCausalLM

import vocabulary

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def dump(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def hub_config(spec, tokens):
    """config.json as it is written: only what differs from the defaults, or all of it as the Hub has it."""
    config = {"architectures": ["GitForCausalLM"], "model_type": "git"} | spec["config"]
    config["vision_config"] = dict(spec["vision"])
    config["vocab_size"] = len(tokens)
    if spec.get("bare"):
        del config["architectures"]
        return config
    if spec["tied"]:
        config["tie_word_embeddings"] = True
    if not spec["hub_ids"]:
        config["bos_token_id"], config["eos_token_id"] = tokens.index("[CLS]"), tokens.index("[SEP]")
    if spec["hub_ids"]:
        full = GitConfig(**{k: v for k, v in config.items() if k != "architectures"}).to_dict()
        full.pop("transformers_version")
        config = full | {"architectures": ["GitForCausalLM"]}
    config["torch_dtype"] = spec["dtype"]
    return config


def _generator(seed, name):
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def _draw(name, shape, seed, scale, gain):
    noise = torch.randn(shape, generator=_generator(seed, name))
    norm = "norm" in name.lower() or "layrnorm" in name or "visual_projection.1" in name
    if norm and name.endswith("weight"):
        return 1 + 0.35 * noise.clamp(-2, 2)
    if name.endswith("bias"):
        return 0.3 * noise * (gain if name.startswith("git.encoder") else 1)
    if "word_embeddings" in name:
        return 0.6 * scale * noise
    if name == "git.embeddings.position_embeddings.weight":
        return 1.5 * scale * noise
    if "position_embedding" in name or "class_embedding" in name:
        return scale * noise
    if "temp" in name:
        return 1.2 * noise
    fan = shape.numel() // shape[0]
    if "patch_embedding" in name:
        return 2 * scale * noise / fan**0.5
    if name == "output.weight":
        return 4 * noise / fan**0.5
    sharp = any(s in name for s in ("q_proj", "k_proj", "query", "key"))
    if name.startswith("git.encoder") and "output.dense" in name:
        return 1.3 * gain * noise / fan**0.5
    return (1.7 if sharp else 1.3) * noise / fan**0.5


def randomise(model, seed, scale, gain):
    """scale: of the embeddings; gain: of what a text layer adds to its input. Every parameter from its own stream, so that a new parameter changes no other."""
    for name, parameter in model.named_parameters():
        parameter.data.copy_(_draw(name, parameter.shape, seed, scale, gain))


def bias_head(model, tokens, seed):
    """Fillers stay rare; the end comes now and then."""
    bias = model.output.bias.data
    for i, token in enumerate(tokens):
        if token.startswith("[unused") or token in ("[PAD]", "[MASK]", "[CLS]"):
            bias[i] -= 6
    bias[tokens.index("[SEP]")] += 1.0 + 0.25 * (seed % 9)


def build(spec, tokens, seed):
    """The model in float32, its values rounded to what the file will hold."""
    config = hub_config(spec, tokens)
    config.pop("torch_dtype", None)
    model = GitForCausalLM(GitConfig(**config, attn_implementation="eager")).eval()
    randomise(model, seed, spec.get("scale", 1.0), spec.get("gain", 1.0))
    bias_head(model, tokens, seed)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(DTYPES[spec["dtype"]]).float()
    model.tie_weights()
    return model


def _tensors(model, spec):
    dtype, renamed = DTYPES[spec["dtype"]], spec.get("temporal", "img_temperal_embedding")
    tensors = {}
    for name, value in model.state_dict().items():
        if spec["tied"] and name == "output.weight":
            continue
        tensors[name.replace("img_temperal_embedding", renamed)] = value.to(dtype).contiguous()
    if spec.get("stray_head"):
        tensors["output.weight"] = torch.randn(model.output.weight.shape, generator=_generator(0, "stray")).to(dtype)
    return tensors


def _age(tensors, model):
    """As a file of 2022 may be: buffers, the tied head sharing a storage, a weight stored transposed."""
    config = model.config
    patches = (config.vision_config.image_size // config.vision_config.patch_size) ** 2 + 1
    tensors["git.embeddings.position_ids"] = torch.arange(config.max_position_embeddings).expand(1, -1)
    tensors["git.image_encoder.vision_model.embeddings.position_ids"] = torch.arange(patches).expand(1, -1)
    tensors["output.weight"] = tensors["git.embeddings.word_embeddings.weight"]
    name = "git.encoder.layer.0.intermediate.dense.weight"
    tensors[name] = tensors[name].t().contiguous().t()
    both = torch.cat([tensors[f"git.encoder.layer.0.attention.self.{n}.bias"] for n in ("query", "value")])
    half = len(both) // 2
    tensors["git.encoder.layer.0.attention.self.query.bias"] = both[:half]
    tensors["git.encoder.layer.0.attention.self.value.bias"] = both[half:]


def save_bin(tensors, path):
    """torch.save with a fixed archive name, so that the bytes do not depend on the path."""
    from collections import OrderedDict
    with open(path, "wb") as out:
        torch.save(OrderedDict(tensors), out)
    assert zipfile.is_zipfile(path)


def write_weights(folder, model, spec):
    tensors = _tensors(model, spec)
    if spec.get("old_bin"):
        _age(tensors, model)
    path = folder / spec["weights"]
    if spec["weights"].endswith(".bin"):
        save_bin(tensors, path)
    else:
        save_file(tensors, path, metadata={"format": "pt"})


def write_vocabulary(folder, tokens, files):
    vocab = folder / "vocab.txt"
    vocab.write_text("\n".join(tokens) + "\n")
    if "tokenizer.json" in files:
        BertTokenizerFast(str(vocab), do_lower_case=True).backend_tokenizer.save(str(folder / "tokenizer.json"))
    if "vocab.txt" not in files:
        vocab.unlink()
    dump(folder / "tokenizer_config.json", {
        "do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True, "model_max_length": 512,
        "model_input_names": ["input_ids", "attention_mask"], "tokenizer_class": "BertTokenizer",
    } | {f"{k}_token": v for k, v in vocabulary.SPECIALS.items()})


def write(folder, model, spec, tokens):
    """The whole folder, as a checkpoint lies on the Hub."""
    folder.mkdir(parents=True, exist_ok=True)
    config = hub_config(spec, tokens)
    dump(folder / "config.json", config)
    write_weights(folder, model, spec)
    write_vocabulary(folder, tokens, spec["files"])
    if spec.get("nested"):
        dump(folder / "processor_config.json",
             {"image_processor": spec["preprocessor"], "processor_class": "GitProcessor"})
    else:
        dump(folder / "preprocessor_config.json", spec["preprocessor"])
    generation = spec.get("generation", {})
    if generation is not None:
        dump(folder / "generation_config.json", {
            "_from_model_config": True, "bos_token_id": tokens.index("[CLS]"), "eos_token_id": tokens.index("[SEP]"),
            "pad_token_id": 0, "transformers_version": "4.26.0.dev0"} | generation)
