"""Still pictures of simple formats, which FFmpeg reads and libvips, as it is packed for Python, does not.

BMP, Targa, the PNM family, QOI and OpenEXR: no profile, no EXIF; OpenEXR and PFM hold linear light.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

ENDINGS = (".bmp", ".tga", ".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".pfm", ".qoi", ".exr")
"""Endings of these formats."""

_SIGNATURES = (
    (b"BM", "bmp"), (b"P1", "pbm"), (b"P2", "pgm"), (b"P3", "ppm"), (b"P4", "pbm"), (b"P5", "pgm"), (b"P6", "ppm"),
    (b"P7\n", "pam"), (b"PF\n", "pfm"), (b"Pf\n", "pfm"), (b"qoif", "qoi"), (b"\x76\x2f\x31\x01", "exr"),
)  # fmt: skip
_EXR_TILES, _EXR_PARTS = 0x200, 0x1800
_QOI_END = bytes(7) + b"\1"
_PACKED = {
    "rgb24": ("u1", (0, 1, 2)), "bgr24": ("u1", (2, 1, 0)), "rgba": ("u1", (0, 1, 2, 3)),
    "bgra": ("u1", (2, 1, 0, 3)), "gray": ("u1", (0, 0, 0)), "ya8": ("u1", (0, 0, 0, 1)),
    "rgb48le": ("<u2", (0, 1, 2)), "rgb48be": (">u2", (0, 1, 2)), "rgba64le": ("<u2", (0, 1, 2, 3)),
    "rgba64be": (">u2", (0, 1, 2, 3)), "gray16le": ("<u2", (0, 0, 0)), "gray16be": (">u2", (0, 0, 0)),
    "ya16le": ("<u2", (0, 0, 0, 1)), "ya16be": (">u2", (0, 0, 0, 1)), "grayf32le": ("<f4", (0, 0, 0)),
}  # fmt: skip
"""Type of a sample, and where R, G, B and alpha lie."""


class RawDamageError(Exception):
    """What FFmpeg says of a picture that it can't decode to its end."""


@dataclass(frozen=True, slots=True, eq=False)
class RawPicture:
    """samples: (h, w, 3 or 4) uint8, uint16 or float32, the latter linear light with alpha not multiplied in."""

    samples: NDArray[Any]


def codec_for(path: Path, data: bytes) -> str | None:
    """FFmpeg's decoder for the bytes of a picture, None if it is not one of these formats."""
    for signature, codec in _SIGNATURES:
        if data.startswith(signature):
            return codec
    return "targa" if path.suffix.lower() == ".tga" else None  # which has no signature


def load(codec: str, data: bytes) -> RawPicture:
    """Decode the bytes of a picture.

    Raises:
        RawDamageError: damaged, incomplete, or of a kind that FFmpeg does not know.
    """
    if (codec == "qoi" and not data.endswith(_QOI_END)) or (codec == "exr" and not _exr_is_whole(data)):
        raise RawDamageError("its end is missing")  # which the decoders fill with black
    try:
        context = av.CodecContext.create(codec, "r")
        assert isinstance(context, VideoCodecContext)
        context.thread_count = 1
        frames = [*context.decode(Packet(data)), *context.decode(None)]
    except (av.FFmpegError, ValueError, MemoryError) as cause:
        raise RawDamageError(str(getattr(cause, "strerror", None) or cause)) from cause
    if not frames or frames[0].is_corrupt:
        raise RawDamageError("nothing in it can be decoded")
    return RawPicture(_samples(frames[0]))


def _exr_is_whole(data: bytes) -> bool:
    """Whether the last block that an OpenEXR file's table points to lies in it. True for files of several parts."""
    try:
        (version,) = struct.unpack_from("<I", data, 4)
        if version & _EXR_PARTS:
            return True
        place = 8
        while data[place]:  # attributes: name, type, size, value
            value = data.index(0, data.index(0, place) + 1) + 1
            place = value + 4 + struct.unpack_from("<I", data, value)[0]
        place += 1
        first, last = len(data), 0
        while place < first:  # the table ends where the first block begins
            (offset,) = struct.unpack_from("<Q", data, place)
            first, last = min(first, offset), max(last, offset)
            place += 8
        numbers = 5 if version & _EXR_TILES else 2
        size = struct.unpack_from(f"<{numbers}i", data, last)[-1]
        return first > 0 and last + 4 * numbers + size <= len(data)
    except (struct.error, IndexError, ValueError):
        return False


def _samples(frame: av.VideoFrame) -> NDArray[Any]:
    name = frame.format.name
    if name.startswith("gbr"):
        return _planar(frame)
    if name not in _PACKED:  # palettes, 5 bits a sample, black and white
        alpha = any(component.is_alpha for component in frame.format.components) or frame.format.has_palette
        frame = frame.reformat(format="rgba" if alpha else "rgb24")
        name = frame.format.name
    kind, order = _PACKED[name]
    plane = frame.planes[0]
    step = len(set(order)) * np.dtype(kind).itemsize
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: frame.height]
    pixels = np.ascontiguousarray(rows[:, : frame.width * step]).view(kind).reshape(frame.height, frame.width, -1)
    return np.ascontiguousarray(pixels[..., order].astype(np.dtype(kind).newbyteorder("=")))


def _planar(frame: av.VideoFrame) -> NDArray[Any]:
    """Of planes G, B, R and perhaps alpha, in floating point or integers of up to 16 bits."""
    bits = frame.format.components[0].bits
    floating = "f" in frame.format.name.removeprefix("gbrap").removeprefix("gbrp")
    kind = np.dtype({16: "f2", 32: "f4"}[bits] if floating else "u1" if bits == 8 else "u2")
    kind = kind.newbyteorder(">" if frame.format.name.endswith("be") else "<")
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), kind).reshape(-1, plane.line_size // kind.itemsize)
        planes.append(rows[: frame.height, : frame.width])
    out = np.stack([planes[n] for n in (2, 0, 1, 3)[: len(planes)]], axis=-1)
    if floating:
        out = out.astype(np.float32)
        if out.shape[-1] == 4:
            cover = out[..., 3:]
            out[..., :3] = np.where(cover > 0, out[..., :3] / np.where(cover > 0, cover, 1), out[..., :3])
        return out
    if bits == 8:
        return out
    return np.rint(out.astype(np.float64) * (65535 / ((1 << bits) - 1))).astype(np.uint16)
