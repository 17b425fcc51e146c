"""Trains the demo model, a GIT that captions the moving-shapes world.

    go build -o render ../render && ./render pool -seed 11 -n 900 -o pool      (once: films, as H.264 leaves them)
    python train.py --render ./render --pool pool --work DIR                   (packages: requirements.txt)
    python export.py DIR                                                       (writes ../model)

Two cores take a little over an hour. DIR gets a checkpoint every few minutes, from which a run that was cut off goes on, and
log.txt with the score on clips that training does not see."""

import argparse
import collections
import dataclasses
import json
import math
import pathlib
import sys
import time

import torch
import transformers

from learner import Learner
from samples import Texts, batches
from vocabulary import tokenizer
from words import MOTIONS, SHAPES

SEED = 20261124


@dataclasses.dataclass
class Phase:
    """A part of the training; rates fall along a cosine to a tenth, if the phase goes on as long as the cosine."""

    name: str
    steps: int
    rate: float
    cosine: int  # steps
    eye: float = 0  # rate of the image encoder, as a part of the rate; 0: frozen
    clips: int = 48  # a batch
    stills: int = 192
    part: float = 0.125  # of the samples that are single pictures
    questions: int = 3  # for each sample
    weight: dict = dataclasses.field(default_factory=dict)  # of losses, 1 where not said


PHASES = [
    Phase("see", 3000, 1e-3, 3200, eye=1, part=1, stills=256),
    Phase("tell", 1000, 1e-3, 2600),
    Phase("join", 4000, 7e-4, 4000, eye=0.5, weight={"patch": 0.2, "half": 0.2, "doing": 0.5}),
]


