"""Small clips and pictures that tests make for themselves."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray


def moving_picture(frames: int, width: int = 96, height: int = 64, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Frames (h, w, 3) of a coloured gradient with a square that wanders over it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), 255 - x * 255 // width], axis=-1)
    tint = rng.integers(0, 60, 3)
    out = []
    for t in range(frames):
        picture = np.clip(base * 0.7 + tint, 0, 255).astype(np.uint8)
        left, top = (3 * t) % max(width - 16, 1), (2 * t) % max(height - 16, 1)
        picture[top : top + 16, left : left + 16] = (220, 60, 40)
        out.append(picture)
    return out


def write_clip(
    path: Path,
    pictures: list[NDArray[np.uint8]],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times: list[int] | None = None,
    time_base: Fraction = Fraction(1, 24),
    rate: int = 24,
    audio: bool = False,
    tags: tuple[int, int, int, int] | None = (1, 1, 1, 1),
    gop: int | None = None,
) -> Path:
    """Write R'G'B' pictures as a clip. times: pts in `time_base`; tags: matrix, primaries, transfer, range; gop: a key
    frame every so many."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        options = {"crf": "12"} if codec in ("libx264", "libx265") else {}
        stream = container.add_stream(codec, rate=rate, width=width, height=height, options=options)
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = stream.time_base = time_base
        if gop is not None:
            stream.codec_context.gop_size = gop
        if tags is not None:
            context = stream.codec_context
            context.colorspace, context.color_primaries, context.color_trc, context.color_range = tags
        sound = container.add_stream("aac", rate=48000, layout="mono") if audio else None
        matrix = {1: "ITU709", 5: "ITU601", 6: "ITU601", 9: "BT2020"}.get(tags[0] if tags else 6, "ITU709")
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(
                format=pix_fmt, dst_colorspace=matrix, dst_color_range="JPEG" if tags and tags[3] == 2 else "MPEG"
            )
            if tags is not None:
                frame.colorspace, frame.color_range = tags[0], tags[3]
            frame.pts, frame.time_base = (times[index] if times else index), time_base
            container.mux(stream.encode(frame))
        if sound is not None:
            _write_tone(container, sound, len(pictures) / rate)
        container.mux(stream.encode(None))
    return path


def _write_tone(container: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    samples = np.sin(np.arange(int(48000 * seconds)) * (2 * np.pi * 440 / 48000)).astype(np.float32) * 0.3
    for start in range(0, len(samples), 1024):
        part = np.ascontiguousarray(samples[None, start : start + 1024])
        frame = av.AudioFrame.from_ndarray(part, "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def decoded(path: Path, pix_fmt: str | None = None) -> list[tuple[int, list[NDArray[np.generic]]]]:
    """(pts, planes) of every frame of the first video stream, samples as decoded unless `pix_fmt` is given."""
    out = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            picture = frame if pix_fmt is None else frame.reformat(format=pix_fmt)
            deep = picture.format.components[0].bits > 8
            planes = []
            for plane in picture.planes:
                flat = np.frombuffer(memoryview(plane), np.uint16 if deep else np.uint8)
                step = plane.line_size // flat.itemsize
                planes.append(flat[: step * plane.height].reshape(plane.height, step)[:, : plane.width].copy())
            out.append((frame.pts, planes))
    return out
