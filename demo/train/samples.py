"""Reads the samples of `render samples` and makes batches of them."""

import json
import queue
import subprocess
import threading

import numpy as np
import torch

from words import COLOURS, SHAPES

FRAMES, SIDE = 6, 64
PATCHES = 4  # along each edge
NONE = -100  # a label that no loss looks at


def stream(command):
    """Endless pairs of what is true of a sample and its pictures [frames, SIDE, SIDE, 3]."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=1 << 20) as renderer:
        try:
            while True:
                truth = json.loads(renderer.stdout.readline())
                shape = (truth["frames"], SIDE, SIDE, 3)
                pixels = np.frombuffer(renderer.stdout.read(int(np.prod(shape))), np.uint8)
                yield truth, pixels.reshape(shape)
        finally:
            renderer.kill()


class Texts:
    """Turns texts into tokens, each text once."""

    def __init__(self, tokenizer):
        self.tokenizer, self.known = tokenizer, {}

    def __call__(self, text):
        if text not in self.known:
            self.known[text] = self.tokenizer(text, add_special_tokens=False).input_ids
        return self.known[text]


def segments(truth, texts, rng, questions):
    """The texts of a sample: (kind, tokens before the answer, answer, the object asked about by token)."""
    out = [("caption", [], texts(truth["caption"]), [])]
    asked = truth["questions"] or []
    for i in rng.permutation(len(asked))[:questions]:
        q = asked[i]
        prompt, meant = [], []
        for word in q["Text"].rstrip("?").split() + ["?"]:
            pieces = texts(word)
            prompt += pieces
            meant += [which(word, truth["objects"])] * len(pieces)
        known = [m for m in meant if m != NONE]
        meant[-1] = known[-1] if known else NONE  # the question mark knows what is asked about
        out.append((q["Kind"], prompt, texts(q["Answer"]), meant))
    return out


def which(word, objects):
    """The index of the object that a colour or shape belongs to."""
    for i, o in enumerate(objects):
        if word in (COLOURS[o["colour"]], SHAPES[o["shape"]]):
            return i
    return NONE


class Batch:
    """Samples with equally many frames. All texts of a sample are packed into one row."""

    def __init__(self, samples, texts, rng, questions, bos, eos):
        self.pixels = torch.from_numpy(np.stack([p for _, p in samples]))
        self.truths = [t for t, _ in samples]
        rows = [segments(t, texts, rng, questions) for t in self.truths]
        length = max(sum(1 + len(p) + len(a) for _, p, a, _ in row) for row in rows)
        names = ("ids", "segment", "position", "label", "meant", "mark")
        table = {n: np.full((len(rows), length), NONE if n in ("label", "meant", "mark") else 0) for n in names}
        self.kinds = []  # (row, kind, first, end of the labels)
        for r, row in enumerate(rows):
            at = 0
            for s, (kind, prompt, answer, meant) in enumerate(row):
                ids = [bos] + prompt + answer
                end = at + len(ids)
                table["ids"][r, at:end] = ids
                table["segment"][r, at:end] = s + 1
                table["position"][r, at:end] = range(len(ids))
                table["label"][r, at + len(prompt):end] = answer + [eos]
                if prompt:
                    table["meant"][r, at + 1:at + len(prompt)] = meant[:-1]
                    table["mark"][r, at + len(prompt)] = meant[-1]
                self.kinds.append((r, kind, at + len(prompt), end))
                at = end
        for n, v in table.items():
            setattr(self, n, torch.from_numpy(v))
        self.objects()

    def objects(self):
        """Labels of the first and the second object: motion, shape and colour, one above the index, 0 for no object."""
        n = len(self.truths)
        self.object = torch.zeros(n, 2, 3, dtype=torch.long)
        self.track = torch.zeros(n, self.pixels.shape[1], 2, 4)
        for r, t in enumerate(self.truths):
            for i, o in enumerate(t["objects"] or []):
                self.object[r, i] = torch.tensor([o["does"] + 1, o["shape"] + 1, o["colour"] + 1])
                self.track[r, :, i] = torch.tensor(o["track"])


def batches(command, texts, seed, size, stills, questions, bos, eos):
    """Endless batches, made by a thread; single pictures come in batches of their own, FRAMES times as many."""
    ready = queue.Queue(8)

    def work():
        rng = np.random.default_rng(seed)
        waiting = {1: [], FRAMES: []}
        for truth, pixels in stream(command):
            group = waiting[truth["frames"]]
            group.append((truth, pixels))
            if len(group) == (size if truth["frames"] == FRAMES else stills):
                ready.put(Batch(group, texts, rng, questions, bos, eos))
                group.clear()

    threading.Thread(target=work, daemon=True).start()
    while True:
        yield ready.get()
