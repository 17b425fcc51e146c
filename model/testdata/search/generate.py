"""Goldens for the searches: what the reference implementations find in toy language models.

    python generate.py --microsoft DIR > searches.json

Run by hand, with the packages of ../gen/requirements.txt and a checkout of
microsoft/GenerativeImage2Text at faae4fb in DIR. The toy model's logits follow from a seed, the
last token and the length (see logits); its searches are long, tie-free and end in every way."""

import argparse
import importlib.util
import json
import math
import pathlib

import torch
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

VOCABULARY, BEGIN, END = 12, 1, 3


def logits(seed, ids):
    last, length = ids[-1], len(ids)
    phase = [seed * 12.9898 + last * 78.233 + length * 37.719 + token * 17.31 for token in range(VOCABULARY)]
    row = [3 * math.sin(p * p) for p in phase]
    row[END] += (seed % 5) - 2
    return row


def step(seed):
    return lambda ids: torch.tensor([logits(seed, row) for row in ids.tolist()], dtype=torch.float32)


class Toy(PreTrainedModel, GenerationMixin):
    config_class = PretrainedConfig

    def __init__(self, seed):
        super().__init__(PretrainedConfig(vocab_size=VOCABULARY, is_decoder=True))
        self.step, self.anchor = step(seed), torch.nn.Parameter(torch.zeros(1))

    def prepare_inputs_for_generation(self, input_ids, **_):
        return {"input_ids": input_ids}

    def forward(self, input_ids, **_):
        return CausalLMOutput(logits=self.step(input_ids)[:, None, :])


def huggingface(seed, prompt, beams, penalty, total):
    config = GenerationConfig(
        num_beams=beams, length_penalty=penalty, use_cache=False, bos_token_id=BEGIN,
        eos_token_id=END, pad_token_id=0, return_dict_in_generate=True, output_scores=True,
    )
    # max_length as an argument: in a configuration 20 would mean the default, 20 more than the prompt.
    out = Toy(seed).generate(torch.tensor([prompt]), generation_config=config, max_length=total)
    ids = out.sequences[0].tolist()[len(prompt):]
    return ids, float(out.sequences_scores[0]) if beams > 1 else None


def module(folder, name):
    spec = importlib.util.spec_from_file_location(name, folder / "generativeimage2text" / (name + ".py"))
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def beam_class(folder):
    """The class alone: its module imports what is not needed here."""
    source = (folder / "generativeimage2text/layers/decoder.py").read_text()
    start = source.index("class GeneratorWithBeamSearch")
    scope = {"torch": torch, "F": torch.nn.functional}
    exec(source[start:source.index("def top_k_top_p_filtering")], scope)
    return scope["GeneratorWithBeamSearch"]


def microsoft(search, seed, prompt, beams, penalty, total):
    generator = search(eos_index=END, max_steps=total, beam_size=beams, length_penalty=penalty)
    ids, score = generator.search(torch.tensor([prompt]), step(seed))
    return until_end(ids[0].tolist()[len(prompt):]), float(score)


def until_end(ids):
    return ids[: ids.index(END) + 1] if END in ids else ids


def trie(trie_module, seed, prompt, labels, total):
    tree = trie_module.TokenTrie.construct([label + [END] for label in labels])
    search = trie_module.TrieAutoRegressiveBeamSearch(eos_index=END, max_steps=total, beam_size=1, trie=tree)
    ids, _ = search.search(torch.tensor([prompt]), step(seed))
    ids = ids[0].tolist()
    return until_end(ids[len(prompt):] if len(ids) > 1 or ids[0] != END else ids)


LABELS = [[4, 5, 6], [4, 5, 5], [4, 7], [4, 4], [4, 4, 4], [7], [7, 7, 8], [8, 9, 10, 11], [8, 9, 10, 10], [9, 9], [9, 4], [10]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--microsoft", type=pathlib.Path, required=True)
    folder = parser.parse_args().microsoft
    search, tries = beam_class(folder), module(folder, "trie_decoder")
    cases = []
    for seed in range(1, 241):
        prompt = [BEGIN, 5, 7][: 1 + seed % 3]
        beams, total = 1 + seed % 5, len(prompt) + 1 + seed * 7 % 19
        penalty = [0.6, 1.0, 0.3, 2.0][seed % 4]
        base = {"seed": seed, "prompt": prompt, "beams": beams, "total": total, "length_penalty": penalty}
        ids, score = huggingface(seed, prompt, beams, penalty, total)
        cases.append(base | {"search": "hf", "ids": ids, "score": score})
        if beams > 1:
            ids, score = microsoft(search, seed, prompt, beams, penalty, total)
            cases.append(base | {"search": "microsoft", "ids": ids, "score": score})
        ids = trie(tries, seed, prompt, LABELS, total)
        cases.append(base | {"search": "trie", "ids": ids, "score": None})
    print('{"vocabulary": %d, "end": %d, "labels": %s, "cases": [' % (VOCABULARY, END, json.dumps(LABELS)))
    print(",\n".join(json.dumps(case) for case in cases))
    print("]}")


if __name__ == "__main__":
    main()
