"""How long transformers' generate takes, as users call it: the other side of `captiond bench`.

    python bench.py FOLDER [--threads N] [--tokens 20] [--runs 1]

FOLDER is a checkpoint (captiond bench names the one that it made, or parity.py makes one). As many frames as it has
temporal embeddings, greedily, exactly --tokens tokens; the processor's work and the loading are not counted. Prints one JSON
object on one line; clip_seconds is the median."""

import argparse
import json
import os
import pathlib
import statistics
import time

import numpy as np
import torch
import transformers
from transformers import GitForCausalLM


def frames(config):
    """pixel_values as a processor would give them, of random pictures."""
    side, count = config.vision_config.image_size, config.num_image_with_embedding
    rng = np.random.default_rng(0)
    shape = (1, 3, side, side) if count is None else (1, count, 3, side, side)
    return torch.from_numpy(rng.normal(0, 1, shape).astype(np.float32))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--tokens", type=int, default=20)
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    transformers.logging.set_verbosity_error()

    start = time.perf_counter()
    model = GitForCausalLM.from_pretrained(arguments.folder, dtype=torch.float32).eval()
    load = time.perf_counter() - start
    pixels = frames(model.config)
    model.generate(pixel_values=pixels, max_new_tokens=1)  # warm
    runs = []
    for _ in range(arguments.runs):
        start = time.perf_counter()
        ids = model.generate(pixel_values=pixels, min_new_tokens=arguments.tokens, max_new_tokens=arguments.tokens)
        runs.append(time.perf_counter() - start)
        assert ids.shape[1] == 1 + arguments.tokens, ids.shape
    print(json.dumps({
        "clip_seconds": round(statistics.median(runs), 3), "runs": [round(r, 3) for r in runs],
        "load_seconds": round(load, 3), "frames": model.config.num_image_with_embedding or 1, "tokens": arguments.tokens,
        "threads": arguments.threads, "transformers": transformers.__version__, "torch": torch.__version__,
    }))


if __name__ == "__main__":
    main()
