"""The input pictures: smooth light with shapes in it, odd sizes, the same on every run."""

import numpy as np
from PIL import Image

SIZES = {
    "street": (37, 61),
    "room": (64, 48),
    "banner": (100, 31),
    "ribbon": (200, 7),
    "tower": (7, 200),
    "large": (160, 121),
    "dot": (9, 9),
}
FRAMES = 8  # frame-0 ... frame-7: a ball crossing a wall, 52x39


def _ground(width, height, phase):
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    u, v = x / max(width - 1, 1), y / max(height - 1, 1)
    red = 90 + 80 * u + 40 * np.sin(3 * v + phase)
    green = 70 + 90 * v + 30 * np.cos(4 * u - phase)
    blue = 140 - 70 * u * v + 25 * np.sin(9 * (u + v) + 2 * phase)
    return np.stack([red, green, blue], axis=-1)


def _disc(canvas, centre, radius, colour):
    height, width = canvas.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    far = np.hypot(x + 0.5 - centre[0], y + 0.5 - centre[1])
    cover = np.clip(radius + 0.5 - far, 0, 1)[..., None]
    canvas[:] = canvas * (1 - cover) + np.array(colour) * cover


def _box(canvas, left, top, right, bottom, colour):
    canvas[int(top):int(bottom), int(left):int(right)] = colour


def _picture(width, height, phase):
    canvas = _ground(width, height, phase)
    _box(canvas, width * 0.1, height * 0.55, width * 0.45, height * 0.9, (210, 40, 35))
    _disc(canvas, (width * 0.68, height * 0.35), min(width, height) * 0.22, (250, 220, 60))
    rng = np.random.default_rng(int(phase * 1000))
    canvas += rng.normal(0, 6, canvas.shape)  # grain, so that no two pixels agree by chance
    return Image.fromarray(np.clip(np.rint(canvas), 0, 255).astype(np.uint8), "RGB")


def _frame(index):
    canvas = _ground(52, 39, 0.3 + 0.05 * index)
    _disc(canvas, (6 + 6.1 * index, 30 - 3.3 * index), 6, (240, 90, 30))
    _box(canvas, 40 - 3 * index, 4, 48 - 3 * index, 12, (20, 60, 200))
    return Image.fromarray(np.clip(np.rint(canvas), 0, 255).astype(np.uint8), "RGB")


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for i, (name, (width, height)) in enumerate(SIZES.items()):
        _picture(width, height, 0.7 + 0.9 * i).save(folder / f"{name}.png", optimize=True)
    for i in range(FRAMES):
        _frame(i).save(folder / f"frame-{i}.png", optimize=True)


def load(folder, names):
    return [Image.open(folder / f"{name}.png").convert("RGB") for name in names]
