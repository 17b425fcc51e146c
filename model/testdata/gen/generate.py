"""Makes the tiny checkpoints and their goldens. Run by hand; see ../README.md.

    python generate.py --microsoft DIR [--out DIR] [--only NAME] [--search]

Re-running gives the same files. --search looks for seeds at which every search is well conditioned (prints them for
specs.SEEDS); without it a badly conditioned golden is an error."""

import argparse
import pathlib
import shutil
import sys

import torch
import transformers
from safetensors.numpy import save_file

import checkpoint
import huggingface
import microsoft
import pictures
import specs
import vocabulary
from conditions import IllConditioned, check_weights_matter
from goldens import Goldens


def make(name, spec, seed, out):
    """One checkpoint with its goldens; raises IllConditioned."""
    tokens = vocabulary.build(spec["hub_ids"])
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    checkpoint.write(folder, checkpoint.build(spec, tokens, seed), spec, tokens)
    reference = huggingface.Reference(folder, spec)
    goldens = Goldens(reference, spec, out / "pictures")
    goldens.run()
    check_weights_matter(reference, goldens)
    document, tensors = goldens.document(name), goldens.tensors
    checkpoint.dump(folder / "golden.json", document)
    save_file(tensors, folder / "golden.safetensors")


def search(name, spec, seed, out, tries):
    for candidate in range(seed, seed + tries):
        try:
            make(name, spec, candidate, out)
            return candidate
        except IllConditioned as reason:
            if tries == 1:
                raise
            print(f"{name}: seed {candidate}: {reason}", file=sys.stderr)
    raise IllConditioned(f"{name}: no seed in {tries}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = pathlib.Path(__file__).resolve().parent
    parser.add_argument("--microsoft", type=pathlib.Path, required=True, help="checkout of microsoft/GenerativeImage2Text at faae4fb")
    parser.add_argument("--out", type=pathlib.Path, default=here.parent)
    parser.add_argument("--only", action="append", help="a checkpoint's name; all by default")
    parser.add_argument("--search", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    microsoft.open_checkout(arguments.microsoft)
    pictures.write(arguments.out / "pictures")
    for name in arguments.only or specs.SPECS:
        tries = 300 if arguments.search else 1
        seed = search(name, specs.SPECS[name], specs.SEEDS.get(name, 1), arguments.out, tries)
        print(f'    "{name}": {seed},', flush=True)


if __name__ == "__main__":
    main()
