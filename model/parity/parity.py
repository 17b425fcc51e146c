"""Full-size checkpoints with random weights, and what transformers 4.56.2 says about them.

    python parity.py FOLDER [--only NAME]

Each folder it makes has the form of model/testdata/README.md: a checkpoint, golden.json, golden.safetensors. The pictures
are those of model/testdata/pictures."""

import argparse
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
GEN = HERE.parent / "testdata" / "gen"
sys.path.insert(0, str(GEN))

import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

import checkpoint  # noqa: E402
import huggingface  # noqa: E402
import specs  # noqa: E402
import vocabulary  # noqa: E402
from goldens import Goldens  # noqa: E402

STEPS = 20
TEXT = specs.text(768, 3072, 6, 12, 1024)
BASE = specs.vision(768, 3072, 12, 12, 224, 16)
LARGE = specs.vision(1024, 4096, 24, 16, 224, 14)
CASE = {"search": "greedy", "max_length": 1 + STEPS}


def spec(about, vision, frames=None):
    """A float32 checkpoint as on the Hub. frames: the number of temporal embeddings."""
    side = vision["image_size"]
    pictures = ["large"] if frames is None else [f"frame-{i}" for i in range(frames)]
    return {
        "about": about, "config": TEXT | ({"num_image_with_embedding": frames} if frames else {}), "vision": vision,
        "tied": False, "gain": 0.4, "hub_ids": True, "files": ["vocab.txt"], "weights": "model.safetensors", "dtype": "float32",
        "preprocessor": specs.videomae(side) if frames else specs.clip(side),
        "inputs": {"look": {"pictures": pictures}},
        "cases": {"caption": {"input": "look"} | CASE},
    }


SPECS = {
    "base": spec("git-base", BASE),
    "base-480": spec("git-base-vqav2", BASE | {"image_size": 480}),
    "base-video": spec("git-base-vatex", BASE, 6),
    "large": spec("git-large", LARGE),
    "large-video": spec("git-large-vatex", LARGE, 6),
}
SEEDS = {"large-video": 2}


def tokens():
    """30522 tokens: the small vocabulary and made-up words."""
    known = vocabulary.build(hub_ids=True)
    return known + [f"word{i}" for i in range(len(known), 30522)]


class Remembering(torch.nn.Module):
    """The vision tower, run once per picture: generate() would run it again for every token."""

    def __init__(self, tower):
        super().__init__()
        self.tower, self._seen = tower, []

    def forward(self, pixels, **more):
        for known, output in self._seen:
            if torch.equal(known, pixels):
                break
        else:
            output = self.tower(pixels, **more)
            self._seen.append((pixels.clone(), output))
        fresh = type(output)(**output)
        fresh["last_hidden_state"] = output.last_hidden_state.clone()  # GitModel adds to it in place
        return fresh


def make(name, folder):
    wanted = SPECS[name]
    words = tokens()
    checkpoint.write(folder, checkpoint.build(wanted, words, SEEDS.get(name, 1)), wanted, words)
    reference = huggingface.Reference(folder, wanted)
    reference.model.git.image_encoder = Remembering(reference.model.git.image_encoder)
    goldens = Goldens(reference, wanted, GEN.parent / "pictures")
    goldens.run(vary=False)
    checkpoint.dump(folder / "golden.json", goldens.document(name))
    save_file(goldens.tensors, folder / "golden.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", action="append", choices=list(SPECS))
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    for name in arguments.only or SPECS:
        if (arguments.folder / name / "golden.safetensors").exists():
            continue  # written last: the folder is whole
        print(f"parity: reference of {name}", file=sys.stderr, flush=True)
        make(name, arguments.folder / name)


if __name__ == "__main__":
    main()
