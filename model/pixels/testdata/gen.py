"""Makes golden.json: what the references make of procedural pictures.

Run by hand, from this folder, with
    pillow==11.3.0 transformers==4.56.2 torch==2.8.0 torchvision==0.23.0 numpy==2.2.6
The Microsoft cases follow generativeimage2text/inference.py of
microsoft/GenerativeImage2Text at faae4fb (get_image_transform, MinMaxResizeForTest), written
out here because that file imports a training stack.
"""

import base64
import hashlib
import json

import numpy as np
import PIL
import torch
import torchvision
import torchvision.transforms as T
import torchvision.transforms.functional as F
import transformers
from PIL import Image
from transformers import CLIPImageProcessor, VideoMAEImageProcessor

assert PIL.__version__ == "11.3.0" and transformers.__version__ == "4.56.2", (PIL, transformers)
assert torch.__version__.startswith("2.8.0") and torchvision.__version__.startswith("0.23.0")


def picture(w, h, noise):
    """The same formula is in pixels_test.go."""
    y, x, c = np.meshgrid(np.arange(h, dtype=np.uint32), np.arange(w, dtype=np.uint32),
                          np.arange(3, dtype=np.uint32), indexing="ij")
    v = x * (13 + c) + y * (7 + 3 * c) + (x ^ y) * (5 + c) + (x * y >> 4)
    if noise:
        v = (v * np.uint32(2654435761)) >> 24
    return Image.fromarray((v & 255).astype(np.uint8))


# The processors take pictures 1 or 3 pixels high for planes; input_data_format tells them better.
def clip(**options):
    def run(image, raw):
        p = CLIPImageProcessor(**options)
        off = dict(do_rescale=False, do_normalize=False) if raw else {}
        return np.asarray(p(image, return_tensors="np", input_data_format="channels_last", **off)["pixel_values"][0])
    return run


def videomae(size):
    def run(image, raw):
        p = VideoMAEImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size})
        off = dict(do_rescale=False, do_normalize=False) if raw else {}
        return np.asarray(p([image], return_tensors="np", input_data_format="channels_last", **off)["pixel_values"][0][0])
    return run


def min_max_size(size, max_size, w, h):
    """MinMaxResizeForTest.get_size: (height, width)."""
    short, long = float(min(w, h)), float(max(w, h))
    if long / short * size > max_size:
        size = int(round(max_size * short / long))
    if (w <= h and w == size) or (h <= w and h == size):
        return h, w
    if w < h:
        return int(size * h / w), size
    return size, int(size * w / h)


MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def microsoft(size, max_size=None):
    def run(image, raw):
        if max_size is None:
            image = T.CenterCrop(size)(T.Resize(size, interpolation=T.InterpolationMode.BICUBIC)(image))
        else:
            image = F.resize(image, min_max_size(size, max_size, *image.size), T.InterpolationMode.BICUBIC)
        if raw:
            return np.asarray(image).transpose(2, 0, 1)
        return T.Normalize(MEAN, STD)(T.ToTensor()(image)).numpy()
    return run


def clip_size(resize, crop, **more):
    return clip(size={"shortest_edge": resize}, crop_size={"height": crop[0], "width": crop[1]}, **more)


TRANSFORMS = {
    "clip224": clip_size(224, (224, 224)),
    "clip33": clip_size(33, (33, 33)),
    "clip480": clip_size(480, (480, 480)),
    "videomae224": videomae(224),
    "videomae33": videomae(33),
    "exact": clip(size={"height": 48, "width": 31}, do_center_crop=False),
    "exactcrop": clip(size={"height": 48, "width": 31}, crop_size={"height": 33, "width": 40}),
    "pad": clip_size(20, (33, 28), resample=2),
    "keep": clip(do_resize=False, crop_size={"height": 24, "width": 25}),
    "plain": clip_size(33, (33, 33), do_normalize=False),
    "unscaled": clip_size(33, (33, 33), do_rescale=False),
    "ms224": microsoft(224),
    "ms33": microsoft(33),
    "vqabase": microsoft(480, 640),
    "vqasmall": microsoft(48, 64),
}

