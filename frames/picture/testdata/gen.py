"""Makes the pictures of this folder and golden.json: what Pillow shows of them.

Run by hand, from this folder, with pillow==11.3.0 numpy==2.2.6.
"""

import base64
import hashlib
import json
import struct
import zlib

import numpy as np
import PIL
from PIL import Image, ImageOps

assert PIL.__version__ == "11.3.0"
W, H = 23, 17
y, x = np.mgrid[0:H, 0:W]
RGB = np.stack([x * 11, y * 15, (x * y * 3) % 256], axis=-1).astype(np.uint8)
ALPHA = ((x * 29 + y * 7) % 256).astype(np.uint8)[..., None]
GREY = ((x * 9 + y * 3) % 256).astype(np.uint8)
DEEP = (np.concatenate([RGB, ALPHA], axis=-1).astype(np.uint16) << 8) + 77
golden = {}


def png(name, colour, bits, samples, *chunks):
    """A PNG that Pillow cannot write: 16 bits a sample."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    head = struct.pack(">IIBBBBB", W, H, bits, colour, 0, 0, 0)
    with open(name, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunk(*c) for c in chunks)
                + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def save(name, image, **options):
    image.save(name, **options)
    record(name)


def record(name, want=None):
    if want is None:
        want = np.asarray(ImageOps.exif_transpose(Image.open(name)).convert("RGB"))
    lossy = name.endswith(".jpg") or name.startswith("lossy")
    entry = {"w": want.shape[1], "h": want.shape[0], "sha256": hashlib.sha256(want.tobytes()).hexdigest()}
    if lossy:
        entry["rgb"] = base64.b64encode(want.tobytes()).decode()
    golden[name] = entry


def exif(orientation):
    e = Image.Exif()
    e[0x010F], e[0x0112] = "maker", orientation
    return e


rgb, grey = Image.fromarray(RGB), Image.fromarray(GREY)
rgba = Image.fromarray(np.concatenate([RGB, ALPHA], axis=-1))
la = Image.fromarray(np.concatenate([GREY[..., None], ALPHA], axis=-1), "LA")
colours = rgb.quantize(40)
save("rgb.png", rgb)
save("grey.png", grey)
save("bits.png", grey.convert("1"))
save("rgba.png", rgba)
save("la.png", la)
save("palette.png", colours)
save("palette4.png", rgb.quantize(13), bits=4)
save("palette_alpha.png", colours, transparency=bytes(range(0, 240, 6)))
save("grey_key.png", grey, transparency=int(GREY[3, 4]))
save("rgb_key.png", rgb, transparency=tuple(int(v) for v in RGB[3, 4]))
png("rgb16.png", 2, 16, DEEP[..., :3])
record("rgb16.png")
png("rgba16.png", 6, 16, DEEP)
record("rgba16.png")
png("la16.png", 4, 16, DEEP[..., 2:])
record("la16.png")
png("grey16.png", 0, 16, DEEP[..., 0])
record("grey16.png", np.repeat((DEEP[..., :1] >> 8).astype(np.uint8), 3, axis=-1))  # not as Pillow, on purpose
png("key16.png", 2, 16, DEEP[..., :3], (b"tRNS", DEEP[3, 4, :3].astype(">u2").tobytes()))
record("key16.png")
for o in range(1, 9):
    save(f"turn{o}.png", rgb, exif=exif(o))
save("turn9.png", rgb, exif=exif(9))
for name, sampling in ("444", 0), ("422", 1), ("420", 2):
    save(f"{name}.jpg", rgb, quality=90, subsampling=sampling)
save("progressive.jpg", rgb, quality=85, progressive=True)
save("grey.jpg", grey, quality=90)
save("cmyk.jpg", rgb.convert("CMYK"), quality=95)
save("keep.jpg", rgb, quality=90, keep_rgb=True)
save("turn6.jpg", rgb, quality=90, exif=exif(6))
save("turn7.jpg", rgb, quality=90, exif=exif(7))
save("lossless.webp", rgb, lossless=True)
save("lossless_alpha.webp", rgba, lossless=True, exact=True)
save("turn8.webp", rgb, lossless=True, exif=exif(8))
save("lossy.webp", rgb, quality=90)
save("lossy_alpha.webp", rgba, quality=90, exact=True)
save("rgb.bmp", rgb)
save("rgba.bmp", rgba)
save("palette.bmp", colours)
save("grey.bmp", grey)
save("palette.gif", colours)
save("key.gif", colours, transparency=5)
save("grey.gif", grey)
save("plain.gif", colours, interlace=0)

# A frame that covers a part of its screen.
data = bytearray(open("palette.gif", "rb").read())
at = data.index(b",", 13 + 3 * (2 << (data[10] & 7)))
data[6:10] = struct.pack("<HH", W + 5, H + 4)
data[at + 1:at + 5] = struct.pack("<HH", 3, 2)
open("offset.gif", "wb").write(data)
record("offset.gif")

frames = [rgb, rgb.transpose(Image.FLIP_LEFT_RIGHT), grey.convert("RGB")]
frames[0].save("moves.gif", save_all=True, append_images=frames[1:], duration=100)
frames[0].save("moves.webp", save_all=True, append_images=frames[1:], duration=100)
with open("golden.json", "w") as f:
    json.dump(golden, f, indent=0)
    f.write("\n")
