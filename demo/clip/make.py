"""Makes shapes.mp4: three scenes of four seconds, 320x240 at 25 frames per second. It is not drawn by the world's renderer but by
a simple one with hard edges, to see how the demo model does on a stranger's film. Run by hand: python3 make.py (needs numpy and
the ffmpeg command)."""

import subprocess

import numpy as np

WIDTH, HEIGHT, RATE, SECONDS = 320, 240, 25, 4
Y, X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)

# (colour, shape, start x y, end x y, start and end radius) on a grey of its own
SCENES = [
    ((220, 40, 40), "circle", (80, 120), (240, 120), (32, 32), 120),
    ((50, 80, 220), "square", (160, 190), (160, 60), (30, 30), 165),
    ((235, 215, 50), "ring", (160, 120), (160, 120), (22, 50), 90),
]


def covers(shape, x, y, r):
    d = np.hypot(X - x, Y - y)
    if shape == "circle":
        return d <= r
    if shape == "square":
        return np.maximum(abs(X - x), abs(Y - y)) <= 0.88 * r
    return (d >= 0.52 * r) & (d <= 1.08 * r)


def frame(scene, t, noise):
    colour, shape, a, b, (r0, r1), grey = scene
    picture = np.full((HEIGHT, WIDTH, 3), grey, float) + ((Y / HEIGHT - 0.5) * 30)[..., None]
    x, y, r = a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, r0 + (r1 - r0) * t
    picture[covers(shape, x, y, r)] = colour
    picture += noise.normal(0, 3, picture.shape)
    return picture.clip(0, 255).astype(np.uint8)


def main():
    noise = np.random.default_rng(4)
    n = RATE * SECONDS
    pixels = b"".join(frame(s, i / (n - 1), noise).tobytes() for s in SCENES for i in range(n))
    command = f"""ffmpeg -y -v error -f rawvideo -pix_fmt rgb24 -s {WIDTH}x{HEIGHT} -r {RATE} -i -
        -vf scale=out_color_matrix=bt709:out_range=tv -colorspace bt709 -color_primaries bt709 -color_trc bt709
        -c:v libx264 -pix_fmt yuv420p -crf 26 -g {RATE} -bf 2 -threads 1 -movflags +faststart
        -metadata creation_time=2026-11-01T12:00:00Z -metadata title=shapes shapes.mp4"""
    subprocess.run(command.split(), input=pixels, check=True)


if __name__ == "__main__":
    main()
