"""Pixel formats: which are graded on their own planes, and what the others become first."""

from __future__ import annotations

from functools import cache

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from streamct.model import Coding, PixelFormat, Plane

_SUBSAMPLING = {"420": (1, 1), "422": (1, 0), "444": (0, 0), "440": (0, 1), "411": (2, 0), "410": (2, 2)}

FULL_RANGE_ALIASES = {f"yuvj{name}p": f"yuv{name}p" for name in ("420", "422", "444", "440", "411")}
"""Names that say "full range" of layouts that have another name without."""


def _direct() -> dict[str, PixelFormat]:
    table = {}
    for depth in (8, 9, 10, 12):
        suffix = "" if depth == 8 else f"{depth}le"
        for name, (x, y) in _SUBSAMPLING.items():
            for alpha in (False, True):
                spelled = f"yuv{'a' if alpha else ''}{name}p{suffix}"
                table[spelled] = PixelFormat(spelled, depth, x, y, alpha=alpha)
        for alpha in (False, True):
            spelled = f"gbr{'a' if alpha else ''}p{suffix}"
            table[spelled] = PixelFormat(spelled, depth, 0, 0, rgb=True, alpha=alpha)
    return {name: layout for name, layout in table.items() if _known(name)}


def _known(name: str) -> bool:
    try:
        av.VideoFormat(name)
    except ValueError:
        return False
    return True


DIRECT = _direct()
"""Planar formats of up to 12 bits, whose planes are graded as they are."""


def graded_format(name: str) -> PixelFormat:
    """The direct format in which frames of FFmpeg's format `name` are graded.

    Semi-planar, packed, palette and grey formats go to the planar one that holds all of them; more than 12
    bits a sample go to 12.
    """
    name = FULL_RANGE_ALIASES.get(name, name)
    if name in DIRECT:
        return DIRECT[name]
    layout = av.VideoFormat(name)
    components = layout.components
    depth = max(component.bits for component in components)
    depth = 8 if depth <= 8 else 10 if depth <= 10 else 12
    suffix = "" if depth == 8 else f"{depth}le"
    alpha = any(component.is_alpha for component in components)
    if layout.is_rgb or layout.has_palette or name == "pal8":
        return DIRECT[f"gbr{'a' if alpha or layout.has_palette else ''}p{suffix}"]
    if len(components) < 3:
        return DIRECT[f"yuv{'a' if alpha else ''}444p{suffix}"]
    wide, tall = layout.chroma_width(8), layout.chroma_height(8)
    chroma = {(4, 4): "420", (4, 8): "422", (8, 8): "444", (8, 4): "440", (2, 8): "411", (2, 2): "410"}
    shares = (chroma[wide, tall], "422", "444")  # yuva420p12le is one that FFmpeg lacks
    names = (f"yuv{'a' if alpha else ''}{share}p{suffix}" for share in shares)
    return next(DIRECT[spelled] for spelled in names if spelled in DIRECT)


_SWSCALE = {"bt601": Colorspace.ITU601, "bt2020": Colorspace.BT2020, "smpte240m": Colorspace.SMPTE240M}
_CRASHING = {"yaf32le", "yaf32be"}  # FFmpeg's scaler aborts the process on them


def is_readable(name: str) -> bool:
    """Whether frames of FFmpeg's format `name` can be brought into the format that they are graded in."""
    if name in DIRECT or name in FULL_RANGE_ALIASES:
        return True
    if name in _CRASHING:
        return False
    try:
        convert(av.VideoFrame(16, 16, name), graded_format(name).name, Coding("bt709", False), VideoReformatter())
    except (av.FFmpegError, ValueError, KeyError):
        return False
    return True


def is_full_range_by_name(name: str) -> bool:
    """Whether the format's name already says full range: yuvj..., grey and RGB."""
    layout = av.VideoFormat(name)
    return name in FULL_RANGE_ALIASES or layout.is_rgb or layout.has_palette or len(layout.components) < 3


def convert(
    frame: av.VideoFrame,
    name: str,
    coding: Coding,
    converter: VideoReformatter,
    size: tuple[int, int] | None = None,
    full_range: bool | None = None,
) -> av.VideoFrame:
    """`frame` in the format `name` and `size`, matrix and range stated on both sides and so unchanged.

    full_range: of the result, where it should not be that of `coding`. RGB and Y'CbCr turn into each other by
    `coding`'s matrix (BT.709 where `coding` is RGB).
    """
    matrix = _SWSCALE.get(coding.matrix, Colorspace.ITU709)
    target = av.VideoFormat(name)
    coded_range = ColorRange.JPEG if coding.full_range else ColorRange.MPEG
    source_range = ColorRange.JPEG if is_full_range_by_name(frame.format.name) else coded_range
    full = coding.full_range if full_range is None else full_range
    target_range = ColorRange.JPEG if target.is_rgb or full else ColorRange.MPEG
    width, height = size or (frame.width, frame.height)
    if (width, height) == (frame.width, frame.height) and source_range == target_range and _is_grey(frame.format.name):
        layout = DIRECT.get(name)
        if layout is not None and not (layout.rgb or layout.alpha):
            return _timed(_with_neutral_chroma(frame, layout), frame)
    out = converter.reformat(
        frame, width, height, name, matrix, matrix, "BICUBIC", source_range, target_range, threads=1
    )
    return _timed(out, frame)


def _timed(out: av.VideoFrame, frame: av.VideoFrame) -> av.VideoFrame:
    if frame.time_base is not None:
        out.pts, out.time_base = frame.pts, frame.time_base
    return out


def _is_grey(name: str) -> bool:
    return name.removesuffix("le") in ("gray", "gray9", "gray10", "gray12", "gray14", "gray16")


def _with_neutral_chroma(frame: av.VideoFrame, layout: PixelFormat) -> av.VideoFrame:
    """Grey of full range in a format with chroma, to the sample; swscale may be off by some codes."""
    out = av.VideoFrame(frame.width, frame.height, layout.name)
    bits = frame.format.components[0].bits
    luma = _samples(frame, 0, bits)
    _samples(out, 0, layout.depth)[...] = luma if bits == layout.depth else _scaled(bits, layout.depth)[luma]
    for chroma in (1, 2):
        _samples(out, chroma, layout.depth)[...] = 1 << (layout.depth - 1)
    return out


def _samples(frame: av.VideoFrame, number: int, bits: int) -> Plane:
    plane = frame.planes[number]
    flat = np.frombuffer(memoryview(plane), np.uint16 if bits > 8 else np.uint8)
    step = plane.line_size // flat.itemsize
    return flat[: step * plane.height].reshape(plane.height, step)[:, : plane.width]


@cache
def _scaled(bits: int, depth: int) -> Plane:
    """Codes of full range at another depth."""
    codes = np.arange(1 << bits) * ((1 << depth) - 1) / ((1 << bits) - 1)
    return np.rint(codes).astype(np.uint16 if depth > 8 else np.uint8)
