"""Make a small clip with sound and a reference picture: python scripts/make_example.py FOLDER

The clip is an evening by the sea, drawn by code: sky, sun, waves and a boat, 5 s, 640x360, with the sound of surf.
The reference is a warm sunset of the same kind of scene. Nothing is downloaded.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from streamct.media.image import save_png

_WIDTH, _HEIGHT, _RATE, _SECONDS = 640, 360, 24, 5
_SOUND_RATE = 48_000

DAY = {"zenith": (48, 104, 178), "horizon": (186, 208, 222), "sun": (255, 250, 235), "sea": (22, 78, 110)}
SUNSET = {"zenith": (92, 58, 118), "horizon": (250, 142, 62), "sun": (255, 214, 140), "sea": (70, 40, 74)}


def scene(seconds: float, colours: dict[str, tuple[int, int, int]], seed: int = 3) -> np.ndarray:
    """One picture (360, 640, 3) uint8 of the sea under a sky, `seconds` into the clip."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:_HEIGHT, 0:_WIDTH].astype(np.float64)
    horizon = 0.55 * _HEIGHT
    zenith, low, sun, sea = (np.array(colours[name], float) for name in ("zenith", "horizon", "sun", "sea"))
    rise = np.clip(y / horizon, 0, 1)[..., None] ** 1.5
    picture = zenith + (low - zenith) * rise
    glow = np.exp(-(((x - 450) / 90) ** 2 + ((y - 120) / 90) ** 2))[..., None]
    picture = picture + (sun - picture) * np.clip(1.4 * glow, 0, 1)
    depth = np.clip((y - horizon) / (_HEIGHT - horizon), 0, 1)
    wave = sum(
        np.sin(x / (8 + 60 * depth) * a + b + seconds * c) * (0.3 + depth)
        for a, b, c in rng.uniform((0.5, 0, 1), (1.5, 6.3, 3), (6, 3))
    )
    glint = np.exp(-(((x - 450) / (30 + 120 * depth)) ** 2))
    water = sea * (0.75 + 0.25 * depth[..., None]) + (8 * wave)[..., None] + (sun - sea) * (0.45 * glint)[..., None]
    picture = np.where((y > horizon)[..., None], water, picture)
    left = 60 + 40 * seconds
    hull = (np.abs(x - left) < 46 - (y - 214) * 0.8) & (y > 214) & (y < 232)
    sail = (y > 120) & (y < 212) & (x > left - 4) & (x < left + (y - 120) * 0.45)
    picture[hull] = (120, 38, 30)
    picture[sail] = (232, 226, 214)
    return np.clip(picture + rng.normal(0, 1.5, picture.shape), 0, 255).astype(np.uint8)


def write_clip(path: Path) -> None:
    """Write the clip: H.264 and AAC, tagged BT.709."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=_RATE, width=_WIDTH, height=_HEIGHT, options={"crf": "16"})
        video.pix_fmt = "yuv420p"
        tags = video.codec_context
        tags.colorspace = tags.color_primaries = tags.color_trc = tags.color_range = 1
        audio = container.add_stream("aac", rate=_SOUND_RATE, layout="mono")
        for index in range(_RATE * _SECONDS):
            frame = av.VideoFrame.from_ndarray(scene(index / _RATE, DAY), "rgb24").reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            frame.pts, frame.time_base = index, Fraction(1, _RATE)
            frame.colorspace = frame.color_range = 1
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        samples = surf(_SOUND_RATE * _SECONDS)
        for start in range(0, len(samples), 1024):
            block = np.ascontiguousarray(samples[None, start : start + 1024])
            sound = av.AudioFrame.from_ndarray(block, "fltp", "mono")
            sound.sample_rate, sound.pts, sound.time_base = _SOUND_RATE, start, Fraction(1, _SOUND_RATE)
            container.mux(audio.encode(sound))
        container.mux(audio.encode(None))


def surf(count: int) -> np.ndarray:
    """`count` samples of noise that swells and ebbs, float32."""
    noise = np.random.default_rng(1).normal(0, 1, count)
    soft = np.convolve(noise, np.ones(40) / 40, "same")
    swell = 0.55 + 0.45 * np.sin(np.arange(count) * (2 * np.pi * 0.35 / _SOUND_RATE))
    return (0.4 * soft * swell).astype(np.float32)


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write_clip(folder / "clip.mp4")
    save_png(folder / "reference.png", scene(0.0, SUNSET, seed=9))


if __name__ == "__main__":
    main()