SIZES = [(1, 1), (1, 7), (7, 1), (3, 500), (33, 33), (34, 33), (32, 33), (223, 225), (224, 224), (225, 224),
         (640, 479), (1000, 37), (100, 75), (4001, 3)]
HD = SIZES + [(1920, 1080)]
LARGE = {"clip224": HD, "videomae224": HD, "ms224": HD, "clip480": [(640, 479), (100, 75), (223, 225)],
         "vqasmall": [s for s in SIZES if s not in [(3, 500), (4001, 3)]],  # these end in an error
         "vqabase": [(640, 479), (223, 225), (1000, 137), (480, 480), (480, 640), (37, 1000)]}


def squash(name, w, h):
    """The whole picture at the encoder's size: a plain Pillow resize, then the same numbers."""
    resample = Image.BILINEAR if name.startswith("videomae") else Image.BICUBIC
    return lambda image: image.resize((w, h), resample)


def case(name, w, h, noise, view="crop", change=lambda image: image):
    image = change(picture(w, h, noise))
    raw, values = TRANSFORMS[name](image, True), TRANSFORMS[name](image, False)
    raw = np.ascontiguousarray(raw.transpose(1, 2, 0))
    assert raw.dtype == np.uint8 and values.shape[1:] == raw.shape[:2], (name, raw.dtype)
    values = np.ascontiguousarray(values.astype("<f4"))
    out = {
        "transform": name, "w": w, "h": h, "noise": noise, "view": view,
        "width": raw.shape[1], "height": raw.shape[0],
        "uint8_sha256": hashlib.sha256(raw.tobytes()).hexdigest(),
        "float32_sha256": hashlib.sha256(values.tobytes()).hexdigest(),
        "first": [float(v) for v in values[:, 0, 0]],
    }
    if raw.nbytes <= 4000 and noise and (w, h) in [(100, 75), (34, 33), (1, 7)]:
        out["uint8"] = base64.b64encode(raw.tobytes()).decode()
    return out


def cases():
    for name in TRANSFORMS:
        for n, (w, h) in enumerate(LARGE.get(name, SIZES)):
            yield case(name, w, h, n % 2 == 0)
    for n, (name, side) in enumerate([("clip224", 224), ("videomae33", 33), ("ms33", 33), ("vqasmall", 48)]):
        for w, h in [(640, 479), (37, 100), (5, 5)]:
            yield case(name, w, h, n % 2 == 0, "squash", squash(name, side, side))
    for view, box in [("0.5,0,0.5,1", (50, 0, 100, 75)), ("0.1,0.2,0.3,0.4", (10, 15, 40, 45)),
                      ("0.999,0.999,0.001,0.001", (99, 74, 100, 75)), ("0,0,1,1", (0, 0, 100, 75))]:
        for name in ["clip33", "vqasmall"]:
            yield case(name, 100, 75, True, view, lambda image: image.crop(box))


def positions():
    """Position tables of 1 + g*g rows of 3, value by value the same formula as in the test."""
    for g, gh, gw in [(4, 4, 4), (4, 3, 6), (5, 9, 2), (1, 3, 2), (30, 26, 40), (14, 1, 1)]:
        rows = np.arange(1 + g * g, dtype=np.int64)[:, None] * 7 + np.arange(3)[None] * 5
        table = torch.tensor(((rows * rows) % 101 - 50) / 64, dtype=torch.float32)
        grid = table[1:].reshape(g, g, 3).permute(2, 0, 1)[None]
        new = F.torch.nn.functional.interpolate(grid, size=(gh, gw), mode="bicubic", align_corners=False)
        out = torch.cat([table[:1], new[0].permute(1, 2, 0).reshape(-1, 3)])
        yield {"g": g, "gh": gh, "gw": gw, "values": [round(v, 8) for v in out.flatten().tolist()][:600]}


with open("golden.json", "w") as f:
    rows = ",\n".join(json.dumps(c) for c in cases())
    tables = ",\n".join(json.dumps(p) for p in positions())
    f.write('{"pictures":[\n%s],\n"positions":[\n%s]}\n' % (rows, tables))