class Run:
    def __init__(self, arguments):
        torch.manual_seed(SEED)
        self.arguments, self.phase, self.step = arguments, 0, 0
        self.work = pathlib.Path(arguments.work)
        self.work.mkdir(parents=True, exist_ok=True)
        self.learner = Learner()
        for part in ("eye", "patches", "halves"):  # twice as fast
            setattr(self.learner, part, torch.compile(getattr(self.learner, part)))
        self.texts = Texts(tokenizer())
        c = self.learner.model.config
        self.ends = (c.bos_token_id, c.eos_token_id)
        self.checkpoint = self.work / "checkpoint.pt"
        self.optimiser, self.resumed = None, None
        if self.checkpoint.exists():
            saved = torch.load(self.checkpoint)
            self.learner.load_state_dict(saved["learner"])
            self.phase, self.step = saved["phase"], saved["step"]
            self.resumed = saved["optimiser"] if self.step else None

    def log(self, **what):
        line = json.dumps(what)
        print(line, flush=True)
        with open(self.work / "log.txt", "a") as f:
            f.write(line + "\n")

    def save(self):
        held = {"learner": self.learner.state_dict(), "optimiser": self.optimiser.state_dict(),
                "phase": self.phase, "step": self.step}
        torch.save(held, self.checkpoint.with_suffix(".new"))
        self.checkpoint.with_suffix(".new").rename(self.checkpoint)

    def renderer(self, seed, part, pool):
        command = [self.arguments.render, "samples", "-seed", str(seed), "-stills", str(part), "-filmed", "0.7"]
        return command + (["-pool", pool] if pool and pathlib.Path(pool).exists() else [])

    def groups(self, p):
        eye = list(self.learner.model.git.image_encoder.parameters()) + list(self.learner.patch.parameters()) + \
            list(self.learner.sides.parameters())
        seen = {id(q) for q in eye}
        rest = [q for q in self.learner.parameters() if id(q) not in seen]
        return [{"params": eye, "scale": p.eye}, {"params": rest, "scale": 1.0}]

    def run(self):
        while self.phase < len(PHASES):
            self.train(PHASES[self.phase])
            self.phase, self.step = self.phase + 1, 0
            self.save()

    def train(self, p):
        self.optimiser = torch.optim.AdamW(self.groups(p), lr=p.rate, betas=(0.9, 0.98), weight_decay=0.01)
        if self.resumed:
            self.optimiser.load_state_dict(self.resumed)
            self.resumed = None
        seed = SEED + 1000 * self.phase + self.step  # a resumed run sees new samples
        command = self.renderer(seed, p.part, self.arguments.pool)
        feed = batches(command, self.texts, seed, p.clips, p.stills, p.questions, *self.ends)
        start, mean, seeing = time.time(), collections.defaultdict(float), p.name == "see"
        while self.step < p.steps:
            self.rates(p)
            losses = self.update(next(feed), p, seeing)
            self.step += 1
            for k, v in losses.items():
                mean[k] += 0.02 * (v.item() - mean[k])
            if self.step % 100 == 0:
                self.log(phase=p.name, step=self.step, seconds=round(time.time() - start),
                         **{k: round(v, 4) for k, v in mean.items()})
            if self.step % 500 == 0:
                self.save()
                self.log(phase=p.name, step=self.step, **self.score(seeing))

    def rates(self, p):
        rate = p.rate * (0.1 + 0.9 * (1 + math.cos(math.pi * self.step / p.cosine)) / 2) * min(1, (self.step + 1) / 200)
        for g in self.optimiser.param_groups:
            g["lr"] = rate * g["scale"]

    def update(self, batch, p, seeing):
        with torch.autocast("cpu", torch.bfloat16):
            losses = self.learner.losses(batch, seeing, p.eye == 0)
        self.optimiser.zero_grad()
        sum(v * p.weight.get(k, 1) for k, v in losses.items()).backward()
        torch.nn.utils.clip_grad_norm_(self.learner.parameters(), 1)
        self.optimiser.step()
        return losses

    def score(self, seeing):
        """Scores on samples that training does not see: half of them from films, if there is a pool of those."""
        command = self.renderer(SEED - 1, 1.0 if seeing else 0.125, self.arguments.held)
        feed = batches(command, self.texts, 1, 96, 512, 100, *self.ends)
        with torch.no_grad():
            if seeing:
                return self.sight(next(feed))
            right = collections.defaultdict(list)
            for _ in range(7):
                self.check(next(feed), right)
        return {k: round(sum(v) / len(v), 4) for k, v in sorted(right.items())}

    def sight(self, batch):
        features = self.learner.eye(batch.pixels)
        out = self.learner.sides(features[:, 0, 0]).unflatten(-1, (2, -1)).float()
        kind, place = torch.zeros(len(out), 2, 2, dtype=torch.long), torch.zeros(len(out), 2, 3)
        for r, t in enumerate(batch.truths):
            for i in range(len(t["objects"] or [])):
                side = int(batch.track[r, 0, i, 1] >= 0.5)
                kind[r, side], place[r, side] = batch.object[r, i, 1:], batch.track[r, 0, i, 1:]
        there = kind[..., 0] > 0
        n = len(SHAPES) + 1
        guess = out[..., :n].argmax(-1)
        colour = out[..., n:-3].argmax(-1)
        off = (out[..., -3:] / 10 - place).abs()[there].mean(0)
        return {"shape": (guess == kind[..., 0])[there].float().mean().item(), "nothing": (guess == 0)[~there].float().mean().item(),
                "colour": (colour == kind[..., 1])[there].float().mean().item(), "off": [round(v, 4) for v in off.tolist()]}

    def check(self, batch, right):
        """Greedy search says the same as the references just where every word is the likeliest after the true ones."""
        with torch.autocast("cpu", torch.bfloat16):
            states = self.learner.read(self.learner.eye(batch.pixels), batch)
            best = self.learner.model.output(states[-1][1]).argmax(-1)
        same = (best == batch.label) | (batch.label < 0)
        for r, kind, first, end in batch.kinds:
            ok = float(same[r, first:end].all())
            still = batch.pixels.shape[1] == 1
            right["still " + kind if still else kind].append(ok)
            if kind == "caption" and not still:
                for o in batch.truths[r]["objects"] or []:
                    right[MOTIONS[o["does"]]].append(ok)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--render", required=True, help="the renderer's program")
    parser.add_argument("--pool", help="films from `render pool`")
    parser.add_argument("--held", help="films of another seed, for the score")
    parser.add_argument("--work", required=True, help="folder of checkpoints and log")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    transformers.logging.set_verbosity_error()
    run = Run(arguments)
    run.log(seed=SEED, python=sys.version.split()[0], torch=torch.__version__, transformers=transformers.__version__,
            weights=sum(p.numel() for p in run.learner.model.parameters()))
    run.run()


if __name__ == "__main__":
    main()
