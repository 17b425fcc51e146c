"""Makes the README's picture: scenes of the world, six frames each, above what the demo model says.

    python picture.py --render ./render --program ../../bin/captiond --out ../../docs/shapes.png"""

import argparse
import json
import pathlib
import subprocess
import tempfile

from PIL import Image, ImageDraw, ImageFont

from golden import windows

SCENES = (4, 22, 37, 23)
WIDTH, HEIGHT, GAP, LINE = 160, 120, 4, 28


def said(program, images):
    """The caption of the six pictures, as a film that shows each for half a second."""
    with tempfile.TemporaryDirectory() as folder:
        for i, image in enumerate(images):
            image.save(pathlib.Path(folder) / f"{i}.png")
        film = pathlib.Path(folder) / "film.mp4"
        subprocess.run(["ffmpeg", "-v", "error", "-framerate", "2", "-i", f"{folder}/%d.png", "-pix_fmt", "yuv420p",
                        "-crf", "18", film], check=True)
        out = subprocess.run([program, "caption", "--whole", "-o", "jsonl", "--log-level", "error", film],
                             check=True, capture_output=True)
    return json.loads(out.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--render", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    shown = [images for _, images in windows(arguments.render)]
    sheet = Image.new("RGB", (6 * (WIDTH + GAP) - GAP, len(SCENES) * (HEIGHT + LINE)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    for row, scene in enumerate(SCENES):
        top = row * (HEIGHT + LINE)
        event = said(arguments.program, shown[scene])
        for i, image in enumerate(shown[scene]):
            sheet.paste(image.resize((WIDTH, HEIGHT), Image.LANCZOS), (i * (WIDTH + GAP), top))
        draw.text((2, top + HEIGHT + 3), f"{event['text']}   ({event['confidence']:.2f})", "black", font)
    sheet.save(arguments.out, optimize=True)


if __name__ == "__main__":
    main()
