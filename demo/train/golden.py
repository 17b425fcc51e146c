"""Makes picture.png and golden.json: the picture that `captiond model verify` and `captiond
doctor` caption, and the tokens that transformers 4.56.2 gives it with the demo model by greedy
search. Run by hand in this folder's parent: python3 train/golden.py (requirements as in
model/testdata/gen)."""

import json

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, GitForCausalLM

SIDE = 96


def picture():
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    pixels = np.stack([90 + x // 2, 120 + y // 3, 150 - x // 3], -1).astype(np.uint8)
    pixels[np.hypot(x - 60, y - 40) <= 18] = (220, 40, 40)
    pixels[(abs(x - 28) <= 12) & (abs(y - 66) <= 12)] = (50, 80, 220)
    return Image.fromarray(pixels)


def main():
    picture().save("picture.png", optimize=True)
    processor = AutoImageProcessor.from_pretrained("model", use_fast=False)
    model = GitForCausalLM.from_pretrained("model", attn_implementation="eager").eval()
    pixels = processor(images=Image.open("picture.png").convert("RGB"), return_tensors="pt").pixel_values
    if pixels.ndim == 5:  # a video processor: one frame is a single picture
        pixels = pixels[:, 0]
    with torch.no_grad():
        ids = model.generate(pixel_values=pixels, max_length=50, num_beams=1)[0].tolist()
    end = ids.index(model.config.eos_token_id) if model.config.eos_token_id in ids else len(ids)
    with open("golden.json", "w") as f:
        json.dump(ids[1:end], f)
        f.write("\n")


if __name__ == "__main__":
    main()
