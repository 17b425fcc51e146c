"""Makes ../picture.png, ../golden.json and ../testdata/windows.json: what transformers 4.56.2 says with the demo model, by
greedy search.

    python golden.py --render ./render          (in this folder; packages: requirements.txt)

picture.png is what `captiond doctor` and `captiond model verify` caption. The windows are those of `render frames`, which a test
draws again."""

import argparse
import json
import pathlib
import subprocess

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, GitForCausalLM

DEMO = pathlib.Path(__file__).resolve().parent.parent
SIDE, SEED, WINDOWS = 96, 41, 40


def picture():
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    pixels = np.stack([90 + x // 2, 120 + y // 3, 150 - x // 3], -1).astype(np.uint8)
    pixels[np.hypot(x - 60, y - 40) <= 18] = (220, 40, 40)
    pixels[(abs(x - 28) <= 12) & (abs(y - 66) <= 12)] = (50, 80, 220)
    return Image.fromarray(pixels)


class Reference:
    def __init__(self):
        folder = DEMO / "model"
        self.processor = AutoImageProcessor.from_pretrained(folder, use_fast=False)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = GitForCausalLM.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation="eager").eval()

    def say(self, images, prompt=""):
        """The tokens after the prompt, without the end token."""
        pixels = self.processor(images=images, return_tensors="pt").pixel_values  # [1, frames, 3, 64, 64]
        if len(images) == 1:
            pixels = pixels[:, 0]  # a single picture has no time
        ids = [self.tokenizer.cls_token_id] + self.tokenizer(prompt, add_special_tokens=False).input_ids
        with torch.no_grad():
            out = self.model.generate(pixel_values=pixels, input_ids=torch.tensor([ids]), max_length=50, num_beams=1)[0].tolist()
        said = out[len(ids):]
        return said[:said.index(self.tokenizer.sep_token_id)] if self.tokenizer.sep_token_id in said else said

    def text(self, ids):
        return self.tokenizer.decode(ids)


def windows(render):
    """Pairs of truth and pictures."""
    command = [render, "frames", "-seed", str(SEED), "-n", str(WINDOWS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as renderer:
        for line in renderer.stdout:
            truth = json.loads(line)
            shape = (truth["frames"], truth["height"], truth["width"], 3)
            pixels = np.frombuffer(renderer.stdout.read(int(np.prod(shape))), np.uint8).reshape(shape)
            yield truth, [Image.fromarray(p) for p in pixels]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--render", required=True, help="the renderer's program")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    picture().save(DEMO / "picture.png", optimize=True)
    reference = Reference()
    golden, said, right = reference.say([picture()]), [], 0
    (DEMO / "golden.json").write_text(json.dumps(golden) + "\n")
    for truth, images in windows(arguments.render):
        caption = reference.text(reference.say(images))
        answers = [reference.text(reference.say(images, q["Text"])) for q in truth["questions"]]
        said.append({"seed": truth["seed"], "caption": caption, "answers": answers})
        right += caption == truth["caption"]
    print(f"picture: {reference.text(golden)}; {right} of {len(said)} captions right")
    (DEMO / "testdata").mkdir(exist_ok=True)
    (DEMO / "testdata" / "windows.json").write_text("[\n" + ",\n".join(json.dumps(w) for w in said) + "\n]\n")


if __name__ == "__main__":
    main()
