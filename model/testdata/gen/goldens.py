"""Runs a checkpoint's cases through the references and collects what they say."""

import numpy as np
import torch
import transformers

import huggingface
import microsoft
import pictures
from conditions import IllConditioned, check_steps, check_variety

STAGES = ("pixels_u8", "pixels", "features", "projected")
SEARCHES = {"greedy": "_greedy", "beam": "_beam", "labels": "_labels", "microsoft": "_microsoft_beam", "trie": "_trie"}


class Goldens:
    def __init__(self, reference, spec, folder):
        self.reference, self.spec, self.folder = reference, spec, folder
        self.tensors, self.cases, self.inputs, self._seen, self._pixels = {}, [], [], {}, {}
        self._microsoft = None

    def run(self, vary=True):
        for name, given in self.spec["inputs"].items():
            self._input(name, given)
        cases = self.spec["cases"].items()
        found = {name: self._case(name, case) for name, case in cases if case["search"] == "greedy"}
        if vary:
            check_variety(found.values())  # before the slow searches
        found |= {name: self._case(name, case) for name, case in cases if case["search"] != "greedy"}
        self.cases = [found[name] for name, _ in cases]

    def document(self, name):
        return {
            "checkpoint": name, "about": self.spec["about"],
            "reference": {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0],
                          "microsoft": "faae4fb"},
            "config": self._config(), "inputs": self.inputs, "cases": self.cases, "encodings": self._encodings(),
        }

    def logit_cases(self):
        """A function that gives (input, ids, logits) of a few cases, for check_weights_matter."""
        kept = {}
        for case in self.cases:
            if case["search"] == "greedy":
                kept.setdefault(case["input"], case)
        rows = [(self._seen[c["input"]], c["ids"], self.reference.logits(self._seen[c["input"]], c["ids"]))
                for c in kept.values()]
        longest = max((c for c in self.cases if c["search"] == "greedy"), key=lambda c: len(c["ids"]))
        seen = self._seen[longest["input"]]
        ids = (longest["ids"] * 20)[: self.reference.model.config.max_position_embeddings]
        rows.append((seen, ids, self.reference.logits(seen, ids)))
        return lambda: rows

    def _config(self):
        """The configuration with every default filled in, as transformers reads it."""
        config, keys = self.reference.model.config, (
            "hidden_size intermediate_size num_hidden_layers num_attention_heads hidden_act layer_norm_eps").split()
        vision = {k: getattr(config.vision_config, k) for k in keys + ["image_size", "patch_size", "num_channels"]}
        more = "max_position_embeddings vocab_size num_image_with_embedding tie_word_embeddings pad_token_id".split()
        return {k: getattr(config, k) for k in keys + more} | {
            "bos_token_id": self.reference.bos, "eos_token_id": self.reference.eos, "vision_config": vision}

    def _input(self, name, given):
        images = pictures.load(self.folder, given["pictures"])
        transform = given.get("transform", "checkpoint")
        if transform == "checkpoint":
            raw, pixels = self.reference.pixels(images)
        else:
            side = self.reference.model.config.vision_config.image_size
            raw, pixels = microsoft.transform(transform, side, self.spec.get("microsoft_max"))(images)
        seen, features, projected = self.reference.look(pixels, given.get("still", False))
        self._seen[name], self._pixels[name] = seen, pixels
        stages = dict(zip(STAGES, (raw, pixels, features, projected)))
        for stage in STAGES:
            self.tensors[f"input/{name}/{stage}"] = np.ascontiguousarray(stages[stage])
        self.inputs.append({"name": name, "pictures": given["pictures"], "transform": transform,
                            "still": given.get("still", False)}
                           | ({"microsoft_max": self.spec["microsoft_max"]} if transform == "microsoft-vqa" else {}))

    def _case(self, name, case):
        seen = self._seen[case["input"]]
        prompt = self.reference.prompt(case.get("question"))
        record = {"name": name, "input": case["input"], "question": case.get("question"), "prompt_ids": prompt} | case
        return record | getattr(self, SEARCHES[case["search"]])(record, seen, prompt)

    def _greedy(self, case, seen, prompt):
        ids, logits = self.reference.greedy(seen, prompt, case["max_length"])
        check_steps(case["name"], logits)
        again = self.reference.logits(seen, ids[:-1])[len(prompt) - 1:]
        assert (again - logits).abs().max() < 5e-5, "cached and uncached logits differ"
        self.tensors[f"case/{case['name']}/logits"] = logits.numpy()
        return self._said(seen, ids, prompt)

    def _said(self, seen, ids, prompt):
        each = self.reference.probabilities(seen, ids, prompt)
        return {"ids": ids, "text": self.reference.text(ids, prompt), "truncated": ids[-1] != self.reference.eos,
                "token_probabilities": each, "mean_probability": sum(each) / len(each), "min_probability": min(each)}

    def _beam(self, case, seen, prompt):
        found = self.reference.beams(seen, prompt, case)
        for seed in range(4):
            noisy = self.reference.beams(seen, prompt, case, huggingface.Noise(seed))
            if [ids for ids, _ in noisy] != [ids for ids, _ in found]:
                raise IllConditioned(f"{case['name']}: beams hang on rounding")
        hypotheses = [{"ids": ids, "score": score, "text": self.reference.text(ids, prompt)} for ids, score in found]
        return {"hypotheses": hypotheses} | self._said(seen, found[0][0], prompt) | {"score": found[0][1]}

    def _labels(self, case, seen, prompt):
        sums = []
        for label in case["labels"]:
            ids = prompt + self.reference.label_ids(label)
            rows = self.reference.logits(seen, ids)[len(prompt) - 1:-1].double().log_softmax(-1)
            sums.append(sum(rows[i, t] for i, t in enumerate(ids[len(prompt):])))
        sums = torch.stack(sums)
        order = sums.sort(descending=True).values
        if (order[:-1] - order[1:]).min() < 1e-3:
            raise IllConditioned("two labels hardly apart")
        return {"label_ids": [self.reference.label_ids(label) for label in case["labels"]],
                "log_probabilities": sums.tolist(), "label_probabilities": sums.softmax(0).tolist()}

    def _theirs(self):
        if self._microsoft is None:
            self._microsoft = microsoft.Microsoft(self.reference)
        return self._microsoft

    def _microsoft_search(self, run, case, prompt):
        pixels = self._pixels[case["input"]]
        padded, score = run(pixels, prompt, case)
        for seed in range(4):
            if run(pixels, prompt, case, huggingface.Noise(seed))[0] != padded:
                raise IllConditioned(f"{case['name']}: hangs on rounding")
        return padded, score

    def _microsoft_ids(self, padded, prompt):
        eos = self.reference.eos
        tail = padded[: padded.index(eos)] if eos in padded else padded
        return prompt + tail

    def _microsoft_beam(self, case, seen, prompt):
        padded, score = self._microsoft_search(self._theirs().beam, case, prompt)
        ids = self._microsoft_ids(padded, prompt)
        norm = ((5 + len(ids)) / 6) ** case["length_penalty"]
        whole = ids + [self.reference.eos]
        rows = self.reference.logits(seen, whole)[len(prompt) - 1:-1].double().log_softmax(-1)
        total = sum(rows[i, t] for i, t in enumerate(whole[len(prompt):])).item()
        ended = abs(total / norm - score) < 1e-4
        if not ended and len(ids) != case["max_length"] - 1:
            raise AssertionError(f"{case['name']}: score {score} is not that of {ids}: {total / norm}")
        return {"score": score} | self._said(seen, whole if ended else ids, prompt)

    def _trie(self, case, seen, prompt):
        padded, score = self._microsoft_search(self._theirs().trie, case, prompt)
        ids = self._microsoft_ids(padded, prompt) + [self.reference.eos]
        return {"label_ids": [self.reference.label_ids(label) for label in case["labels"]],
                "score": score} | self._said(seen, ids, prompt)

    def _encodings(self):
        """Texts to ids and back, with and without special tokens."""
        texts = ["what color is the ball?", "A Café isn't OPEN, it's 3:15!", "the  man's\tfootballs\n", "unknown ☃ snowman",
                 "playing-cards (2)", "[SEP] dog [UNK]", "naïve 中文 text", "x" * 101, ""]
        encoded = [{"text": t, "ids": self.reference.tokenizer(t, add_special_tokens=False)["input_ids"]} for t in texts]
        for e in encoded:
            e["decoded"] = self.reference.tokenizer.decode(e["ids"])
            e["decoded_without_special"] = self.reference.tokenizer.decode(e["ids"], skip_special_tokens=True)
        return encoded
