"""The reference for what only Microsoft's code does: its transform, its beam search, its trie decoding.

The code is used from a checkout of microsoft/GenerativeImage2Text at faae4fb, none of it is copied. Modules that it
imports and never calls here (cloud storage and the like) are replaced by empty ones."""

import sys
import types

import numpy as np
import torch


def open_checkout(folder):
    """Makes the checkout importable."""
    for name in ("azfuse", "six", "boto3", "botocore", "botocore.exceptions"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["azfuse"].File = object
    sys.modules["botocore.exceptions"].ClientError = Exception
    sys.path.insert(0, str(folder))


def transform(kind, size, limit):
    """Microsoft's test transform: a function from pictures to uint8 [F,H,W,3] and float32 [F,3,H,W]."""
    from generativeimage2text.inference import get_image_transform
    parameters = {"test_crop_size": size}
    if kind == "microsoft-vqa":
        parameters["test_respect_ratio_max"] = limit
    whole = get_image_transform(parameters)

    def apply(pictures):
        raw = []
        for picture in pictures:
            for step in whole.transforms[:-2]:
                picture = step(picture)
            raw.append(np.asarray(picture))
        return np.stack(raw), torch.stack([whole(p) for p in pictures]).numpy()

    return apply


def _vision_weights(state, layers):
    source, weights = "git.image_encoder.vision_model.", {}
    embeddings = source + "embeddings."
    weights["class_embedding"] = state[embeddings + "class_embedding"]
    weights["positional_embedding"] = state[embeddings + "position_embedding.weight"]
    weights["conv1.weight"] = state[embeddings + "patch_embedding.weight"]
    for ours, theirs in (("ln_pre", "pre_layrnorm"), ("ln_post", "post_layernorm")):
        for part in ("weight", "bias"):
            weights[f"{ours}.{part}"] = state[f"{source}{theirs}.{part}"]
    pairs = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2",
             "attn.out_proj": "self_attn.out_proj"}
    for i in range(layers):
        layer, block = f"{source}encoder.layers.{i}.", f"transformer.resblocks.{i}."
        for part in ("weight", "bias"):
            for ours, theirs in pairs.items():
                weights[f"{block}{ours}.{part}"] = state[f"{layer}{theirs}.{part}"]
            weights[f"{block}attn.in_proj_{part}"] = torch.cat(
                [state[f"{layer}self_attn.{n}_proj.{part}"] for n in "qkv"])
    return weights


def _text_weights(state):
    names = {"git.embeddings.word_embeddings": "embedding.words", "git.embeddings.position_embeddings": "embedding.positions",
             "git.embeddings.LayerNorm": "embedding.layer_norm",
             "git.visual_projection.visual_projection": "visual_projection",
             "git.encoder.layer": "transformer.encoder.layer", "output": "output"}
    weights = {}
    for name, value in state.items():
        for theirs, ours in names.items():
            if name.startswith(theirs + "."):
                weights[ours + name[len(theirs):]] = value
                break
    return weights


class Microsoft:
    """Microsoft's CaptioningModel with the reference's weights."""

    def __init__(self, reference):
        from generativeimage2text.layers.CLIP.model import VisualTransformer
        from generativeimage2text.layers.decoder import CaptioningModel, TransformerDecoderTextualHead
        config, self.reference = reference.model.config, reference
        vision, state = config.vision_config, reference.model.state_dict()
        assert vision.intermediate_size == 4 * vision.hidden_size
        encoder = VisualTransformer(vision.image_size, vision.patch_size, vision.hidden_size, vision.num_hidden_layers,
                                    vision.num_attention_heads, 1, output_grid=True, grid_after_ln=True)
        encoder.load_state_dict(_vision_weights(state, vision.num_hidden_layers))
        decoder = TransformerDecoderTextualHead(
            visual_feature_size=vision.hidden_size, vocab_size=config.vocab_size, hidden_size=config.hidden_size,
            num_layers=config.num_hidden_layers, attention_heads=config.num_attention_heads,
            feedforward_size=config.intermediate_size, max_caption_length=config.max_position_embeddings,
            mask_future_positions=True, padding_idx=0, decoder_type="bert_en", visual_projection_type="linearLn",
            not_tie_weight=not config.tie_word_embeddings)
        decoder.load_state_dict(_text_weights(state))
        self.model = CaptioningModel(encoder, decoder, sos_index=reference.bos, eos_index=reference.eos,
                                     tokenizer=reference.tokenizer, use_history_for_infer=True, loss_type="smooth",
                                     num_image_with_embedding=config.num_image_with_embedding).eval()
        for i, value in enumerate(getattr(reference.model.git, "img_temperal_embedding", [])):
            self.model.img_temperal_embedding[i].data = value.data

    def _infer(self, search, pixels, prompt):
        self.model.decoder = search
        with torch.no_grad():
            out = self.model({"image": [p[None] for p in torch.from_numpy(pixels)], "prefix": torch.tensor([prompt])})
        return out["predictions"].flatten().tolist(), out["logprobs"].flatten()[0].item()

    def beam(self, pixels, prompt, case, noise=None):
        """ids after the prompt (SEP-padded as Microsoft returns them) and the score."""
        from generativeimage2text.layers.decoder import GeneratorWithBeamSearch
        search = GeneratorWithBeamSearch(eos_index=self.reference.eos, max_steps=case["max_length"],
                                         beam_size=case["beams"], length_penalty=case["length_penalty"])
        return self._infer(_Disturbed(search, noise), pixels, prompt)

    def trie(self, pixels, prompt, case, noise=None):
        from generativeimage2text.trie_decoder import TokenTrie, TrieAutoRegressiveBeamSearch
        trie = TokenTrie.construct([self.reference.label_ids(label) for label in case["labels"]])
        search = TrieAutoRegressiveBeamSearch(eos_index=self.reference.eos, max_steps=case["max_length"], beam_size=1, trie=trie)
        return self._infer(_Disturbed(search, noise), pixels, prompt)


class _Disturbed:
    """A search whose logits carry noise, or not."""

    def __init__(self, search, noise):
        self._search, self._noise = search, noise

    def search(self, start, step, **more):
        disturbed = (lambda ids: self._noise(ids, step(ids))) if self._noise else step
        return self._search.search(start, disturbed, **more)
